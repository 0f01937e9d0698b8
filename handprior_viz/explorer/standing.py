"""Where a pose stands among real ones: how usual it is to the prior, and its place in three plots, live."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import ipywidgets as W
import numpy as np
import torch
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
from handprior_viz.angle_menus import FIRST_ANGLE, AngleMenus
from handprior_viz.explorer.backdrop import AngleSpread, Backdrop, energy_span, held_out_energies
from handprior_viz.explorer.hand_shelf import OnPose
from handprior_viz.explorer.held_out import HeldOut
from handprior_viz.explorer.map_view import MapView
from handprior_viz.explorer.violins import violins
from handprior_viz.figures import gauge, minus, position, verdict
from handprior_viz.joint_angles import JointAngle
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import column, row
from training.prior import Prior

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
    usual: dict[bool, Usual] = field(default_factory=dict)
    held_out: HeldOut | None = None


@dataclass(frozen=True, eq=False)
class Usual:
    """Energies of held-out poses, nats per frame, and the ends of a plot of them."""

    energies: Float[np.ndarray, "poses"]
    span: tuple[float, float]

    @classmethod
    def of(cls, prior: Prior, store: PoseStore, *, exact: bool) -> Usual:
        """Score held-out poses as they are (``exact``), or as the prior sees them."""
        energies = held_out_energies(prior, store, exact=exact)
        return cls(energies, energy_span(energies))


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
        self._shown: tuple[Float[np.ndarray, "dim"], bool] | None = None
        self._gauged: Usual | None = None
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

    def show(self, pose: Float[np.ndarray, "dim"], *, exact: bool = False) -> None:
        """Mark where a pose stands; returns at once.

        Args:
            pose: Radians.
            exact: It was set as it is, and is compared with held-out poses as they are. Otherwise the prior has made
                it, and it is compared with held-out poses as the prior sees them: a VAE leaves out what it takes for
                noise, so that whatever it makes is more likely than any real frame.
        """
        self._shown = (pose, exact)
        self._judging.submit(self._shown)

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
        self._plots = W.ToggleButtons(
            options=[(label, plot) for plot, (label, _) in PLOTS.items()],
            tooltips=[about for _, about in PLOTS.values()],
            value=self.plot,
            style={"button_width": "auto"},
        )
        self._angles = AngleMenus(lambda angle: self._plotting.submit((self.plot, angle)))
        self._plots.observe(self._on_plot, "value")
        where = W.Label("Where this pose stands among the datasets:")
        return row(where, self._plots, self._angles.finger, self._angles.motion, classes=["hp-standing-menus"])

    def _on_plot(self, change: Any) -> None:
        self.plot = change["new"]
        for menu in (self._angles.finger, self._angles.motion):
            menu.layout.display = None if self.plot == "violin" else "none"
        if self.plot == "map" and self.map is None:
            self.map = MapView(self._store, self._model, on_pose=self._on_pose, on_error=self._on_error)
            self.strips.children = (self.figure, self.map.widget)
        self.figure.layout.display = "none" if self.plot == "map" else None
        if self.map is not None:
            self.map.widget.layout.display = None if self.plot == "map" else "none"
        self._plotting.submit((self.plot, self._angles.angle))

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
        seen = Usual.of(prior, self._store, exact=False)
        exact = Usual.of(prior, self._store, exact=True) if prior.is_bound else seen
        self._know(prior=prior, usual={False: seen, True: exact}, held_out=None)
        if self.plot == "energy":
            self._plotting.submit((self.plot, self._angles.angle))
        self._judge_again()

    def _know(self, **new: Any) -> None:
        with self._learning:
            self._known = replace(self._known, **new)

    def _judge_again(self) -> None:
        if self._shown is not None:
            self._judging.submit(self._shown)

    def _judge(self, shown: tuple[Float[np.ndarray, "dim"], bool]) -> None:
        known, (pose, exact) = self._known, shown
        energy = None
        if known.prior is not None:
            usual = known.usual[exact]
            if usual is not self._gauged:
                self._gauged = usual
                self.gauge.markup = gauge(usual.energies, usual.span) if len(usual.energies) else _NO_ENERGY
            if len(usual.energies):
                energy = _energy(known.prior, pose)
                mark = {"--mark": position(energy, usual.span)}
                self.gauge.mark(mark, {"verdict": verdict(energy, usual.energies)})
        if self.plot == "violin" and known.spread is not None:
            degrees = float(known.spread.angle.measure(pose))
            text = minus(f"this pose: {degrees:.0f}°, ") + known.spread.verdict(degrees)
            self.figure.mark({"--mark": position(degrees, known.spread.span)}, {"mark": text})
        elif self.plot == "energy" and energy is not None and known.held_out is not None:
            assert known.prior is not None
            if exact and known.prior.is_bound:  # this plot shows held-out poses as the prior sees them
                energy = _energy(known.prior, pose, seen=True)
            said = [verdict(energy, known.usual[False].energies), known.held_out.least_unusual(energy)]
            text = "; ".join(filter(None, said))
            self.figure.mark({"--mark": position(energy, known.held_out.span)}, {"mark": f"this pose: {text}"})
        elif self.plot == "map" and self.map is not None:
            self.map.mark(pose)


@torch.no_grad()
def _energy(prior: Prior, pose: Float[np.ndarray, "dim"], *, seen: bool = False) -> float:
    """Nats of one pose as it is, or as the prior sees it."""
    one = torch.from_numpy(pose)
    return float(prior.energy(prior.decode(prior.encode(one)) if seen else one))
