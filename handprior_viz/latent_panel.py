"""The latent explorer: move the axes of a prior and see the hands, and where the pose stands among the datasets."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets as W
import numpy as np
import torch
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.pose_layout import hands_of
from data_tools.store import PoseStore
from handprior_viz.explorer.controls import AxisSliders, ConditionPicker, WalkBar
from handprior_viz.explorer.explored import Explored
from handprior_viz.explorer.standing import Standing
from handprior_viz.explorer.state import Blend, ExplorerState, Latent, Pin
from handprior_viz.hand_view import HandView
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import Every, LatestWins
from handprior_viz.panel import Panel, button, column, row, set_enabled
from training.latent_axes import LatentAxis, name_axes
from training.prior import Prior
from training.run_folder import RunFolder

STEP_SIZE = 0.5
"""Standard deviations of the small random step, on every axis."""

PICTURES_PER_SECOND = 30
WALK_SECONDS = 3.0

FOLLOW_SECONDS = 2.0
"""How often a run that still trains is asked for something better."""


class LatentExplorer(Panel):
    """A prior's latent space, with live hands.

    A run that is still training can be explored too: the explorer waits for its first checkpoint without blocking the
    notebook, does then what it was asked to do meanwhile, and takes over each better checkpoint.

    Example:
        >>> explorer = LatentExplorer("demo/runs/hand_vae-...")      # doctest: +SKIP
        >>> explorer.sample(seed=1)                                   # doctest: +SKIP
        >>> explorer.pose                                             # (90,) radians; doctest: +SKIP

    Args:
        prior: A prior, or a run (or its folder).
        store: What to compare poses with; for a run, the store it was trained on if that is still there.
        model: Hand model to draw with; the user's licensed one if there is one, else the open hand.

    Attributes:
        prior: The prior, or None while there is no checkpoint yet.
        axes: Its latent axes, the one that moves the hands most first.

    Raises:
        FileNotFoundError: The run has no checkpoint, and trains no more.
        ValueError: The store's poses are not the prior's.
    """

    def __init__(
        self,
        prior: Prior | RunFolder | str | Path,
        store: PoseStore | str | Path | None = None,
        model: HandModel | None = None,
    ) -> None:
        self.prior: Prior | None = None
        self.axes: list[LatentAxis] = []
        self._state: ExplorerState | None = None
        self._asked: list[Callable[[], object]] = []
        self._random = np.random.default_rng()
        self._player: Every | None = None
        self._ghost: Latent | None = None
        self._explored = Explored(prior, store)
        self.run, self.store = self._explored.run, self._explored.store
        super().__init__()
        self.view = HandView(model, height=430, synthetic=self._explored.synthetic)
        self._build()
        self._drawing = LatestWins(self._draw, on_error=self.tell, name="explorer-draw")
        self.ends_with(self.view, self._drawing, *([self._standing] if self._standing else []), _Calling(self.pause))
        if self._explored.first is not None:
            self._adopt(self._explored.first)
        if self._explored.still_trains:
            self._following = Every(FOLLOW_SECONDS, self._follow, name="explorer-follow")
            self.ends_with(self._following)

    # What is shown ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> ExplorerState:
        """Latent, pins and history.

        Raises:
            ValueError: There is no checkpoint to explore yet.
        """
        if self._state is None:
            raise ValueError(f"run {self.run.name if self.run else ''} has no checkpoint yet: nothing is shown")
        return self._state

    @property
    def latent(self) -> Float[np.ndarray, "latent_dim"]:
        """The latent shown, standard deviations."""
        return np.array(self.state.latent)

    @property
    def pose(self) -> Float[np.ndarray, "dim"]:
        """The pose shown, axis-angle in radians, mean hand included."""
        return self._decode(self.state.latent)

    def place(self, latent: Sequence[float]) -> None:
        """Show a latent.

        Raises:
            ValueError: Wrong number of axes, or not finite.
        """
        self._change(lambda state: state.placed(latent))

    def show_pose(self, pose: Float[np.ndarray, "dim"]) -> None:
        """Show the latent that the prior finds for a pose (radians, mean hand included): close to it, not equal."""
        self._change(lambda state: state.placed(self._encode(torch.from_numpy(np.array(pose, np.float32)))))

    def sample(self, seed: int | None = None, *, like: str | None = None) -> None:
        """Show a sample of the prior.

        Args:
            seed: For the same sample again.
            like: A kind of poses that the prior has learnt apart (``prior.condition_names``), such as ``GRAB``; all
                poses if not given.

        Raises:
            ValueError: The prior does not know that kind.
        """
        random = self._random if seed is None else np.random.default_rng(seed)

        def draw(state: ExplorerState) -> ExplorerState:
            if like is None:
                return state.placed(random.standard_normal(len(state.latent)).tolist())
            assert self.prior is not None
            generator = torch.Generator().manual_seed(int(random.integers(2**62)))
            return state.placed(self._encode(self.prior.sample(1, generator=generator, condition=like)[0]))

        self._change(draw)

    def step(self, seed: int | None = None) -> None:
        """Take a small random step from the latent shown."""
        random = self._random if seed is None else np.random.default_rng(seed)
        self._change(
            lambda state: state.placed((state.latent + STEP_SIZE * random.standard_normal(len(state.latent))).tolist())
        )

    def real_frame(self, seed: int | None = None) -> None:
        """Show a held-out frame of the store, as the prior sees it.

        Raises:
            ValueError: There is no store to take it from.
        """
        pose, said = self._explored.held_out_frame(self._random if seed is None else np.random.default_rng(seed))
        self.show_pose(pose)
        self.say(f"A held-out frame as the prior sees it: {said}.")

    def reset(self) -> None:
        """Back to the middle of the latent space."""
        self._change(ExplorerState.reset)

    def undo(self) -> None:
        """One step back."""
        self._change(ExplorerState.undone)

    def redo(self) -> None:
        """One undone step forward again."""
        self._change(ExplorerState.redone)

    def pin(self, pin: Pin) -> None:
        """Pin the pose shown as ``a`` or ``b``."""
        self._change(lambda state: state.pinned(pin))

    def walk(self, position: float) -> None:
        """Show the pose at ``position`` (0 to 1) of the way from pin A to pin B.

        Raises:
            ValueError: A pin is missing.
        """
        self._change(lambda state: state.walked(position))

    def blend(self, blend: Blend) -> None:
        """Walk ``linear`` or ``spherical``."""
        self._change(lambda state: state.blended(blend))

    def play(self) -> None:
        """Walk from A to B and back until told to pause.

        Raises:
            ValueError: A pin is missing.
        """
        with self._lock:  # the player's first call waits until it is known as the player
            start = self.state.position or 0.0
            self.walk(start)
            if self._player is None:
                began = time.monotonic() - WALK_SECONDS * start
                self._player = Every(1 / PICTURES_PER_SECOND, lambda: self._play_on(began), name="explorer-play")
            self._walk.show_playing(True)

    def pause(self) -> None:
        """Stay where the walk is."""
        player, self._player = self._player, None
        if player is not None:
            player.close()
        self._walk.show_playing(False)

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until what is shown is what the state says; False if that took longer than ``timeout`` s."""
        return self._drawing.settle(timeout) and (self._standing is None or self._standing.settle(timeout))

    # Widgets ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._sentence = LiveMarkup(self._explored.sentence(None))
        self._standing = Standing(self.store, on_error=self.tell) if self.store is not None else None
        self._axes = AxisSliders(self._on_axis)
        self._like = ConditionPicker()
        self._walk = WalkBar(
            on_pin=self._telling(self.pin),
            on_walk=self._telling(self._on_walk),
            on_play=self._telling(lambda: self.play() if self._player is None else self.pause()),
            on_blend=self._telling(self.blend),
        )
        left = column(self.view, self._toolbar())
        left.layout.flex = "1 1 440px"
        right = column(self._axes.widget, *([self._standing.gauge] if self._standing else []), self._walk.widget)
        right.layout.flex = "1 1 420px"
        middle = row(left, right, classes=["hp-explorer"])
        below = [self._standing.menus, self._standing.strips] if self._standing else [LiveMarkup(_NO_STORE)]
        self.arrange(self._sentence, middle, *below)

    def _toolbar(self) -> W.Widget:
        self._undo = button("Undo", "Take the last step back", self.undo, icon="undo")
        self._redo = button("Redo", "Take the undone step again", self.redo, icon="repeat")
        tools = [
            self._undo,
            self._redo,
            button("Reset", "Back to the middle of the latent space", self.reset),
            button("Sample", "A pose drawn from the prior", self._telling(self._on_sample), main=True),
            self._like.widget,
            button("Random step", f"A small step from here: {STEP_SIZE:g} sd on every axis, at random", self.step),
        ]
        if self.store is not None:
            about = "A held-out frame of the store, encoded and decoded by the prior"
            tools.append(button("Real frame", about, self._telling(self.real_frame)))
        return row(*tools, classes=["hp-tight"])

    def _on_sample(self) -> None:
        self.sample(like=self._like.chosen)

    def _on_axis(self, axis: int, value: float, gesture: int) -> None:
        self._change(lambda state: state.moved(axis, value, gesture=("axes", gesture, axis)))

    def _on_walk(self, position: float, gesture: int) -> None:
        self._change(lambda state: state.walked(position, gesture=("walk", gesture)))

    def _telling(self, action: Callable[..., object]) -> Callable[..., None]:
        def told(*arguments: object) -> None:
            with self.telling():
                action(*arguments)

        return told

    # State to picture ---------------------------------------------------------------------------------------------

    def _change(self, step: Callable[[ExplorerState], ExplorerState]) -> None:
        with self._lock:
            if self.closed:
                return
            if self._state is None:
                self._asked.append(lambda: self._change(step))
                return
            before, self._state = self._state, step(self._state)
            if self._state.latent != before.latent:
                self.say()
            self._show(self._state)

    def _show(self, state: ExplorerState) -> None:
        """Ask for the hands, and bring the controls in line; sends only what has changed."""
        self._drawing.submit(state)
        self._axes.show(state.latent)
        self._walk.show(state)
        set_enabled(self._undo, state.can_undo, "Take the last step back", "Nothing to take back yet")
        set_enabled(self._redo, state.can_redo, "Take the undone step again", "Nothing was undone")

    def _play_on(self, began: float) -> bool:
        phase = (time.monotonic() - began) / WALK_SECONDS % 2
        with self._lock:
            if self._player is None:
                return False
            if not self.state.can_walk:  # a pin was taken back meanwhile
                self.pause()
                return False
            self._change(lambda state: state.walked(phase if phase <= 1 else 2 - phase))
        return True

    def _decode(self, latent: Latent) -> Float[np.ndarray, "dim"]:
        assert self.prior is not None
        with torch.no_grad():
            return self.prior.decode(torch.tensor(latent, dtype=torch.float32)).numpy()

    def _encode(self, pose: Float[torch.Tensor, "dim"]) -> list[float]:
        assert self.prior is not None
        with torch.no_grad():
            latent: list[float] = self.prior.encode(pose).double().tolist()
        return latent

    def _draw(self, state: ExplorerState) -> None:
        pose = self._decode(state.latent)
        self.view.show(hands_of(pose))
        pinned = state.now.pin_a
        self._show_ghost(None if pinned is None or pinned == state.latent else pinned)
        if self._standing is not None:
            self._standing.show(pose)

    def _show_ghost(self, latent: Latent | None) -> None:
        if latent != self._ghost:
            self._ghost = latent
            self.view.ghost(None if latent is None else hands_of(self._decode(latent)))

    # Following a training -----------------------------------------------------------------------------------------

    def _follow(self) -> bool:
        """Take over a better checkpoint if there is one; False when the training has ended."""
        assert self.run is not None
        alive = self.run.is_alive()
        with self.telling():
            better = self._explored.better()
            if better is not None:
                self._adopt(better)
            elif not alive and self.prior is None:
                told = self.run.status().get("message", "")
                self.say(f"Run {self.run.name} ended without a checkpoint: {told}", "error")
        if not alive:
            self._sentence.markup = self._explored.sentence(self.prior)
        return alive

    def _adopt(self, prior: Prior) -> None:
        """Explore this prior from now on; latents and pins stay where they are."""
        prior.eval()
        axes = name_axes(prior)
        with self._lock:
            self.prior, self.axes, self._ghost = prior, axes, None
            self._state = self._state or ExplorerState.start(prior.latent_dim)
            self._sentence.markup = self._explored.sentence(self.prior)
            self._axes.use(axes, self._state.latent)
            self._like.use(prior.condition_names)
            self._show(self._state)
            asked, self._asked = self._asked, []
            for ask in asked:
                with self.telling():
                    ask()
        if self._standing is not None:
            self._standing.use(prior)


class _Calling:
    """Something whose closing is a call."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.close = call


_NO_STORE = '<div class="hp-empty">Give a store to see where the pose stands: LatentExplorer(prior, store="…").</div>'
