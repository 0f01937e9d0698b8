"""What a mix covers, beside what another one covered, as a line of figures (pure functions)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from handprior_viz.balancing.coverage import ENERGY_EDGES, MixCoverage
from handprior_viz.number_words import percent

OPENED_WITH = "the mix that the panel opened with"
_HINT = "About how much the joints move, which angles they reach and what stands in two datasets nobody has looked yet."


def coverage_line(
    now: MixCoverage, before: MixCoverage | None = None, before_words: str = "the mix that the panel opened with"
) -> str:
    """What a mix covers, and what the other one did where that was different.

    Events: ``reference`` (compare with this mix from now on), ``measure`` (audit the data).

    Args:
        now: The mix as it stands.
        before: What to compare with.
        before_words: What that is, in words.
    """
    then = before or now
    figures = [
        _figure(
            f"{now.effective:.1f}", f"{then.effective:.1f}", "datasets in effect",
            "As varied as so many equally large datasets (exponential of the entropy of their shares)",
        )
    ]  # fmt: skip
    if now.ranges is None or now.overlap is None:
        figures.append(
            f'<span class="hp-muted">{_HINT}</span><button data-event="measure" title="Read every file once, in the '
            'background; unchanged files are not read again">Measure it</button>'
        )
    else:
        figures.append(
            _figure(
                percent(now.ranges), percent(then.ranges or 0), "of all joint ranges",
                "Of all joint angles seen in any dataset, in steps of 5 degrees, the share that this mix can be "
                "expected to hold a frame of",
            )
        )  # fmt: skip
        figures.append(
            _figure(
                percent(now.overlap), percent(then.overlap or 0), "overlap",
                "At least so many of its frames have a near one in another of its datasets",
            )
        )  # fmt: skip
    if now.energy is not None and now.motion is not None:
        motion = f"{now.motion:.0f}\N{DEGREE SIGN}/s"
        past = motion if then.motion is None else f"{then.motion:.0f}\N{DEGREE SIGN}/s"
        figures.append(_histogram(now.energy, then.energy))
        figures.append(_figure(motion, past, "mean motion", "Motion energy: how fast the finger joints turn"))
    title = "Compare with the mix as it stands now, from here on"
    is_changed = any("<em" in figure for figure in figures)
    was = f'<span class="hp-muted">was: {before_words}</span>' if is_changed else ""
    return (
        f'<div class="hp-covers"><b>What this mix covers</b>{"".join(figures)}'
        f'<button data-event="reference" title="{title}">compare from here</button>{was}</div>'
    )


def _figure(value: str, was: str, words: str, title: str) -> str:
    changed = f' <em class="hp-muted">was {was}</em>' if was != value else ""
    return f'<span title="{title}"><b data-flash>{value}</b> {words}{changed}</span>'


def _histogram(now: Float[np.ndarray, "bins"], then: Float[np.ndarray, "bins"] | None) -> str:
    """Bars of the motion of a mix's frames, and the outline of the other mix."""
    top = max(float(now.max()), 0.0 if then is None else float(then.max()), 1e-9)
    width = 100 / len(now)
    bars = "".join(
        f'<rect x="{k * width:.2f}" width="{0.86 * width:.2f}" y="{24 - 24 * share / top:.1f}" '
        f'height="{24 * share / top:.1f}"/>'
        for k, share in enumerate(now.tolist())
    )
    outline = ""
    if then is not None:
        steps = "".join(f"V{24 - 24 * share / top:.1f}H{(k + 1) * width:.2f}" for k, share in enumerate(then.tolist()))
        outline = f'<path d="M0 24{steps}V24"/>'
    high = ENERGY_EDGES[-1]
    title = (
        f"How much its frames move: motion energy from 0 to {high:.0f} degrees per second and more, as bars; the mix "
        "that it is compared with as a line"
    )
    return (
        f'<span class="hp-covers-motion" title="{title}" role="img" aria-label="{title}">'
        f'<svg viewBox="0 0 100 24" preserveAspectRatio="none">{bars}{outline}</svg></span>'
    )
