"""Learning curves of several runs on one axis, as markup (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from handprior_viz import style
from handprior_viz.figures import minus, nice_ticks, spread

RUN_COLOURS = (style.TOKENS.accent, "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D31")
"""Colours of runs by their numbers; they tell neither tier nor dataset, so no tier's hue."""

RUN_DASHES = ("", "7 3", "2 3", "9 3 2 3")
"""Strokes of runs (SVG dash patterns): whole, then, once all colours are taken, dashed, dotted and both."""

_NO_LOOK = "No look at held-out frames yet: the first comes after an epoch or two."

LABEL_PIXELS = 19
PLOT_PIXELS = 220
"""Height of a label and of the plot; the plot grows where labels need more."""

LINE_POINTS, DOTS = 400, 60
"""Points of a curve that are drawn, and that can be hovered over, at most."""

ALL_LINE_POINTS, ALL_DOTS = 2_400, 360
"""Those of all curves together: the page gets them anew whenever one curve grows."""


@dataclass(frozen=True)
class RunLook:
    """What tells a run apart in every plot and table.

    Attributes:
        colour: #RRGGBB.
        dash: SVG dash pattern; empty for a whole line.
    """

    colour: str
    dash: str = ""

    @classmethod
    def of(cls, number: int) -> RunLook:
        """The look of the run with this number in its folder: 24 different ones, then they repeat."""
        dash = RUN_DASHES[number // len(RUN_COLOURS) % len(RUN_DASHES)]
        return cls(RUN_COLOURS[number % len(RUN_COLOURS)], dash)

    @property
    def stroke(self) -> str:
        """As the style of an SVG path."""
        return f"stroke:{self.colour}" + (f";stroke-dasharray:{self.dash}" if self.dash else "")

    @property
    def swatch(self) -> str:
        """A piece of its line, to stand before its name."""
        path = f'<path style="{self.stroke}" d="M0 5H20"/>'
        return f'<svg class="hp-swatch" viewBox="0 0 20 10" aria-hidden="true">{path}</svg>'


@dataclass(frozen=True)
class Curve:
    """One run in a plot of learning curves.

    Attributes:
        name: Identity of the run.
        label: What is written at its end.
        epochs: Where it was looked at, ascending.
        values: What was found there.
        look: Colour and stroke.
        flat: It has no course (fitted in closed form): its one value is drawn as a level.
        is_bound: Its values are upper bounds of the true ones, and marked ≤.
    """

    name: str
    label: str
    epochs: tuple[float, ...]
    values: tuple[float, ...]
    look: RunLook
    flat: bool = False
    is_bound: bool = False

    def number(self, value: float, digits: int) -> str:
        """A value in words, marked where it is a bound."""
        return ("≤ " if self.is_bound else "") + minus(f"{value:.{digits}f}")


def learning_curves(curves: Sequence[Curve], *, title: str, unit: str) -> str:
    """All runs on one axis; a dot marks each one's best and a label at the edge says it; hovering says any number.

    A run that ended before the others goes on to the edge as a thin line, to the label that stands there.

    Args:
        curves: One per run; those without a value are left out.
        title: What is plotted, in words.
        unit: Of the values.
    """
    curves = [curve for curve in curves if curve.values]
    heading = f"<figcaption>{escape(title)}, {escape(unit)}{_notes(curves)}</figcaption>"
    if not curves:
        return f'<figure class="hp-figure">{heading}<div class="hp-empty">{_NO_LOOK}</div></figure>'
    low, high = _value_range(curves)
    last = max([1.0, *(curve.epochs[-1] for curve in curves if not curve.flat)])
    height = max(PLOT_PIXELS, LABEL_PIXELS * len(curves))

    def down(value: float) -> float:
        return (high - value) / (high - low)  # above the range it is negative, and the plot's edge cuts the line off

    ticks = nice_ticks(low, high, 5)
    lines = [f'<path class="hp-grid" d="M0 {_c(down(tick))}H1000"/>' for tick in ticks]
    lines += [_path(curve, last, down, min(LINE_POINTS, ALL_LINE_POINTS // len(curves))) for curve in curves]
    lines += [_tail(curve, last, down) for curve in curves if not curve.flat and curve.epochs[-1] < last]
    over = _axes(ticks, last, down)
    dots = min(DOTS, ALL_DOTS // len(curves))
    over += [point for curve in curves for point in _points(curve, last, down, unit, dots)]
    ends = spread([down(curve.values[-1]) for curve in curves], LABEL_PIXELS / height)
    over += [_end(curve, top) for curve, top in zip(curves, ends, strict=True)]
    said = "; ".join(f"{curve.label} {curve.number(min(curve.values), 1)}" for curve in curves)
    return (
        f'<figure class="hp-figure" role="img" aria-label="{escape(title)}, {escape(unit)}: {escape(said)}">{heading}'
        f'<div class="hp-curves" style="height:{height}px"><svg viewBox="0 0 1000 1000" preserveAspectRatio="none">'
        f'{"".join(lines)}</svg>{"".join(over)}</div><div class="hp-axis">epoch</div></figure>'
    )


def _notes(curves: Sequence[Curve]) -> str:
    notes = ["the dot is the best, and what is kept"] if any(not curve.flat for curve in curves) else []
    if any(curve.is_bound for curve in curves):
        notes.append("≤ marks a bound: the true number is not above it, on average")
    return f'<span class="hp-muted">{"; ".join(notes)}</span>' if notes else ""


def _axes(ticks: Sequence[float], last: float, down: Callable[[float], float]) -> list[str]:
    found = [f'<span class="hp-tick-y" style="top:{_p(down(tick))}">{minus(f"{tick:g}")}</span>' for tick in ticks]
    return found + [
        f'<span class="hp-tick-x" style="left:{_p(tick / last)}">{tick:g}</span>'
        for tick in nice_ticks(0, last, 6)
        if last > 1 or tick in (0, 1)
    ]


def _end(curve: Curve, top: float) -> str:
    label = escape(curve.label)
    return (
        f'<span class="hp-end" data-key="{escape(curve.name)}" style="top:{_p(top)}" title="{label}">'
        f"{curve.look.swatch}<b>{label}</b><span>{curve.number(min(curve.values), 1)}</span></span>"
    )


def _value_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """From the lowest value to where nine tenths of the values lie: the first epochs would flatten all the others."""
    values = np.concatenate([curve.values for curve in curves])
    low, high = float(values.min()), float(np.quantile(values, 0.9))
    high = max(high, *(curve.values[-1] for curve in curves))
    room = 0.12 * (high - low) or 1.0
    return low - room, high + room


def _path(curve: Curve, last: float, down: Callable[[float], float], most: int) -> str:
    if curve.flat:
        y = _c(down(curve.values[-1]))
        drawn, kind = f"M0 {y}H1000", " hp-level"
    else:
        steps = [f"{_c(curve.epochs[k] / last)} {_c(down(curve.values[k]))}" for k in _thinned(curve, most)]
        drawn, kind = "M" + "L".join(steps), ""
    return f'<path class="hp-curve{kind}" data-key="{escape(curve.name)}" style="{curve.look.stroke}" d="{drawn}"/>'


def _tail(curve: Curve, last: float, down: Callable[[float], float]) -> str:
    start = f"M{_c(curve.epochs[-1] / last)} {_c(down(curve.values[-1]))}"
    return f'<path class="hp-curve hp-tail" style="stroke:{curve.look.colour}" d="{start}H1000"/>'


def _points(curve: Curve, last: float, down: Callable[[float], float], unit: str, most: int) -> list[str]:
    """Dots to hover over; the best one is always seen."""
    if curve.flat:
        return []
    best = curve.values.index(min(curve.values))
    return [
        f'<i class="hp-dot{" hp-best" if k == best else ""}" '
        f'style="left:{_p(curve.epochs[k] / last)};top:{_p(down(curve.values[k]))};'
        f'background:{curve.look.colour}" title="{escape(curve.label)}, epoch {curve.epochs[k]:g}: '
        f'{curve.number(curve.values[k], 2)} {escape(unit)}"></i>'
        for k in sorted({*_thinned(curve, most), best})
        if down(curve.values[k]) >= 0
    ]


def _thinned(curve: Curve, most: int) -> list[int]:
    """Which points to draw: about ``most`` at most, evenly, and always the last."""
    every = math.ceil(len(curve.values) / max(most, 1))
    return sorted({*range(0, len(curve.values), every), len(curve.values) - 1})


def _p(share: float) -> str:
    return f"{100 * share:.2f}%"


def _c(share: float) -> str:
    return f"{1000 * share:.1f}"
