"""What the latent explorer knows: the latent shown, two pins, and every step back and forth (pure, no widgets).

States are immutable. Each method returns a new state, so a view holds one variable, and undo is a stack of what was::

    state = ExplorerState.start(24).moved(0, 1.5).pinned("a").moved(0, -1.5).pinned("b").walked(0.5)
    state.undone().latent[0]                 # -1.5
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Latent = tuple[float, ...]
Blend = Literal["linear", "spherical"]
Pin = Literal["a", "b"]

STEPS_KEPT = 200
"""Steps that can be undone; older ones are forgotten."""


@dataclass(frozen=True)
class Snapshot:
    """What undo brings back: the latent shown and the pins, latents in standard deviations."""

    latent: Latent
    pin_a: Latent | None = None
    pin_b: Latent | None = None


@dataclass(frozen=True)
class ExplorerState:
    """The explorer at one moment.

    Attributes:
        now: What is shown, and the pins.
        past: Earlier snapshots, oldest first.
        future: Undone snapshots, the next one to redo last.
        position: Where the walk from pin A to pin B stands, 0 to 1; None when the latent was last set otherwise.
        blend: How latents between the pins are found.
        gesture: Which gesture made the last step; steps of one gesture are undone together.
    """

    now: Snapshot
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
        return cls(Snapshot((0.0,) * latent_dim))

    @property
    def latent(self) -> Latent:
        """The latent shown, one number per axis, standard deviations."""
        return self.now.latent

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
        """Set one axis.

        Args:
            axis: Which, from 0.
            value: Standard deviations.
            gesture: Anything that stays equal while one slider is being dragged: one undo takes the whole drag back.

        Raises:
            ValueError: No such axis, or a value that is not a finite number.
        """
        if not 0 <= axis < len(self.latent):
            raise ValueError(f"latent axis must be 0 to {len(self.latent) - 1}, got {axis}")
        latent = (*self.latent[:axis], value, *self.latent[axis + 1 :])
        return self.placed(latent, gesture=gesture)

    def placed(self, latent: Sequence[float], *, gesture: Hashable = None) -> ExplorerState:
        """Show another latent: a sample, an encoded frame.

        Raises:
            ValueError: Wrong number of axes, or a value that is not a finite number.
        """
        latent = tuple(float(value) for value in latent)
        if len(latent) != len(self.latent):
            raise ValueError(f"the latent has {len(self.latent)} axes, got {len(latent)} numbers")
        if not all(map(math.isfinite, latent)):
            raise ValueError("a latent must be finite numbers: NaN or infinity cannot be shown")
        return self._step(replace(self.now, latent=latent), gesture)

    def reset(self) -> ExplorerState:
        """Back to the middle of the latent space; pins stay."""
        return self.placed((0.0,) * len(self.latent))

    def pinned(self, pin: Pin) -> ExplorerState:
        """Pin the latent shown as A or B."""
        return self._step(self._with_pin(pin, self.latent), None)

    def unpinned(self, pin: Pin) -> ExplorerState:
        """Take a pin off."""
        return self._step(self._with_pin(pin, None), None)

    def walked(self, position: float, *, gesture: Hashable = "walk") -> ExplorerState:
        """Show the latent at ``position`` (0 to 1) of the way from pin A to pin B; a walk is undone as one step.

        Raises:
            ValueError: A pin is missing, or the position is outside 0 to 1.
        """
        a, b = self.now.pin_a, self.now.pin_b
        if a is None or b is None:
            raise ValueError("a walk needs two poses: pin one as A and another as B first")
        if not 0 <= position <= 1:
            raise ValueError(f"position must be from 0 (pin A) to 1 (pin B), got {position}")
        stepped = self.placed(interpolate(a, b, position, self.blend), gesture=gesture)
        return replace(stepped, position=position)

    def blended(self, blend: Blend) -> ExplorerState:
        """Choose how latents between the pins are found; a walk under way takes the new road at once."""
        if blend not in ("linear", "spherical"):
            raise ValueError(f'blend must be "linear" or "spherical", got {blend!r}')
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

    def _with_pin(self, pin: Pin, latent: Latent | None) -> Snapshot:
        if pin not in ("a", "b"):
            raise ValueError(f'pin must be "a" or "b", got {pin!r}')
        return replace(self.now, pin_a=latent) if pin == "a" else replace(self.now, pin_b=latent)

    def _step(self, now: Snapshot, gesture: Hashable) -> ExplorerState:
        if now == self.now:
            return replace(self, position=None)
        same_gesture = gesture is not None and gesture == self.gesture and bool(self.past)
        past = self.past if same_gesture else (*self.past, self.now)[-STEPS_KEPT:]
        return replace(self, now=now, past=past, future=(), position=None, gesture=gesture)

    def _at(self, now: Snapshot, past: tuple[Snapshot, ...], future: tuple[Snapshot, ...]) -> ExplorerState:
        return replace(self, now=now, past=past, future=future, position=None, gesture=None)


def interpolate(a: Sequence[float], b: Sequence[float], position: float, blend: Blend = "linear") -> Latent:
    """A latent between two others.

    ``linear`` is the straight line. ``spherical`` turns the direction at a steady angle (Shoemake 1985) and changes
    the length evenly, so that the way does not lead through the middle, where no samples lie in many dimensions
    (White 2016, arXiv:1609.04468). Where the angle says nothing - a latent at the middle, or two that are parallel
    or opposite - it is the straight line.

    Args:
        a: Latent at position 0.
        b: Latent at position 1.
        position: 0 to 1.
        blend: Which way.

    Returns:
        The latent; exactly ``a`` at 0 and ``b`` at 1.
    """
    if position in (0, 1):
        return tuple(map(float, b if position else a))
    start, end = np.asarray(a, np.float64), np.asarray(b, np.float64)
    straight = (1 - position) * start + position * end
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if blend == "linear" or min(lengths) < 1e-9:
        return tuple(straight.tolist())
    angle = math.acos(float(np.clip(start @ end / (lengths[0] * lengths[1]), -1, 1)))
    if math.sin(angle) < 1e-6:
        return tuple(straight.tolist())
    turned = math.sin((1 - position) * angle) * start / lengths[0] + math.sin(position * angle) * end / lengths[1]
    length = (1 - position) * lengths[0] + position * lengths[1]
    return tuple((turned / math.sin(angle) * length).tolist())
