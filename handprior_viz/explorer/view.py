"""Everything that the latent explorer shows, wired to the exploration behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import ipywidgets as W
import numpy as np
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.pose_layout import POSE_DIM, hands_of
from handprior_viz.explorer.controls import AxisSliders, ConditionPicker, WalkBar
from handprior_viz.explorer.exploration import Exploration, Step
from handprior_viz.explorer.explored import Explored
from handprior_viz.explorer.joint_sliders import JointSliders, turned
from handprior_viz.explorer.look_bar import LookBar
from handprior_viz.explorer.neighbours import Neighbours
from handprior_viz.explorer.prior_view import PriorView, SeenLine
from handprior_viz.explorer.shortcuts import Shortcuts
from handprior_viz.explorer.shown import NotFoundYet, Shown
from handprior_viz.explorer.standing import Standing
from handprior_viz.explorer.state import ExplorerState
from handprior_viz.explorer.tabs import Tabs
from handprior_viz.explorer.toolbar import Toolbar
from handprior_viz.explorer.walk_tab import WalkTab
from handprior_viz.export.menu import ExportMenu
from handprior_viz.hand_view import HandView
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.panel import Panel, column, row
from handprior_viz.walk_player import Player
from training.prior import Prior


class ExplorerView:
    """The hands, the controls, and where the pose stands.

    Controls take their steps at once, or when the prior has found what they need: no callback waits for it.

    Args:
        panel: Where it is shown; errors are told there.
        exploration: What the controls move.
        explored: What is explored.
        model: Hand model to draw with.
        on_sample: Called with what the sample is to be like, or None.
        on_step: Called for a small random step.
        on_frame: Called for a real frame; not offered without a store.
        on_pose: Called with a real pose that was chosen, and words for where it is from.

    Attributes:
        hands: The live hands.
        parts: Widgets to show one under the other.
    """

    def __init__(
        self,
        panel: Panel,
        exploration: Exploration,
        explored: Explored,
        model: HandModel | None,
        *,
        on_sample: Callable[[str | None], object],
        on_step: Callable[[], object],
        on_frame: Callable[[], object],
        on_pose: Callable[[Float[np.ndarray, "dim"], str], object],
    ) -> None:
        self._panel, self._exploration, self._explored = panel, exploration, explored
        self._shown: Shown | None = None
        self._ghost: Shown | None = None
        self._against: Shown | None = None
        self._body = False
        self.hands = HandView(model, height=470, synthetic=explored.synthetic)
        self._build_controls()
        self._build_comparisons(model, on_pose)
        like = self.like = ConditionPicker()
        self.toolbar = Toolbar(
            on_undo=self._undo,
            on_redo=self._redo,
            on_reset=lambda: self._take(ExplorerState.reset),
            on_sample=lambda: on_sample(like.chosen),
            on_step=on_step,
            on_frame=self._telling(on_frame) if explored.store is not None else None,
            like=like.widget,
            more=[self.look.widget, self.export.widget, Shortcuts(on_undo=self._undo, on_redo=self._redo)],
        )
        self.parts = self._arranged()

    def label(self) -> None:
        """Say what is explored, and what its axes do as far as that is known."""
        prior = self._exploration.prior
        self.sentence.markup = self._explored.sentence(prior)
        self.like.use(prior.condition_names if prior else ())
        self.axes.use(self._exploration.axes, named=self._exploration.named)

    def show(self, state: ExplorerState) -> None:
        """Bring the controls in line with a state; sends only what has changed."""
        if state.shown != self._shown:
            self._shown = state.shown
            self._panel.say()
        if state.shown.by == "latent":
            self.seen.made_by_the_prior()
        if state.shown.by == "latent" or state.shown.complete:
            self.axes.show(state.latent)
        self.walk.show(state)
        self.toolbar.show(state)
        if self.tabs.chosen == "Walk" and self._exploration.prior is not None:
            self.ways.show(self._exploration.prior, state)

    def draw(self, state: ExplorerState, pose: Float[np.ndarray, "dim"]) -> None:
        """Draw the hands, and show where the pose (radians) stands."""
        if self.look.body.value != self._body:
            self._body = self.look.body.value
            self._ghost = self._against = None  # these go with the figure
            self.hands.show_body(self._body)
        self.hands.show(_drawn(pose))
        self._draw_others(state)
        if self.tabs.chosen == "Joints":
            self.joints.show(pose)
        if self.tabs.chosen == "Neighbours":
            self.neighbours.show(pose)
        if self.standing is not None:
            self.standing.show(pose, exact=state.shown.by == "pose")

    def _draw_others(self, state: ExplorerState) -> None:
        """Draw the pinned pose see-through, and colour the hands by how far they are from another pose."""
        pinned = state.now.pin_a if state.now.pin_a != state.shown else None
        if pinned != self._ghost:
            self._ghost = pinned
            self.hands.ghost(None if pinned is None else _drawn(self._exploration.pose_of(pinned)))
        try:
            against = self.look.compared_with(state)
        except NotFoundYet:
            return  # drawn again when it is found
        if against != self._against:
            self._against = against
            self.hands.difference(None if against is None else _drawn(self._exploration.pose_of(against)))

    def compare(self, shown: Shown) -> None:
        """Say how close the prior comes to a pose that was set as such."""
        seen = self._exploration.pose_of(Shown.at(shown.latent))
        view = PriorView.of(np.array(shown.pose, np.float32), seen)
        with self._exploration.lock:
            state = self._exploration.state
            if state is not None and state.shown == shown:
                self.seen.tell(view)
        if self.look.colour.value == "prior":
            self._exploration.show_again()

    def use(self, prior: Prior) -> None:
        """Draw all anew, for another prior: what is drawn beside the pose is not what this one makes of it."""
        self._ghost = self._against = None
        self.look.use(prior.dim)
        if self.standing is not None:
            self.standing.use(prior)

    def settle(self, timeout: float) -> bool:
        """Wait until everything that was asked for is shown."""
        return all(part.settle(timeout) for part in self._slow)

    def close(self) -> None:
        """End the threads; the widgets belong to the panel."""
        self.player.close()
        for part in self._slow:
            part.close()

    # Building -----------------------------------------------------------------------------------------------------

    def _build_controls(self) -> None:
        self.sentence = LiveMarkup(self._explored.sentence(None))
        self.seen = SeenLine(lambda: self._take(lambda state: state.placed(state.latent)))
        self.axes = AxisSliders(
            lambda axis, value, gesture: self._take(
                lambda state: state.moved(axis, value, gesture=("axes", gesture, axis))
            )
        )
        self.joints = JointSliders(
            lambda angles, degrees, gesture: self._take(turned(angles, degrees, ("joints", gesture, *angles)))
        )
        self.walk = WalkBar(
            on_pin=lambda pin: self._take(lambda state: state.pinned(pin)),
            on_unpin=lambda pin: self._take(lambda state: state.unpinned(pin)),
            on_walk=lambda at, gesture: self._take(lambda state: state.walked(at, gesture=("walk", gesture))),
            on_play=self._telling(self._play),
        )
        self.player = Player(self._play_on, self.walk.show_playing)
        self.look = LookBar(self._exploration.show_again)

    def _build_comparisons(
        self, model: HandModel | None, on_pose: Callable[[Float[np.ndarray, "dim"], str], object]
    ) -> None:
        store, tell = self._explored.store, self._panel.tell
        chosen: dict[str, Any] = {"on_pose": self._telling(on_pose), "on_error": tell}
        self.standing = Standing(store, model=model, **chosen) if store is not None else None
        self.neighbours = Neighbours(store, model, synthetic=self._explored.synthetic, **chosen)
        self.ways = WalkTab(
            model,
            on_blend=lambda blend: self._take(lambda state: state.blended(blend)),
            on_stop=lambda blend, at: self._take(lambda state: state.blended(blend).walked(at)),
            synthetic=self._explored.synthetic,
            on_error=tell,
        )
        self.export = self._export_menu(model)
        self._slow: list[_Slow] = [self.neighbours, self.ways, self.export, self.hands]
        if self.standing is not None:
            self._slow.append(self.standing)

    def _export_menu(self, model: HandModel | None) -> ExportMenu:
        exploration, run = self._exploration, self._explored.run

        def shown() -> Shown:
            if exploration.state is None:
                raise ValueError("there is nothing to export before the first checkpoint")
            return exploration.state.shown

        return ExportMenu(
            current=lambda: exploration.pose_of(shown()),
            walk=lambda: exploration.walk_poses() if exploration.state and exploration.state.can_walk else None,
            prior=lambda: exploration.prior,
            latent=lambda: exploration.latent_of(shown()),
            model=model,
            store=self._explored.store,
            title=run.name if run else None,
            synthetic=self._explored.synthetic,
        )

    def _arranged(self) -> list[W.Widget]:
        self.tabs = Tabs(
            {
                "Axes": (self.axes.widget, "Move the prior's latent axes, the ones that move the hands most first"),
                "Joints": (self.joints.widget, "Turn one joint of a finger at a time"),
                "Neighbours": (self.neighbours.widget, "The real frames that come nearest to this pose"),
                "Walk": (self.ways.widget, "The ways from pin A to pin B side by side"),
            },
            on_open=lambda _: self._exploration.show_again(),  # shows what the tab had no need of while it was shut
        )
        standing = self.standing
        gauge = [standing.gauge] if standing else []
        left = column(self.hands, self.toolbar.widget, self.seen.widget)
        right = column(self.tabs.widget, *gauge, self.walk.widget)
        left.layout.flex, right.layout.flex = "1 1 440px", "1 1 420px"
        below = [standing.menus, standing.strips] if standing else [LiveMarkup(_NO_STORE)]
        return [self.sentence, row(left, right, classes=["hp-explorer"]), *below]

    # Controls -----------------------------------------------------------------------------------------------------

    def _take(self, step: Step) -> None:
        with self._panel.telling():
            self._exploration.change(step)

    def _undo(self) -> None:
        self._take(ExplorerState.undone)

    def _redo(self) -> None:
        self._take(ExplorerState.redone)

    def _play(self) -> None:
        state = self._exploration.state
        if self.player.playing or state is None:
            self.player.close()
            return
        start = state.position or 0.0
        self._exploration.change(lambda state: state.walked(start))
        self.player.play(start)

    def _play_on(self, position: float) -> bool:
        with self._exploration.lock:
            state = self._exploration.state
            if state is None or not state.can_walk:  # a pin was taken back meanwhile
                return False
            if not self._exploration.waits:
                self._exploration.change(lambda state: state.walked(position))
        return True

    def _telling(self, action: Callable[..., object]) -> Callable[..., None]:
        def told(*arguments: object) -> None:
            with self._panel.telling():
                action(*arguments)

        return told


class _Slow(Protocol):
    """A part that does its work in the background."""

    def settle(self, timeout: float) -> bool: ...

    def close(self) -> None: ...


def _drawn(pose: Float[np.ndarray, "dim"]) -> Float[np.ndarray, "columns"]:
    """The pose as the live view takes it: the whole of it, or both hands."""
    return pose if len(pose) == POSE_DIM else hands_of(pose)


_NO_STORE = '<div class="hp-empty">Give a store to see where the pose stands: LatentExplorer(prior, store="…").</div>'
