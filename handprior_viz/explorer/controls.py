"""The explorer's controls: sliders for latent axes, what samples are to be like, and the way between pinned poses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as W

from handprior_viz.explorer.state import ExplorerState, Pin
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.panel import button, column, row, set_enabled
from handprior_viz.slider_rack import Slider, SliderRack
from training.latent_axes import LatentAxis

LEADING_AXES = 8
"""Axes shown at first: those that move the hands most."""

REACH = 3.0
"""Sliders go this many standard deviations to either side: 99.7 % of a normal axis."""


class AxisSliders:
    """Sliders for latent axes, the ones that move the hands most first.

    Args:
        on_move: Called with the axis' index in the latent, its value in standard deviations, and the gesture.

    Attributes:
        widget: What to show.
    """

    def __init__(self, on_move: Callable[[int, float, int], object]) -> None:
        self._axes: Sequence[LatentAxis] = ()
        self.rack = SliderRack([], on_move=lambda rank, value, gesture: on_move(self._axes[rank].index, value, gesture))
        self.all = W.ToggleButton(
            description="All axes",
            tooltip="Show every axis, the ones that move the hands most first",
            layout={"width": "auto"},
        )
        self.all.observe(lambda _: self._rebuild(), "value")
        self._latent: Sequence[float] = ()
        self._named = False
        scrolled = column(self.rack, classes=["hp-scroll"])
        scrolled.layout.max_height = "390px"
        self._about = LiveMarkup(_AXES)
        self.widget = column(self._about, scrolled, row(self.all))

    @property
    def shown(self) -> Sequence[LatentAxis]:
        """The axes that have a slider."""
        return self._axes if self.all.value else self._axes[:LEADING_AXES]

    def use(self, axes: Sequence[LatentAxis], *, named: bool = True) -> None:
        """Show sliders for these axes; say that names are still to come where they are not ``named``."""
        self._axes, self._named = axes, named
        if len(self._latent) != len(axes):
            self._latent = [0.0] * len(axes)
        self._about.markup = _AXES if named else _NAMING
        self.all.description = f"All {len(axes)} axes"
        self.all.layout.display = "none" if len(axes) <= LEADING_AXES else None
        self._rebuild()

    def show(self, latent: Sequence[float]) -> None:
        """Put the sliders where a latent is."""
        self._latent = latent
        self.rack.show([latent[axis.index] for axis in self.shown])

    def _rebuild(self) -> None:
        sliders = [_slider(rank, axis, self._named) for rank, axis in enumerate(self.shown)]
        self.rack.show([self._latent[axis.index] for axis in self.shown], sliders)


def _slider(rank: int, axis: LatentAxis, named: bool) -> Slider:
    label, title = axis.label, "What it does is being found out"
    if named:
        label = f"{rank + 1}\N{EN SPACE}{axis.label}"
        title = (
            f"{axis.label}: latent axis {axis.index + 1}; from −2 to +2 sd a joint turns {axis.effect:.0f}° on average"
        )
    return Slider(label, -REACH, REACH, unit="sd", signed=True, title=title)


class ConditionPicker:
    """What samples are to be like, where a prior has learnt kinds of poses; not there for other priors.

    Attributes:
        widget: What to show.
    """

    def __init__(self) -> None:
        self.widget = W.Dropdown(
            description="like",
            tooltip="What samples are to be like: the kinds of poses that this prior has learnt apart",
            style={"description_width": "2em"},
            layout={"width": "200px"},
        )
        self.use(())

    @property
    def chosen(self) -> str | None:
        """A kind of poses, or None for all poses."""
        return self.widget.value

    def use(self, names: Sequence[str]) -> None:
        """Offer these kinds; what was chosen stays where it is among them."""
        chosen = self.widget.value if self.widget.value in names else None
        self.widget.options = [("all poses", None), *((name, name) for name in names)]
        self.widget.value = chosen
        self.widget.layout.display = None if names else "none"


class WalkBar:
    """Pins A and B, the way between them, and play.

    Args:
        on_pin: Called with ``a`` or ``b``.
        on_unpin: Called with the pin that is to be taken off.
        on_walk: Called with the position, 0 to 1, and the gesture.
        on_play: Called when play or pause is pressed.

    Attributes:
        widget: What to show.
    """

    def __init__(
        self,
        *,
        on_pin: Callable[[Pin], object],
        on_unpin: Callable[[Pin], object],
        on_walk: Callable[[float, int], object],
        on_play: Callable[[], object],
    ) -> None:
        self.pins: dict[Pin, W.Button] = {
            "a": button("Pin A", "", lambda: on_pin("a"), icon="map-pin"),
            "b": button("Pin B", "", lambda: on_pin("b"), icon="map-pin"),
        }
        self.unpins: dict[Pin, W.Button] = {
            "a": button("", "Let go of the pose pinned as A", lambda: on_unpin("a"), icon="times"),
            "b": button("", "Let go of the pose pinned as B", lambda: on_unpin("b"), icon="times"),
        }
        way = Slider("A → B", 0, 100, 1, unit="%", digits=0, title="Walk from pin A to pin B")
        self.way = SliderRack([way], on_move=lambda _, value, gesture: on_walk(value / 100, gesture))
        self.way.add_class("hp-way")
        self.play = button("Play", "", on_play, icon="play")
        wide = column(self.way, classes=["hp-explorer-way"])
        pairs = [W.HBox([self.pins[name], self.unpins[name]]) for name in self.pins]
        for pair in pairs:
            pair.add_class("hp-explorer-pin")
        self.widget = row(*pairs, wide, self.play, classes=["hp-tight"])

    def show(self, state: ExplorerState) -> None:
        """Bring the bar in line with a state."""
        self.way.show([100 * (state.position or 0.0)])
        pinned = {"a": state.now.pin_a, "b": state.now.pin_b}
        missing = " and ".join(name.upper() for name, at in pinned.items() if at is None)
        self.way.disabled = f"Pin a pose as {missing} first" if missing else ""
        set_enabled(self.play, state.can_walk, "Walk from A to B and back", f"Pin a pose as {missing} first")
        for name, made in self.pins.items():
            kept = pinned[name] is not None
            made.tooltip = (_PIN_AGAIN if kept else _PIN).format(name.upper())
            (made.add_class if kept else made.remove_class)("hp-explorer-pinned")
            self.unpins[name].layout.display = None if kept else "none"

    def show_playing(self, playing: bool) -> None:
        """Say on the button what pressing it does."""
        self.play.description, self.play.icon = ("Pause", "pause") if playing else ("Play", "play")


_AXES = '<span class="hp-muted">Latent axes, in standard deviations (sd); double-click puts one back to zero</span>'
_NAMING = '<span class="hp-muted">Finding out what each latent axis does …</span>'
_PIN = "Keep the pose shown as {}, to walk between A and B"
_PIN_AGAIN = "A pose is pinned as {0}: keep the one shown in its place"
