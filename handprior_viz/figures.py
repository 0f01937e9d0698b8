"""Numbers to plots, as markup for :class:`~handprior_viz.live_markup.LiveMarkup` (pure functions, no widgets).

Lines and areas are SVG that stretches to whatever room there is; words and figures are HTML laid over it, so that they
never stretch. Colours of text, grid and background come from CSS variables and follow the theme.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float

from handprior_viz import style

RUN_COLOURS = (style.TOKENS.accent, "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D31")
"""Colours of runs in the order in which they were started; they tell neither tier nor dataset, so no tier's hue."""

_NO_LOOK = "No look at held-out frames yet: the first comes after an epoch or two."

LABEL_STEP = 0.085
"""Smallest distance between two labels at a plot's edge, as a share of the plot's height."""

LINE_POINTS, DOTS = 400, 60
"""Points of a curve that are drawn, and that can be hovered over."""


@dataclass(frozen=True)
class Curve:
    """One run in a plot of learning curves.

    Attributes:
        name: Identity of the run.
        label: What is written at its end.
        epochs: Where it was looked at, ascending.
        values: What was found there.
        colour: #RRGGBB.
        flat: It has no course (fitted in closed form): its one value is drawn as a level.
    """

    name: str
    label: str
    epochs: tuple[float, ...]
    values: tuple[float, ...]
    colour: str
    flat: bool = False


def learning_curves(curves: Sequence[Curve], *, title: str, unit: str) -> str:
    """All runs on one axis; a dot marks each one's best and a label at the edge says it; hovering says any number.

    A run that ended before the others goes on to the edge as a thin line, to the label that stands there.

    Args:
        curves: One per run; those without a value are left out.
        title: What is plotted, in words.
        unit: Of the values.
    """
    curves = [curve for curve in curves if curve.values]
    dots = '<span class="hp-muted">the dot is the best, and what is kept</span>' if _has_course(curves) else ""
    heading = f"<figcaption>{escape(title)}, {escape(unit)}{dots}</figcaption>"
    if not curves:
        return f'<figure class="hp-figure">{heading}<div class="hp-empty">{_NO_LOOK}</div></figure>'
    low, high = _value_range(curves)
    last = max([1.0, *(curve.epochs[-1] for curve in curves if not curve.flat)])
    ticks = nice_ticks(low, high, 5)

    def down(value: float) -> float:
        return (high - value) / (high - low)  # above the range it is negative, and the plot's edge cuts the line off

    lines = [f'<path class="hp-grid" d="M0 {_c(down(tick))}H1000"/>' for tick in ticks]
    lines += [_curve_path(curve, last, down) for curve in curves]
    lines += [
        f'<path class="hp-line hp-tail" style="stroke:{curve.colour}" '
        f'd="M{_c(curve.epochs[-1] / last)} {_c(down(curve.values[-1]))}H1000"/>'
        for curve in curves
        if not curve.flat and curve.epochs[-1] < last
    ]
    over = [f'<span class="hp-tick-y" style="top:{_p(down(tick))}">{_figure(tick)}</span>' for tick in ticks]
    over += [
        f'<span class="hp-tick-x" style="left:{_p(tick / last)}">{tick:g}</span>'
        for tick in nice_ticks(0, last, 6)
        if last > 1 or tick in (0, 1)
    ]
    over += [point for curve in curves for point in _points(curve, last, down, unit)]
    ends = spread([down(curve.values[-1]) for curve in curves], LABEL_STEP)
    over += [
        f'<span class="hp-end" data-key="{escape(curve.name)}" style="top:{_p(top)}" title="{escape(curve.label)}">'
        f'<i style="background:{curve.colour}"></i><b>{escape(curve.label)}</b>'
        f"<span>{_figure(min(curve.values), 1)}</span></span>"
        for curve, top in zip(curves, ends, strict=True)
    ]
    said = "; ".join(f"{curve.label} {_figure(min(curve.values), 1)}" for curve in curves)
    return (
        f'<figure class="hp-figure" role="img" aria-label="{escape(title)}, {escape(unit)}: {escape(said)}">{heading}'
        f'<div class="hp-curves"><svg viewBox="0 0 1000 1000" preserveAspectRatio="none">{"".join(lines)}</svg>'
        f'{"".join(over)}</div><div class="hp-axis">epoch</div></figure>'
    )


def _value_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """From the lowest value to where nine tenths of the values lie: the first epochs would flatten all the others."""
    values = np.concatenate([curve.values for curve in curves])
    low, high = float(values.min()), float(np.quantile(values, 0.9))
    high = max(high, *(curve.values[-1] for curve in curves))
    room = 0.12 * (high - low) or 1.0
    return low - room, high + room


def _curve_path(curve: Curve, last: float, down: Callable[[float], float]) -> str:
    if curve.flat:
        y = _c(down(curve.values[-1]))
        drawn, kind = f"M0 {y}H1000", " hp-level"
    else:
        steps = [f"{_c(curve.epochs[k] / last)} {_c(down(curve.values[k]))}" for k in _thinned(curve, LINE_POINTS)]
        drawn, kind = "M" + "L".join(steps), ""
    return f'<path class="hp-line{kind}" data-key="{escape(curve.name)}" style="stroke:{curve.colour}" d="{drawn}"/>'


def _has_course(curves: Sequence[Curve]) -> bool:
    return any(not curve.flat for curve in curves)


def _points(curve: Curve, last: float, down: Callable[[float], float], unit: str) -> list[str]:
    """Dots to hover over; the best one is always seen."""
    if curve.flat:
        return []
    best = curve.values.index(min(curve.values))
    return [
        f'<i class="hp-dot{" hp-best" if k == best else ""}" '
        f'style="left:{_p(curve.epochs[k] / last)};top:{_p(down(curve.values[k]))};'
        f'background:{curve.colour}" title="{escape(curve.label)}, epoch {curve.epochs[k]:g}: '
        f'{_figure(curve.values[k], 2)} {escape(unit)}"></i>'
        for k in sorted({*_thinned(curve, DOTS), best})
        if down(curve.values[k]) >= 0
    ]


def _thinned(curve: Curve, most: int) -> list[int]:
    """Which points to draw: about ``most`` at most, evenly, and always the last."""
    every = max(1, math.ceil(len(curve.values) / most))
    return sorted({*range(0, len(curve.values), every), len(curve.values) - 1})


@dataclass(frozen=True)
class Strip:
    """How one dataset is spread over an angle.

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
    """Summarise a dataset's values (one or more, degrees) for :func:`density_strips`.

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


def density_strips(strips: Sequence[Strip], *, title: str, span: tuple[float, float]) -> str:
    """Small densities of one angle, one per dataset over the same range, with a line at ``--mark`` (0 to 1).

    ``data-text="mark"`` is where the shown pose's number goes.
    """
    low, high = span
    heading = (
        f'<figcaption>{escape(title)} <b class="hp-mark-figure" data-text="mark"></b>'
        f'<span class="hp-muted">each from {_figure(low)}° to {_figure(high)}°, tick at 0°</span></figcaption>'
    )
    zero = _p(-low / (high - low)) if low <= 0 <= high else "-9px"
    cells = "".join(_strip_cell(one) for one in strips)
    return f'<figure class="hp-figure">{heading}<div class="hp-strips" style="--zero:{zero}">{cells}</div></figure>'


def _strip_cell(one: Strip) -> str:
    x = np.linspace(0, 100, len(one.heights))
    ridge = "L".join(f"{a:.1f} {30 - 28 * h:.1f}" for a, h in zip(x, one.heights, strict=True))
    title = f"{one.dataset}: half of its frames lie below {one.spread[1]:.0f}°, nine in ten from "
    title += f"{one.spread[0]:.0f}° to {one.spread[2]:.0f}°"
    return (
        f'<div class="hp-strip" data-key="{escape(one.dataset)}" title="{escape(title)}">'
        f'<div class="hp-ridge"><svg viewBox="0 0 100 30" preserveAspectRatio="none">'
        f'<path style="fill:{one.colour}" d="M0 30L{ridge}L100 30Z"/></svg></div>'
        f"<span>{escape(one.dataset)}</span></div>"
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
    title = "Energies (minus log-likelihood, nats per frame) of held-out poses as the prior sees them; left is usual"
    return (
        f'<div class="hp-gauge" title="{title}"><span class="hp-muted">plausibility</span>'
        f'<div class="hp-ridge"><svg viewBox="0 0 100 30" preserveAspectRatio="none">{bars}</svg></div>'
        f'<span data-text="verdict"></span></div>'
    )


def verdict(energy: float, held_out: Float[np.ndarray, "poses"]) -> str:
    """Say in words where an energy lies among those of held-out poses, nats per frame."""
    share = float((held_out > energy).mean())
    figure = f"{_figure(energy, 1)} nats"
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


def _figure(value: float, digits: int = 0) -> str:
    """A number with a real minus sign, no more digits than said, and no minus before zero."""
    text = f"{value:.{digits}f}" if digits or abs(value - round(value)) < 1e-9 else f"{value:g}"
    return minus(text) if float(text) else text.lstrip("-")


def minus(text: str) -> str:
    """Text with real minus signs."""
    return text.replace("-", "\N{MINUS SIGN}")


def _p(share: float) -> str:
    return f"{100 * share:.2f}%"


def _c(share: float) -> str:
    return f"{1000 * share:.1f}"
