"""Numbers to plots, as markup for :class:`~handprior_viz.live_markup.LiveMarkup` (pure functions, no widgets).

Lines and areas are SVG that stretches to whatever room there is; words and figures are HTML laid over it, so that they
never stretch. Colours of text, grid and background come from CSS variables and follow the theme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Strip:
    """How one dataset is spread over an angle or an energy.

    Attributes:
        dataset: Its name.
        colour: #RRGGBB.
        heights: Density in equal bins over the plot's range, highest 1.
        spread: 5, 50 and 95 per cent points, in the plot's unit.
    """

    dataset: str
    colour: str
    heights: tuple[float, ...]
    spread: tuple[float, float, float]


def strip(
    dataset: str, colour: str, values: Float[np.ndarray, "frames"], span: tuple[float, float], bins: int = 48
) -> Strip:
    """Summarise a dataset's values (one or more) for :func:`violins`.

    The density is a histogram of four times as many bins, smoothed by a Gaussian of Silverman's width (1986, eq. 3.31);
    values outside the span count at its ends.
    """
    low, high = span
    fine = 4 * bins
    counts, _ = np.histogram(np.clip(values, low, high), bins=fine, range=span)
    q5, q25, q50, q75, q95 = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    scale = min(float(np.std(values)), float(q75 - q25) / 1.34) or float(np.std(values))
    width = max(0.9 * scale * len(values) ** -0.2 / (high - low) * fine, 2.0)
    reach = np.arange(-math.ceil(4 * width), math.ceil(4 * width) + 1)
    kernel = np.exp(-0.5 * (reach / width) ** 2)
    smooth = np.convolve(counts, kernel)[len(reach) // 2 :][:fine]
    heights = smooth.reshape(bins, 4).mean(axis=1)
    return Strip(dataset, colour, tuple((heights / heights.max()).tolist()), (float(q5), float(q50), float(q95)))


def violins(
    strips: Sequence[Strip],
    *,
    title: str,
    unit: str,
    span: tuple[float, float],
    note: str = "",
    marked: bool = True,
) -> str:
    """One violin per dataset, lying on its side over the same range.

    The line inside each reaches from the 5 to the 95 per cent point, the dot is the median.

    Args:
        strips: Datasets in the order in which they are always shown.
        title: What is measured, in words.
        unit: After each number: ``°``, or `` nats``.
        span: Ends of the range.
        note: Said beside the title.
        marked: Whether one pose is marked, by a line at ``--mark`` (0 to 1); ``data-text="mark"`` is where its number
            goes.
    """
    low, high = span
    about = f"each from {_whole(low, unit)} to {_whole(high, unit)}; line: nine in ten of the poses, dot: the median"
    mark = ' <b class="hp-mark-figure" data-text="mark"></b>' if marked else ""
    heading = (
        f'<figcaption>{escape(title)}{mark}<span class="hp-muted">{escape(about)}{"; " if note else ""}{escape(note)}'
        "</span></figcaption>"
    )
    zero = _p(-low / (high - low)) if low < 0 < high else "-100vw"
    cells = "".join(_violin_of(one, unit, span) for one in strips)
    plots = f'<div class="hp-strips" style="--zero:{zero}">{cells}</div>'
    return f'<figure class="hp-figure">{heading}{plots}</figure>'


def _violin_of(one: Strip, unit: str, span: tuple[float, float]) -> str:
    low, middle, high = (_whole(q, unit) for q in one.spread)
    title = escape(f"{one.dataset}: half of its poses lie below {middle}, nine in ten from {low} to {high}")
    name = escape(one.dataset)
    return (
        f'<div class="hp-strip" data-key="{name}" title="{title}" role="img" aria-label="{title}">'
        f"{violin(one, span)}<span>{name}</span></div>"
    )


def violin(one: Strip, span: tuple[float, float]) -> str:
    """One dataset's violin, as high as its element; the line is nine in ten of its values, the dot the median."""
    low, high = span
    x = (np.arange(len(one.heights)) + 0.5) * 100 / len(one.heights)  # middles of the bins
    edge = [(a, 19 * h) for a, h in zip(x, one.heights, strict=True)]
    above = "L".join(f"{a:.1f} {20 - b:.1f}" for a, b in edge)
    below = "L".join(f"{a:.1f} {20 + b:.1f}" for a, b in reversed(edge))
    q5, q50, q95 = (min(max((q - low) / (high - low), 0.0), 1.0) for q in one.spread)
    return (
        '<span class="hp-violin"><svg viewBox="0 0 100 40" preserveAspectRatio="none">'
        f'<path style="fill:{one.colour}" d="M{above}L{below}Z"/></svg>'
        f'<u style="left:{100 * q5:.1f}%;width:{100 * (q95 - q5):.1f}%"></u>'
        f'<i style="left:{100 * q50:.1f}%"></i></span>'
    )


def gauge(energies: Float[np.ndarray, "poses"], span: tuple[float, float], bins: int = 40) -> str:
    """How usual a pose is: the energies of held-out poses as bars, with a line at ``--mark`` (0 to 1).

    ``data-text="verdict"`` is where the words go.

    Args:
        energies: Of held-out poses, nats per frame.
        span: Energies at the two ends, nats per frame.
        bins: Bars.
    """
    counts, _ = np.histogram(np.clip(energies, *span), bins=bins, range=span)
    width = 100 / bins
    bars = "".join(
        f'<rect x="{k * width:.2f}" width="{0.86 * width:.2f}" y="{30 - 30 * c / counts.max():.1f}" '
        f'height="{30 * c / counts.max():.1f}"/>'
        for k, c in enumerate(counts)
        if c
    )
    title = "Energies (minus log-likelihood, nats per frame) of held-out poses, scored as the shown one; left is usual"
    return (
        f'<div class="hp-gauge" title="{title}"><span class="hp-muted">plausibility</span>'
        f'<div class="hp-ridge"><svg viewBox="0 0 100 30" preserveAspectRatio="none">{bars}</svg></div>'
        f'<span data-text="verdict"></span></div>'
    )


def verdict(energy: float, held_out: Float[np.ndarray, "poses"]) -> str:
    """Say in words where an energy lies among those of held-out poses, nats per frame."""
    share = float((held_out > energy).mean())
    figure = minus(f"{energy:.1f} nats")
    if share >= 0.995:
        return f"more usual than nearly every held-out pose ({figure})"
    if share <= 0.005:
        return f"less usual than nearly every held-out pose ({figure})"
    return f"more usual than {100 * share:.0f} % of held-out poses ({figure})"


def nice_ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten apart) inside a range, about so many."""
    raw = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [k * step + 0.0 for k in range(first, math.floor(high / step + 1e-9) + 1)]


def spread(places: Sequence[float], step: float) -> list[float]:
    """Move labels apart until neighbours are ``step`` apart, keeping their order and staying close to their places."""
    order = sorted(range(len(places)), key=lambda k: places[k])
    groups: list[list[int]] = []
    centres: list[float] = []
    for k in order:
        groups.append([k])
        centres.append(places[k])
        # Labels that touch form a group around the mean of their places; groups that touch merge.
        while len(groups) > 1 and centres[-1] - centres[-2] < step * (len(groups[-1]) + len(groups[-2])) / 2:
            merged = groups[-2] + groups[-1]
            groups[-2:], centres[-2:] = [merged], [float(np.mean([places[m] for m in merged]))]
    found = [0.0] * len(places)
    for group, centre in zip(groups, centres, strict=True):
        for rank, k in enumerate(group):
            found[k] = centre + step * (rank - (len(group) - 1) / 2)
    return found


def position(value: float, span: tuple[float, float]) -> str:
    """Where a value lies in a range, as the CSS variable ``--mark`` wants it: 0 to 1, kept inside."""
    low, high = span
    return f"{min(max((value - low) / (high - low), 0.0), 1.0):.4f}"


def _whole(value: float, unit: str) -> str:
    return minus(f"{round(value) + 0:d}{unit}")


def minus(text: str) -> str:
    """Text with real minus signs."""
    return text.replace("-", "\N{MINUS SIGN}")


def _p(share: float) -> str:
    return f"{100 * share:.2f}%"
