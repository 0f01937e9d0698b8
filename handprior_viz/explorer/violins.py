"""How datasets are spread over one number, as violins lying on their side (markup for LiveMarkup; pure)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from handprior_viz.figures import Strip, minus

HEIGHT = 40


def violins(strips: Sequence[Strip], *, title: str, unit: str, span: tuple[float, float], note: str = "") -> str:
    """One violin per dataset over the same range, with a line at ``--mark`` (0 to 1).

    The line inside each reaches from the 5 to the 95 per cent point, the dot is the median. ``data-text="mark"`` is
    where the shown pose's number goes.

    Args:
        strips: Datasets in the order in which they are always shown.
        title: What is measured, in words.
        unit: After each number: ``°``, or `` nats``.
        span: Ends of the range.
        note: Said beside the title.
    """
    low, high = span
    about = f"each from {_number(low, unit)} to {_number(high, unit)}; line: nine in ten of the poses, dot: the median"
    heading = (
        f'<figcaption>{escape(title)} <b class="hp-mark-figure" data-text="mark"></b>'
        f'<span class="hp-muted">{escape(about)}{"; " if note else ""}{escape(note)}</span></figcaption>'
    )
    zero = f"{-100 * low / (high - low):.2f}%" if low < 0 < high else "-100vw"
    cells = "".join(_violin(one, unit, span) for one in strips)
    plots = f'<div class="hp-strips hp-violins" style="--zero:{zero}">{cells}</div>'
    return f'<figure class="hp-figure">{heading}{plots}</figure>'


def _violin(one: Strip, unit: str, span: tuple[float, float]) -> str:
    low, high = span
    x = (np.arange(len(one.heights)) + 0.5) * 100 / len(one.heights)  # middles of the bins
    half = HEIGHT / 2
    edge = [(a, (half - 1) * h) for a, h in zip(x, one.heights, strict=True)]
    above = "L".join(f"{a:.1f} {half - b:.1f}" for a, b in edge)
    below = "L".join(f"{a:.1f} {half + b:.1f}" for a, b in reversed(edge))
    q5, q50, q95 = (min(max(100 * (q - low) / (high - low), 0.0), 100.0) for q in one.spread)
    figures = [_number(q, unit) for q in one.spread]
    title = f"{one.dataset}: half of its poses lie below {figures[1]}, nine in ten from {figures[0]} to {figures[2]}"
    return (
        f'<div class="hp-strip" data-key="{escape(one.dataset)}" title="{escape(title)}"><div class="hp-violin">'
        f'<svg viewBox="0 0 100 {HEIGHT}" preserveAspectRatio="none">'
        f'<path style="fill:{one.colour}" d="M{above}L{below}Z"/></svg>'
        f'<u style="left:{q5:.1f}%;width:{q95 - q5:.1f}%"></u><i style="left:{q50:.1f}%"></i></div>'
        f"<span>{escape(one.dataset)}</span></div>"
    )


def _number(value: float, unit: str) -> str:
    return minus(f"{round(value) + 0:d}{unit}")
