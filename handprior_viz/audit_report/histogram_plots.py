"""Small histograms of all joint angles of a dataset, each before the outline of all data (SVG, pure functions).

The outlines are drawn once, as symbols that every dataset refers to: a report on fifty datasets holds 4,500 of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from handprior_viz.figures import minus

WIDTH, HEIGHT = 96, 24
"""Size of a plot in its own units; it stretches to the width of its cell."""


@dataclass(frozen=True)
class AnglePlot:
    """One angle of one joint.

    Attributes:
        key: Identity of the angle, a number in the order of the plots.
        edges: Bin edges, degrees.
        limits: Smallest and largest angle of a healthy joint, degrees, where one is known.
    """

    key: int
    edges: Float[np.ndarray, "edges"]
    limits: tuple[float, float] | None


def outline(plot: AnglePlot, counts: Int[np.ndarray, "bins"]) -> str:
    """The symbol behind one angle's plots: the ranges no healthy joint reaches, a tick at zero, and all the data."""
    low, high = float(plot.edges[0]), float(plot.edges[-1])

    def across(degrees: float) -> float:
        return WIDTH * min(max((degrees - low) / (high - low), 0.0), 1.0)

    parts = []
    if plot.limits is not None:
        left, right = (across(limit) for limit in plot.limits)
        parts.append(
            f'<path class="beyond" d="M0 0H{left:.1f}V{HEIGHT}H0ZM{right:.1f} 0H{WIDTH}V{HEIGHT}H{right:.1f}Z"/>'
        )
    if low < 0 < high:
        parts.append(f'<path class="zero" d="M{across(0.0):.1f} 0V{HEIGHT}"/>')
    parts.append(f'<path class="all" d="{_steps(counts)}"/>')
    return (
        f'<symbol id="a{plot.key}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">{"".join(parts)}</symbol>'
    )


def cell(plot: AnglePlot, counts: Int[np.ndarray, "bins"]) -> str:
    """One dataset's histogram before the outline of all data; hovering over it tells its range in degrees."""
    total = int(counts.sum())
    if not total:
        return '<td class="none" title="no live hand here">–</td>'
    low, middle, high = quantiles(plot.edges, counts)
    said = minus(f"half below {middle:.0f}°, nine in ten {low:.0f}° to {high:.0f}°")
    return (
        f'<td title="{said}"><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">'
        f'<path class="own" d="{_steps(counts)}Z"/><use href="#a{plot.key}"/></svg></td>'
    )


def quantiles(
    edges: Float[np.ndarray, "edges"], counts: Int[np.ndarray, "bins"], shares: tuple[float, ...] = (0.05, 0.5, 0.95)
) -> tuple[float, ...]:
    """Read quantiles off a histogram, as if values were spread evenly inside each bin."""
    reached = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    return tuple(float(value) for value in np.interp(np.array(shares) * reached[-1], reached, edges))


def _steps(counts: Int[np.ndarray, "bins"]) -> str:
    """The upper edge of a histogram as a path in whole units; equal neighbours make one step, empty ends none.

    Heights follow the square root of the counts: a joint that mostly rests would hide everything else it does.
    """
    top = float(counts.max()) or 1.0
    down = np.rint(HEIGHT - (HEIGHT - 1) * np.sqrt(counts / top)).astype(int)
    filled = np.flatnonzero(counts)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, 0)
    step = WIDTH / len(counts)
    path = [f"M{_short(first * step)} {HEIGHT}"]
    level = HEIGHT
    for k in range(first, last + 1):
        if down[k] != level:
            path.append(f"{'' if k == first else 'H' + _short(k * step)}V{down[k]}")
            level = int(down[k])
    return "".join(path) + f"H{_short((last + 1) * step)}V{HEIGHT}"


def _short(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
