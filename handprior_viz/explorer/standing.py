"""Where a pose stands among real ones: how usual it is to the prior, and its place in three plots, live."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import ipywidgets as W
import numpy as np
import torch
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
from handprior_viz.explorer.backdrop import AngleSpread, Backdrop, energy_span, held_out_energies
from handprior_viz.explorer.hand_shelf import OnPose
from handprior_viz.explorer.held_out import HeldOut
from handprior_viz.explorer.map_view import MapView
from handprior_viz.explorer.violins import violins
from handprior_viz.figures import gauge, minus, position, verdict
from handprior_viz.joint_angles import JOINT_ANGLES, JointAngle, by_finger
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import column, row
from training.prior import Prior

FIRST_ANGLE = next(angle for angle in JOINT_ANGLES if angle.finger == "left index finger")

Plot = Literal["violin", "energy", "map"]

PLOTS: dict[Plot, tuple[str, str]] = {
    "violin": ("Violins", "One joint angle in each dataset"),
    "energy": ("Energy", "How likely the prior finds held-out poses of each dataset"),
    "map": ("Map", "All datasets' poses on a plane; alike hands lie together"),
}

ENERGY_TITLE = "Held-out likelihood: minus log-likelihood of each pose, nats per frame (left is more usual)"


_NO_ENERGY = '<div class="hp-empty">This prior gives no held-out pose a likelihood: train it longer, or anew.</div>'


@dataclass(frozen=True, eq=False)
class _Known:
    """What a pose is compared with, as far as it is there."""

    prior: Prior | None = None
    backdrop: Backdrop | None = None
    spread: AngleSpread | None = None
    energies: Float[np.ndarray, "poses"] | None = None
    energy_span: tuple[float, float] = (0.0, 1.0)
    held_out: HeldOut | None = None


class Standing:
    """A gauge of plausibility, and a choice of plots with the pose last shown marked: violins of one joint angle by
    dataset, energies of held-out poses by dataset, and a map of all poses.

    Sampling the store, scoring held-out poses and laying out the map happen in the background, the latter two only when
    their plot is chosen; a pose that is shown only moves the marks.

    Args:
        store: What to compare with.
        model: Hand model to measure and draw with; the user's licensed one if there is one, else the open hand.
        on_pose: Called with a pose that is chosen on the map, and words for where it is from.
        on_error: What to do with an error in the background.

    Attributes:
        gauge: Widget: plausibility.
        menus: Widget: the choice of a plot, and of an angle.
        strips: Widget: the plot.
        figure: The violins and energies inside it.
        plot: The plot that is shown.
    """

    def __init__(
        self,
        store: PoseStore,
        *,
        model: HandModel | None = None,
        on_pose: OnPose | None = None,
        on_error: Callable[[Exception], object] | None = None,
    ) -> None:
        self._store, self._model, self._on_pose, self._on_error = store, model, on_pose, on_error
        self._known = _Known()
        self._pose: Float[np.ndarray, "dim"] | None = None
        self._learning = threading.Lock()  # two threads learn
        self._ended = False
        self.plot: Plot = "violin"
        self.gauge = LiveMarkup()
        self.figure = LiveMarkup()
        self.map: MapView | None = None
        self.menus = self._build_menus()
        self.strips = column(self.figure, classes=["hp-standing"])
        self._judging = LatestWins(self._judge, on_error=on_error, name="explorer-judge")
        self._plotting = LatestWins(self._draw, on_error=on_error, name="explorer-plot")
        self._scoring = LatestWins(self._score, on_error=on_error, name="explorer-score")
        self._plotting.submit((self.plot, FIRST_ANGLE))

    def show(self, pose: Float[np.ndarray, "dim"]) -> None:
        """Mark where a pose stands (radians); returns at once."""
        self._pose = pose
        self._judging.submit(pose)

    def use(self, prior: Prior) -> None:
        """Judge plausibility by this prior; returns at once."""
        self._scoring.submit(prior)

    def choose(self, plot: Plot) -> None:
        """Show another plot.

        Raises:
            ValueError: No such plot.
        """
        if plot not in PLOTS:
            raise ValueError(f"plot must be one of {', '.join(PLOTS)}, got {plot!r}")
        self._plots.value = plot

    def settle(self, timeout: float) -> bool:
        """Wait until all that was asked for is shown."""
        settled = self._scoring.settle(timeout) and self._plotting.settle(timeout) and self._judging.settle(timeout)
        return settled and (self.map is None or self.map.settle(timeout))

    def close(self) -> None:
        """End the threads; the widgets belong to the panel that shows them."""
        self._ended = True
        for pace in (self._plotting, self._scoring, self._judging):
            pace.close()
        if self.map is not None:
            self.map.close()

    # Controls -----------------------------------------------------------------------------------------------------

    def _build_menus(self) -> W.Widget:
        fingers = by_finger()
        self._plots = W.ToggleButtons(
            options=[(label, plot) for plot, (label, _) in PLOTS.items()],
            tooltips=[about for _, about in PLOTS.values()],
            value=self.plot,
            style={"button_width": "auto"},
        )
        self._finger = W.Dropdown(
            options=list(fingers), value=FIRST_ANGLE.finger, tooltip="Which finger", layout={"width": "180px"}
        )
        self._motion = W.Dropdown(
            options=[(angle.words, angle) for angle in fingers[FIRST_ANGLE.finger]],
            tooltip="Which joint, counted from the palm, and which way it turns",
            layout={"width": "220px"},
        )
        self._plots.observe(self._on_plot, "value")
        self._finger.observe(self._on_finger, "value")
        self._motion.observe(self._on_motion, "value")
        where = W.Label("Where this pose stands among the datasets:")
        return row(where, self._plots, self._finger, self._motion, classes=["hp-standing-menus"])

    def _on_plot(self, change: Any) -> None:
        self.plot = change["new"]
        for menu in (self._finger, self._motion):
            menu.layout.display = None if self.plot == "violin" else "none"
        if self.plot == "map" and self.map is None:
            self.map = MapView(self._store, self._model, on_pose=self._on_pose, on_error=self._on_error)
            self.strips.children = (self.figure, self.map.widget)
        self.figure.layout.display = "none" if self.plot == "map" else None
        if self.map is not None:
            self.map.widget.layout.display = None if self.plot == "map" else "none"
        self._plotting.submit((self.plot, self._motion.value))

    def _on_finger(self, change: Any) -> None:
        """Keep the joint and the motion where the other finger has them too."""
        words = self._motion.label
        angles = by_finger()[change["new"]]
        self._motion.options = [(angle.words, angle) for angle in angles]
        self._motion.value = next((angle for angle in angles if angle.words == words), angles[0])

    def _on_motion(self, change: Any) -> None:
        if change["new"] is not None:
            self._plotting.submit((self.plot, change["new"]))

    # In the background --------------------------------------------------------------------------------------------

    def _draw(self, wanted: tuple[Plot, JointAngle]) -> None:
        plot, angle = wanted
        self._model = self._model or HandModel()  # here, so that opening the map does not wait for it
        if self._known.backdrop is None:
            self._know(backdrop=Backdrop.of(self._store))
        backdrop = self._known.backdrop
        assert backdrop is not None
        if plot == "violin":
            spread = backdrop.angles(angle)
            title = f"{angle.finger}, {angle.words}"
            self.figure.markup = violins(spread.strips, title=title, unit="°", span=spread.span)
            self._know(spread=spread)
        elif plot == "energy":
            self._draw_energies()
        elif self.map is not None and self.map.principal is None:
            self.map.lay_out()
        self._judge_again()

    def _draw_energies(self) -> None:
        prior, held_out = self._known.prior, self._known.held_out
        if prior is None:
            self.figure.markup = '<div class="hp-empty">Energies come with the first checkpoint.</div>'
            return
        if held_out is None:
            self.figure.markup = '<div class="hp-empty">Scoring held-out poses of each dataset…</div>'
            held_out = HeldOut.of(prior, self._store, go_on=lambda: self._wants_energies_of(prior))
            if not self._wants_energies_of(prior):
                return  # asked for again when it is wanted
            if not held_out.strips:
                self.figure.markup = _NO_ENERGY
                return
            self._know(held_out=held_out)
        among, all_of = len(held_out.strips), len(self._known.backdrop.datasets) if self._known.backdrop else 0
        without = all_of - among
        note = f"{without} more dataset{'s' if without > 1 else ''} without held-out poses" if without > 0 else ""
        self.figure.markup = violins(held_out.strips, title=ENERGY_TITLE, unit=" nats", span=held_out.span, note=note)

    def _wants_energies_of(self, prior: Prior) -> bool:
        return not self._ended and self.plot == "energy" and self._known.prior is prior

    def _score(self, prior: Prior) -> None:
        energies = held_out_energies(prior, self._store)
        span = energy_span(energies)
        self.gauge.markup = gauge(energies, span) if len(energies) else _NO_ENERGY
        self._know(prior=prior, energies=energies, energy_span=span, held_out=None)
        if self.plot == "energy":
            self._plotting.submit((self.plot, self._motion.value))
        self._judge_again()

    def _know(self, **new: Any) -> None:
        with self._learning:
            self._known = replace(self._known, **new)

    def _judge_again(self) -> None:
        if self._pose is not None:
            self._judging.submit(self._pose)

    def _judge(self, pose: Float[np.ndarray, "dim"]) -> None:
        known = self._known
        energy = None
        if known.prior is not None and known.energies is not None and len(known.energies):
            with torch.no_grad():
                energy = float(known.prior.energy(torch.from_numpy(pose)))
            mark = {"--mark": position(energy, known.energy_span)}
            self.gauge.mark(mark, {"verdict": verdict(energy, known.energies)})
        if self.plot == "violin" and known.spread is not None:
            degrees = float(known.spread.angle.measure(pose))
            text = minus(f"this pose: {degrees:.0f}°, ") + known.spread.verdict(degrees)
            self.figure.mark({"--mark": position(degrees, known.spread.span)}, {"mark": text})
        elif self.plot == "energy" and energy is not None and known.held_out is not None:
            assert known.energies is not None
            text = "; ".join(filter(None, [verdict(energy, known.energies), known.held_out.least_unusual(energy)]))
            self.figure.mark({"--mark": position(energy, known.held_out.span)}, {"mark": f"this pose: {text}"})
        elif self.plot == "map" and self.map is not None:
            self.map.mark(pose)
