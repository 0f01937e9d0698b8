"""Where a pose stands: how usual it is to the prior, and one joint angle of it among all datasets, live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets as W
import numpy as np
import torch
from jaxtyping import Float

from data_tools.store import PoseStore
from handprior_viz.explorer.backdrop import AngleSpread, Backdrop, held_out_energies
from handprior_viz.figures import density_strips, gauge, minus, position, verdict
from handprior_viz.joint_angles import JOINT_ANGLES, JointAngle, by_finger
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import row
from training.prior import Prior

FIRST_ANGLE = next(angle for angle in JOINT_ANGLES if angle.finger == "left index finger")


@dataclass(frozen=True, eq=False)
class _Known:
    """What a pose is compared with, as far as it is there."""

    prior: Prior | None = None
    backdrop: Backdrop | None = None
    spread: AngleSpread | None = None
    energies: Float[np.ndarray, "poses"] | None = None
    energy_span: tuple[float, float] = (0.0, 1.0)


class Standing:
    """A gauge of plausibility and a strip of one joint angle per dataset, for the pose last shown.

    Sampling the store and scoring held-out poses happen in the background; a pose that is shown only moves the marks.

    Args:
        store: What to compare with.
        on_error: What to do with an error in the background.

    Attributes:
        gauge: Widget: plausibility.
        menus: Widget: the choice of an angle.
        strips: Widget: the datasets.
    """

    def __init__(self, store: PoseStore, *, on_error: Callable[[Exception], object] | None = None) -> None:
        self._store = store
        self._known = _Known()
        self._pose: Float[np.ndarray, "dim"] | None = None
        self.gauge = LiveMarkup()
        self.strips = LiveMarkup()
        self.menus = self._build_menus()
        self._judging = LatestWins(self._judge, on_error=on_error, name="explorer-judge")
        self._spreading = LatestWins(self._spread_over, on_error=on_error, name="explorer-angles")
        self._scoring = LatestWins(self._score, on_error=on_error, name="explorer-score")
        self._spreading.submit(FIRST_ANGLE)

    def show(self, pose: Float[np.ndarray, "dim"]) -> None:
        """Mark where a pose stands (radians); returns at once."""
        self._pose = pose
        self._judging.submit(pose)

    def use(self, prior: Prior) -> None:
        """Judge plausibility by this prior; returns at once."""
        self._scoring.submit(prior)

    def settle(self, timeout: float) -> bool:
        """Wait until all that was asked for is shown."""
        return all(pace.settle(timeout) for pace in (self._spreading, self._scoring, self._judging))

    def close(self) -> None:
        """End the threads; the widgets belong to the panel that shows them."""
        for pace in (self._spreading, self._scoring, self._judging):
            pace.close()

    def _build_menus(self) -> W.Widget:
        fingers = by_finger()
        self._finger = W.Dropdown(
            options=list(fingers), value=FIRST_ANGLE.finger, tooltip="Which finger", layout={"width": "180px"}
        )
        self._motion = W.Dropdown(
            options=[(angle.words, angle) for angle in fingers[FIRST_ANGLE.finger]],
            tooltip="Which joint, counted from the palm, and which way it turns",
            layout={"width": "220px"},
        )
        self._finger.observe(self._on_finger, "value")
        self._motion.observe(self._on_motion, "value")
        return row(W.Label("Where this pose stands among the datasets:"), self._finger, self._motion)

    def _on_finger(self, change: Any) -> None:
        """Keep the joint and the motion where the other finger has them too."""
        words = self._motion.label
        angles = by_finger()[change["new"]]
        self._motion.options = [(angle.words, angle) for angle in angles]
        self._motion.value = next((angle for angle in angles if angle.words == words), angles[0])

    def _on_motion(self, change: Any) -> None:
        if change["new"] is not None:
            self._spreading.submit(change["new"])

    def _spread_over(self, angle: JointAngle) -> None:
        backdrop = self._known.backdrop or Backdrop.of(self._store)
        spread = backdrop.angles(angle)
        title = f"{angle.finger}, {angle.words}"
        self.strips.markup = density_strips(spread.strips, title=title, span=spread.span)
        self._known = replace(self._known, backdrop=backdrop, spread=spread)
        self._judge_again()

    def _score(self, prior: Prior) -> None:
        energies = held_out_energies(prior, self._store)
        low, high = np.quantile(energies, [0.0, 0.99])
        span = (float(low - 0.05 * (high - low)), float(high + 0.15 * (high - low)))
        self.gauge.markup = gauge(energies, span)
        self._known = replace(self._known, prior=prior, energies=energies, energy_span=span)
        self._judge_again()

    def _judge_again(self) -> None:
        if self._pose is not None:
            self._judging.submit(self._pose)

    def _judge(self, pose: Float[np.ndarray, "dim"]) -> None:
        known = self._known
        if known.spread is not None:
            degrees = float(known.spread.angle.measure(pose))
            usual = f"usual in {known.spread.usual_in(degrees)} of {len(known.spread.strips)} datasets"
            text = minus(f"this pose: {degrees:.0f}°, {usual}")
            self.strips.mark({"--mark": position(degrees, known.spread.span)}, {"mark": text})
        if known.prior is not None and known.energies is not None:
            with torch.no_grad():
                energy = float(known.prior.energy(torch.from_numpy(pose)))
            mark = {"--mark": position(energy, known.energy_span)}
            self.gauge.mark(mark, {"verdict": verdict(energy, known.energies)})
