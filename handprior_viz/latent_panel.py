"""The latent explorer: move the axes of a prior or the joints of the hands, and see where the pose stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
from handprior_viz.explorer.exploration import WALK_STEPS, Exploration, Step
from handprior_viz.explorer.explored import Explored
from handprior_viz.explorer.joint_sliders import turned
from handprior_viz.explorer.state import ExplorerState, Pin
from handprior_viz.explorer.toolbar import STEP_SIZE
from handprior_viz.explorer.view import ExplorerView
from handprior_viz.explorer.walk import Blend
from handprior_viz.hand_view import HandView
from handprior_viz.joint_angles import JointAngle
from handprior_viz.pacing import Every, LatestWins
from handprior_viz.panel import Panel
from training.latent_axes import LatentAxis
from training.prior import Prior
from training.run_folder import RunFolder

FOLLOW_SECONDS = 2.0
"""How often a run that still trains is asked for something better."""


class LatentExplorer(Panel):
    """A prior's latent space, with live hands.

    Latent axes and finger joints move the same pose. A pose that was set as such - a joint turned, a real frame - is
    shown exactly, and a line says how close the prior comes to it; moving an axis goes on from what the prior found.

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
        self._random = np.random.default_rng()
        self._explored = Explored(prior, store)
        self.run, self.store = self._explored.run, self._explored.store
        super().__init__()
        self._exploration = Exploration(
            on_change=lambda state: self._view.show(state),
            on_pose=lambda state, pose: self._view.draw(state, pose),
            on_found=lambda shown: self._view.compare(shown),
            on_named=lambda: self._view.label(),
            on_error=self.tell,
        )
        self._sampling: LatestWins[str | None] = LatestWins(
            lambda like: self.sample(like=like), on_error=self.tell, name="explorer-sample"
        )
        self._view = ExplorerView(
            self,
            self._exploration,
            self._explored,
            model,
            on_sample=self._sampling.submit,
            on_step=lambda: self._exploration.change(self._stepped()),
            on_frame=self.real_frame,
            on_pose=self._load,
        )
        self.arrange(*self._view.parts)
        self.ends_with(self._view, self._exploration, self._sampling, self._view.player)
        if self._explored.first is not None:
            self._adopt(self._explored.first)
        if self._explored.still_trains:
            self.ends_with(Every(FOLLOW_SECONDS, self._follow, name="explorer-follow"))

    @property
    def view(self) -> HandView:
        """The live hands."""
        return self._view.hands

    # What is shown ------------------------------------------------------------------------------------------------

    @property
    def prior(self) -> Prior | None:
        """The prior, or None while there is no checkpoint yet."""
        return self._exploration.prior

    @property
    def axes(self) -> list[LatentAxis]:
        """The latent axes, the one that moves the hands most first; in the latent's order until that is known."""
        return self._exploration.axes

    @property
    def state(self) -> ExplorerState:
        """What is shown, pins and history.

        Raises:
            ValueError: There is no checkpoint to explore yet.
        """
        if self._exploration.state is None:
            raise ValueError(f"run {self.run.name if self.run else ''} has no checkpoint yet: nothing is shown")
        return self._exploration.state

    @property
    def latent(self) -> Float[np.ndarray, "latent_dim"]:
        """The latent shown, standard deviations; of a pose that was set as such, what the prior finds for it."""
        return self._exploration.latent_of(self.state.shown)

    @property
    def pose(self) -> Float[np.ndarray, "dim"]:
        """The pose shown, axis-angle in radians, mean hand included."""
        return self._exploration.pose_of(self.state.shown)

    def place(self, latent: Sequence[float]) -> None:
        """Show what the prior makes of a latent.

        Raises:
            ValueError: Wrong number of axes, or not finite.
        """
        self._change(lambda state: state.placed(latent))

    def show_pose(self, pose: Float[np.ndarray, "dim"]) -> None:
        """Show a pose exactly as it is (radians, mean hand included).

        Raises:
            ValueError: Not the prior's number of columns, or not finite.
        """
        self._change(lambda state: state.posed(self._checked(pose)))

    def as_prior(self) -> None:
        """Show the prior's own version of the pose shown: what it decodes from the latent it finds."""
        self._change(lambda state: state.placed(state.latent))

    def turn(self, angle: JointAngle, degrees: float) -> None:
        """Turn one joint of the pose shown, and nothing else.

        Args:
            angle: Which (:data:`handprior_viz.joint_angles.JOINT_ANGLES`).
            degrees: The angle to have.
        """
        self._change(turned([angle], degrees))

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
        if like is None:
            self._change(lambda state: state.placed(random.standard_normal(state.latent_dim).tolist()))
        elif self.prior is None:
            self._change(lambda state: state.posed(self._drawn(random, like)))
        else:
            pose = self._drawn(random, like)  # not while the state is locked: it may take its time
            self._change(lambda state: state.posed(pose))

    def step(self, seed: int | None = None) -> None:
        """Take a small random step from the latent shown."""
        self._change(self._stepped(seed))

    def real_frame(self, seed: int | None = None) -> None:
        """Show a held-out frame of the store, exactly as it is.

        Raises:
            ValueError: There is no store to take it from.
        """
        pose, said = self._explored.held_out_frame(self._random if seed is None else np.random.default_rng(seed))
        self._load(pose, said)

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

    def unpin(self, pin: Pin) -> None:
        """Take pin ``a`` or ``b`` off; a walk that plays ends."""
        self._change(lambda state: state.unpinned(pin))

    def walk(self, position: float) -> None:
        """Show the pose at ``position`` (0 to 1) of the way from pin A to pin B.

        Raises:
            ValueError: A pin is missing.
        """
        self._change(lambda state: state.walked(position))

    def walk_poses(self, steps: int = WALK_STEPS) -> Float[np.ndarray, "steps dim"]:
        """Poses on the way from pin A to pin B, both included, axis-angle in radians.

        Raises:
            ValueError: A pin is missing.
        """
        return self._exploration.walk_poses(steps)

    def blend(self, blend: Blend) -> None:
        """Walk ``linear``, ``spherical`` or by ``joint slerp``."""
        self._change(lambda state: state.blended(blend))

    def play(self) -> None:
        """Walk from A to B and back until told to pause.

        Raises:
            ValueError: A pin is missing.
        """
        start = self.state.position or 0.0
        self.walk(start)
        self._view.player.play(start)

    def pause(self) -> None:
        """Stay where the walk is."""
        self._view.player.close()

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until what is shown is what the state says; False if that took longer than ``timeout`` s."""
        return all(part.settle(timeout) for part in (self._sampling, self._exploration, self._view))

    # Steps --------------------------------------------------------------------------------------------------------

    def _change(self, step: Step) -> None:
        """Take a step as a line of code expects it: done when this returns."""
        self._exploration.change(step, at_once=True)

    def _load(self, pose: Float[np.ndarray, "dim"], said: str) -> None:
        self._exploration.change(lambda state: state.posed(self._checked(pose)))
        self.say(f"A real frame: {said}.")

    def _stepped(self, seed: int | None = None) -> Step:
        random = self._random if seed is None else np.random.default_rng(seed)
        return lambda state: state.placed(
            (state.latent + STEP_SIZE * random.standard_normal(state.latent_dim)).tolist()
        )

    def _drawn(self, random: np.random.Generator, like: str) -> list[float]:
        assert self.prior is not None
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        return self.prior.sample(1, generator=generator, condition=like)[0].double().tolist()

    def _checked(self, pose: Float[np.ndarray, "dim"]) -> list[float]:
        assert self.prior is not None
        if np.shape(pose) != (self.prior.dim,):
            raise ValueError(f"the prior's poses have {self.prior.dim} columns, got shape {np.shape(pose)}")
        return np.asarray(pose, np.float64).tolist()

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
            self._view.label()
        return alive

    def _adopt(self, prior: Prior) -> None:
        """Explore this prior from now on; what is shown and pinned stays."""
        with self._exploration.lock:
            self._view.use(prior)
            self._exploration.adopt(prior)
            self._view.label()
