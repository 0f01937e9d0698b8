"""What the latent explorer knows: what is shown, two pins, and every step back and forth (pure, no widgets).

States are immutable. Each method returns a new state, so a view holds one variable, and undo is a stack of what was::

    state = ExplorerState.start(24).moved(0, 1.5).pinned("a").moved(0, -1.5).pinned("b").walked(0.5)
    state.undone().latent[0]                 # -1.5

Latents and poses move the same state: :meth:`ExplorerState.placed` shows what the prior makes of a latent, and
:meth:`ExplorerState.posed` a pose as it is. The other side of either is asked of the prior elsewhere, and told to the
state by :meth:`ExplorerState.completed`; what needs it before raises
:class:`~handprior_viz.explorer.shown.NotFoundYet`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from handprior_viz.explorer.shown import Numbers, Shown
from handprior_viz.explorer.walk import Blend, between, check_blend

Pin = Literal["a", "b"]

STEPS_KEPT = 200
"""Steps that can be undone; older ones are forgotten."""

NO_PINS = "a walk needs two poses: pin one as A and another as B first"


@dataclass(frozen=True)
class Snapshot:
    """What undo brings back: what is shown, and the pins."""

    shown: Shown
    pin_a: Shown | None = None
    pin_b: Shown | None = None

    def each(self, change: Callable[[Shown], Shown]) -> Snapshot:
        """The same with each latent and pose replaced by ``change`` of it."""
        pins = (None if pin is None else change(pin) for pin in (self.pin_a, self.pin_b))
        return Snapshot(change(self.shown), *pins)


@dataclass(frozen=True)
class ExplorerState:
    """The explorer at one moment.

    Attributes:
        now: What is shown, and the pins.
        latent_dim: Axes of a latent.
        past: Earlier snapshots, oldest first.
        future: Undone snapshots, the next one to redo last.
        position: Where the walk from pin A to pin B stands, 0 to 1; None when something was last shown otherwise.
        blend: Which way the walk takes.
        gesture: Which gesture made the last step; steps of one gesture are undone together.
    """

    now: Snapshot
    latent_dim: int
    past: tuple[Snapshot, ...] = ()
    future: tuple[Snapshot, ...] = ()
    position: float | None = None
    blend: Blend = "linear"
    gesture: Hashable = None

    @classmethod
    def start(cls, latent_dim: int) -> ExplorerState:
        """The middle of the latent space, nothing pinned, nothing to undo."""
        if latent_dim < 1:
            raise ValueError(f"a latent needs at least one axis, got {latent_dim}")
        return cls(Snapshot(Shown.at((0.0,) * latent_dim)), latent_dim)

    @property
    def shown(self) -> Shown:
        return self.now.shown

    @property
    def latent(self) -> Numbers:
        """The latent shown, one number per axis, standard deviations.

        Raises:
            NotFoundYet: A pose was set, and the prior has not been asked for its latent.
        """
        return self.shown.latent

    @property
    def pose(self) -> Numbers:
        """The pose shown, axis-angle in radians.

        Raises:
            NotFoundYet: A latent was set, and the prior has not been asked for its pose.
        """
        return self.shown.pose

    @property
    def can_undo(self) -> bool:
        return bool(self.past)

    @property
    def can_redo(self) -> bool:
        return bool(self.future)

    @property
    def can_walk(self) -> bool:
        """Whether both pins are set."""
        return self.now.pin_a is not None and self.now.pin_b is not None

    def moved(self, axis: int, value: float, *, gesture: Hashable = None) -> ExplorerState:
        """Set one axis of the latent; where a pose was set, from the latent that the prior finds for it.

        Args:
            axis: Which, from 0.
            value: Standard deviations.
            gesture: Anything that stays equal while one slider is being dragged: one undo takes the whole drag back.

        Raises:
            ValueError: No such axis, or a value that is not a finite number.
            NotFoundYet: A pose was set, and the prior has not been asked for its latent.
        """
        if not 0 <= axis < self.latent_dim:
            raise ValueError(f"latent axis must be 0 to {self.latent_dim - 1}, got {axis}")
        return self.placed((*self.latent[:axis], value, *self.latent[axis + 1 :]), gesture=gesture)

    def placed(self, latent: Sequence[float], *, gesture: Hashable = None) -> ExplorerState:
        """Show what the prior makes of another latent.

        Raises:
            ValueError: Wrong number of axes, or a value that is not a finite number.
        """
        if len(latent) != self.latent_dim:
            raise ValueError(f"the latent has {self.latent_dim} axes, got {len(latent)} numbers")
        return self._showing(Shown.at(latent), gesture)

    def posed(self, pose: Iterable[float], *, gesture: Hashable = None) -> ExplorerState:
        """Show a pose exactly as it is: a real frame, a joint that was turned.

        Args:
            pose: Axis-angle, radians, mean hand included.
            gesture: As for :meth:`moved`.

        Raises:
            ValueError: A value that is not a finite number.
        """
        return self._showing(Shown.exactly(pose), gesture)

    def reset(self) -> ExplorerState:
        """Back to the middle of the latent space; pins stay."""
        return self.placed((0.0,) * self.latent_dim)

    def pinned(self, pin: Pin) -> ExplorerState:
        """Pin what is shown as A or B."""
        return self._step(self._with_pin(pin, self.shown), None)

    def unpinned(self, pin: Pin) -> ExplorerState:
        """Take a pin off."""
        return self._step(self._with_pin(pin, None), None)

    def walked(self, position: float, *, gesture: Hashable = "walk") -> ExplorerState:
        """Show what lies at ``position`` (0 to 1) of the way from pin A to pin B; a walk is undone as one step.

        Raises:
            ValueError: A pin is missing, or the position is outside 0 to 1.
            NotFoundYet: The way leads through a latent or a pose that is not known yet.
        """
        a, b = self.now.pin_a, self.now.pin_b
        if a is None or b is None:
            raise ValueError(NO_PINS)
        if not 0 <= position <= 1:
            raise ValueError(f"position must be from 0 (pin A) to 1 (pin B), got {position}")
        stepped = self._showing(between(a, b, position, self.blend), gesture)
        return replace(stepped, position=position)

    def blended(self, blend: Blend) -> ExplorerState:
        """Choose which way the walk takes; a walk under way takes the new road at once."""
        check_blend(blend)
        state = replace(self, blend=blend)
        return state if self.position is None or not self.can_walk else state.walked(self.position)

    def undone(self) -> ExplorerState:
        """One step back; the same state if there is none."""
        if not self.past:
            return self
        return self._at(self.past[-1], past=self.past[:-1], future=(*self.future, self.now))

    def redone(self) -> ExplorerState:
        """One undone step forward again; the same state if there is none."""
        if not self.future:
            return self
        return self._at(self.future[-1], past=(*self.past, self.now), future=self.future[:-1])

    def completed(self, shown: Shown, other: Sequence[float]) -> ExplorerState:
        """Learn what the prior finds for a latent or a pose, wherever it is shown or pinned now; not a step."""
        known = shown.completed(other)
        return replace(self, now=self.now.each(lambda one: known if one == shown else one))

    def forgotten(self) -> ExplorerState:
        """The same, before any prior was asked: for another prior."""
        past, future = (tuple(one.each(Shown.forgotten) for one in many) for many in (self.past, self.future))
        return replace(self, now=self.now.each(Shown.forgotten), past=past, future=future)

    def _showing(self, shown: Shown, gesture: Hashable) -> ExplorerState:
        return self._step(replace(self.now, shown=shown), gesture)

    def _with_pin(self, pin: Pin, shown: Shown | None) -> Snapshot:
        if pin not in ("a", "b"):
            raise ValueError(f'pin must be "a" or "b", got {pin!r}')
        return replace(self.now, pin_a=shown) if pin == "a" else replace(self.now, pin_b=shown)

    def _step(self, now: Snapshot, gesture: Hashable) -> ExplorerState:
        if now == self.now:
            return replace(self, position=None)
        same_gesture = gesture is not None and gesture == self.gesture and bool(self.past)
        past = self.past if same_gesture else (*self.past, self.now)[-STEPS_KEPT:]
        return replace(self, now=now, past=past, future=(), position=None, gesture=gesture)

    def _at(self, now: Snapshot, past: tuple[Snapshot, ...], future: tuple[Snapshot, ...]) -> ExplorerState:
        return replace(self, now=now, past=past, future=future, position=None, gesture=None)
