"""A prior being explored: the state that every control moves, and the other side of what is shown (no widgets).

A latent has a pose and a pose has a latent, and only the prior knows which. Asking it takes from a millisecond to
longer than a notebook may stand still, so it is asked on threads: whoever needs the answer waits in a queue, in order,
and the caller goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from handprior_viz.explorer.shown import NotFoundYet, Numbers, Shown
from handprior_viz.explorer.state import NO_PINS, ExplorerState
from handprior_viz.explorer.walk import follow, walk_poses
from handprior_viz.pacing import LatestWins
from training.latent_axes import LatentAxis, name_axes
from training.prior import Prior

WALK_STEPS = 90
"""Poses of a walk that is written to a file: three seconds at 30 a second."""

Step = Callable[[ExplorerState], ExplorerState]


class Exploration:
    """A prior, the state, and what the prior is asked for in the background.

    Args:
        on_change: Called with the state whenever it has changed, or more of it is known.
        on_pose: Called, on a thread of its own, with the newest state and the pose it shows.
        on_found: Called, on another thread, when the prior has found the latent of the pose that is shown.
        on_named: Called when it is known what the latent axes do.
        on_error: Called with an error of the background, or of a step that had to wait.

    Attributes:
        lock: Held while the state changes; re-entrant.
        prior: The prior, or None before the first.
        axes: Its latent axes, the one that moves the hands most first; in the latent's order until that is known.
        named: Whether it is known what the axes do.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[ExplorerState], object],
        on_pose: Callable[[ExplorerState, Float[np.ndarray, "dim"]], object],
        on_found: Callable[[Shown], object],
        on_named: Callable[[], object],
        on_error: Callable[[Exception], object],
    ) -> None:
        self.lock = threading.RLock()
        self.prior: Prior | None = None
        self.axes: list[LatentAxis] = []
        self.named = False
        self._state: ExplorerState | None = None
        self._waiting: list[Step] = []
        self._closed = False
        self._on_change, self._on_pose, self._on_found, self._on_named = on_change, on_pose, on_found, on_named
        self._on_error = on_error
        self._posing = LatestWins(self._pose, on_error=self._failed, name="explorer-draw")
        self._finding = LatestWins(self._find, on_error=self._failed, name="explorer-find")
        self._naming = LatestWins(self._name, on_error=on_error, name="explorer-name")

    @property
    def state(self) -> ExplorerState | None:
        """What is explored, or None before the first prior."""
        return self._state

    @property
    def waits(self) -> bool:
        """Whether steps wait for the prior."""
        return bool(self._waiting)

    def change(self, step: Step, *, at_once: bool = False) -> None:
        """Take a step; one that needs what is not known yet waits its turn, and so do those after it.

        Args:
            step: From one state to the next.
            at_once: Ask the prior here and now where needed, as a line of code expects it. A control must not.

        Raises:
            ValueError: The step is refused; one that had to wait tells ``on_error`` instead.
        """
        with self.lock:
            if self._closed:
                return
            try:
                if self._state is None or (self._waiting and not at_once):
                    raise NotFoundYet
                self._take(step)
            except NotFoundYet:
                if self._state is not None and at_once:
                    for shown in _asked_for(self._state):
                        self._other(shown)
                    self._take(step)
                    return
                self._waiting.append(step)
                if self._state is not None:
                    self._ask(self._state)

    def show_again(self) -> None:
        """Show the state once more, to a view that shows more of it than before."""
        with self.lock:
            if self._state is not None and not self._closed:
                self._posing.submit(self._state)
                self._on_change(self._state)

    def adopt(self, prior: Prior) -> None:
        """Explore this prior from now on; what is shown and pinned stays, found anew by this prior."""
        prior.eval()
        with self.lock:
            self.prior = prior
            self.axes = self.axes or [LatentAxis(k, f"axis {k + 1}", 0.0) for k in range(prior.latent_dim)]
            state = self._state.forgotten() if self._state else ExplorerState.start(prior.latent_dim)
            self._take(lambda _: state)
            self._go_on()
        self._naming.submit(prior)

    def pose_of(self, shown: Shown) -> Float[np.ndarray, "dim"]:
        """The pose of a latent or a pose, radians; asks the prior if that is not known yet."""
        return np.array(shown.pose if shown.by == "pose" else self._other(shown), np.float32)

    def latent_of(self, shown: Shown) -> Float[np.ndarray, "latent_dim"]:
        """The latent of a latent or a pose, standard deviations; asks the prior if that is not known yet."""
        return np.array(shown.latent if shown.by == "latent" else self._other(shown))

    def walk_poses(self, steps: int = WALK_STEPS) -> Float[np.ndarray, "steps dim"]:
        """Poses on the way from pin A to pin B, both included, radians.

        Raises:
            ValueError: A pin is missing.
        """
        prior, state = self.prior, self._state
        if prior is None or state is None or state.now.pin_a is None or state.now.pin_b is None:
            raise ValueError(NO_PINS)
        return walk_poses(prior, state.now.pin_a, state.now.pin_b, np.linspace(0, 1, steps), state.blend)

    def settle(self, timeout: float) -> bool:
        """Wait until the prior has been asked for everything; False if that took longer than ``timeout`` s."""
        return all(pace.settle(timeout) for pace in (self._naming, self._finding, self._posing, self._finding))

    def close(self) -> None:
        """End the threads."""
        with self.lock:
            self._closed = True
        for pace in (self._naming, self._finding, self._posing):
            pace.close()

    def _take(self, step: Step) -> None:
        assert self._state is not None or self.prior is not None
        self._state = step(self._state)  # type: ignore[arg-type]  # the first step of all makes the state
        self._ask(self._state)
        self._on_change(self._state)

    def _ask(self, state: ExplorerState) -> None:
        self._posing.submit(state)
        if state.shown.by == "pose" or not all(shown.complete for shown in _asked_for(state)[1:]):
            self._finding.submit(state)

    def _go_on(self) -> None:
        """Take the steps that wait, as far as they can be taken now."""
        while self._waiting:
            try:
                self._take(self._waiting[0])
            except NotFoundYet:
                return
            except (ValueError, ArithmeticError, RuntimeError) as error:
                self._on_error(error)
            self._waiting.pop(0)

    def _pose(self, state: ExplorerState) -> None:
        self._on_pose(state, self.pose_of(state.shown))

    def _find(self, state: ExplorerState) -> None:
        shown, *pins = _asked_for(state)
        for one in [shown, *pins] if shown.by == "pose" else pins:  # the pose of a latent is found to be drawn
            self._other(one)
        with self.lock:
            newest = self._state
        if newest is not None and newest.shown == shown and shown.by == "pose":
            self._on_found(newest.shown)

    def _other(self, shown: Shown) -> Numbers:
        if shown.other is not None:
            return shown.other
        with self.lock:
            prior, state = self.prior, self._state
        assert prior is not None
        assert state is not None
        for known in _asked_for(state):
            if known == shown and known.other is not None:
                return known.other
        other = shown.completed(follow(prior, shown)).other
        assert other is not None
        with self.lock:
            if prior is self.prior and not self._closed:
                self._state = self._state.completed(shown, other)  # type: ignore[union-attr]  # never None again
                self._on_change(self._state)
                self._go_on()
        return other

    def _name(self, prior: Prior) -> None:
        axes = name_axes(prior)
        with self.lock:
            if prior is self.prior and not self._closed:
                self.axes, self.named = axes, True
                self._on_named()

    def _failed(self, error: Exception) -> None:
        """Say what went wrong, and let the controls go on without what could not be found."""
        with self.lock:
            self._waiting.clear()
        self._on_error(error)


def _asked_for(state: ExplorerState) -> list[Shown]:
    """What the prior is asked to complete: what is shown, and what is pinned."""
    now = state.now
    return [shown for shown in (now.shown, now.pin_a, now.pin_b) if shown is not None]
