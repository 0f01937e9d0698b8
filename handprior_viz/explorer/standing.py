"""Where a pose stands among real ones: how usual it is to the prior, and its place in three plots, live."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import ipywidgets as W
import numpy as np
from jaxtyping import Float

from data_tools.hand_model import HandModel, default_hand_model
from data_tools.store import PoseStore
from handprior_viz.angle_menus import FIRST_ANGLE, AngleMenus
from handprior_viz.explorer.backdrop import Backdrop
from handprior_viz.explorer.comparison import Comparison, Placed, Usual, energy_of
from handprior_viz.explorer.hand_shelf import OnPose
from handprior_viz.explorer.held_out import HeldOut
from handprior_viz.explorer.map_view import MapView
from handprior_viz.figures import gauge, minus, position, verdict, violins
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

_COMPARED = {False: "poses as the prior sees them, as it made this one", True: "poses as they are, as this one is"}
_NO_ENERGY = '<div class="hp-empty">This prior gives no held-out pose a likelihood: train it longer, or anew.</div>'


class Standing:
    """A gauge of plausibility, and a choice of plots with the pose last shown marked: violins of one joint angle by
    dataset, energies of held-out poses by dataset, and a map of all poses.

    Sampling the store, scoring held-out poses and laying out the map happen in the background, the last only when it is
    chosen; a pose that is shown only moves the marks.

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
        self._known = Comparison()
        self._shown: Placed | None = None
        self._gauged: Usual | None = None
        self._plotted: HeldOut | None = None
        self._newest: Prior | None = None
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
        self._shown = Placed(pose, exact)
        self._judging.submit(self._shown)

    def use(self, prior: Prior) -> None:
        """Judge plausibility by this prior; returns at once."""
        self._newest = prior
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
        paces = (self._scoring, self._judging, self._plotting, self._judging)  # what is judged may plot, and be judged
        return all(pace.settle(timeout) for pace in paces) and (self.map is None or self.map.settle(timeout))

    def close(self) -> None:
        """End the threads and let the poses go; the widgets belong to the panel that shows them."""
        self._ended = True
        for pace in (self._plotting, self._scoring, self._judging):
            pace.close()
        if self.map is not None:
            self.map.close()
        self._known, self._plotted, self._newest = Comparison(), None, None

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
        self._plot_again()

    # In the background --------------------------------------------------------------------------------------------

    def _draw(self, wanted: tuple[Plot, JointAngle]) -> None:
        plot, angle = wanted
        self._model = self._model or default_hand_model()  # here, so that opening the map does not wait for it
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
        known = self._known
        among = known.among(self._shown)
        held_out = self._plotted = known.held_out.get(among)
        if known.prior is None:
            self.figure.markup = '<div class="hp-empty">Energies come with the first checkpoint.</div>'
        elif held_out is None:
            self.figure.markup = '<div class="hp-empty">Scoring held-out poses of each dataset…</div>'
        elif not held_out.strips:
            self.figure.markup = _NO_ENERGY
        else:
            without = len(self._store.datasets) - len(held_out.strips)
            notes = [_COMPARED[among]] if known.prior.is_bound else []
            notes += [f"{without} more dataset{'s' if without > 1 else ''} without held-out poses"] if without else []
            self.figure.markup = violins(
                held_out.strips, title=ENERGY_TITLE, unit=" nats", span=held_out.span, note="; ".join(notes)
            )

    def _score(self, prior: Prior) -> None:
        """Score held-out poses of the whole store, for the gauge; then as many of each dataset, for the rest."""
        ways = (False, True) if prior.is_bound else (False,)
        usual = {exact: Usual.of(prior, self._store, exact=exact) for exact in ways}
        self._know(prior=prior, usual=usual, held_out={})
        self._learnt()
        for exact in ways:
            held_out = HeldOut.of(prior, self._store, go_on=lambda: self._goes_on_with(prior), exact=exact)
            if not self._goes_on_with(prior):
                return
            self._know(held_out={**self._known.held_out, exact: held_out})
            self._learnt()

    def _goes_on_with(self, prior: Prior) -> bool:
        return not self._ended and self._newest is prior

    def _know(self, **new: Any) -> None:
        with self._learning:
            self._known = replace(self._known, **new)

    def _learnt(self) -> None:
        """Show what is known now."""
        if self.plot == "energy":
            self._plot_again()
        else:
            self._judge_again()

    def _plot_again(self) -> None:
        self._plotting.submit((self.plot, self._angles.angle))

    def _judge_again(self) -> None:
        if self._shown is not None:
            self._judging.submit(self._shown)

    def _judge(self, shown: Placed) -> None:
        known, pose = self._known, shown.pose
        among = known.among(shown)
        held_out = known.held_out.get(among)
        said, energy = "", None
        if known.prior is not None:
            said, energy = self._gauge(known.prior, pose, known.usual[among], held_out)
        if self.plot == "violin" and known.spread is not None:
            degrees = float(known.spread.angle.measure(pose))
            text = minus(f"this pose: {round(degrees)}°, ") + known.spread.verdict(degrees)
            self.figure.mark({"--mark": position(degrees, known.spread.span)}, {"mark": text})
        elif self.plot == "energy" and held_out is not self._plotted:
            self._plot_again()  # which judges again
        elif self.plot == "energy" and energy is not None and held_out is not None:
            self.figure.mark({"--mark": position(energy, held_out.span)}, {"mark": f"this pose: {said}"})
        elif self.plot == "map" and self.map is not None:
            self.map.mark(pose)

    def _gauge(
        self, prior: Prior, pose: Float[np.ndarray, "dim"], usual: Usual, held_out: HeldOut | None
    ) -> tuple[str, float | None]:
        """Show how usual a pose is, and for which dataset most; returns the words, and its energy in nats."""
        if usual is not self._gauged:
            self._gauged = usual
            self.gauge.markup = gauge(usual.energies, usual.span) if len(usual.energies) else _NO_ENERGY
        if not len(usual.energies):
            return "", None
        energy = energy_of(prior, pose)
        least = held_out.least_unusual(energy) if held_out is not None and held_out.strips else ""
        said = "; ".join(filter(None, [verdict(energy, usual.energies), least]))
        self.gauge.mark({"--mark": position(energy, usual.span)}, {"verdict": said})
        return said, energy
