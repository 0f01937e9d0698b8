"""What is wrong with the synthetic recordings, as it is with real ones, and a record of where.

Each flaw changes the values as they will be stored, and says what it did; rates are those of real files where known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from data_tools.pose_layout import mirror_hand

Side = Literal["left", "right", "both"]
Parts = dict[str, np.ndarray]
"""One sequence's arrays under the names of the consolidated file."""


@dataclass(frozen=True)
class Flaw:
    """Something wrong with frames ``start`` to ``stop`` of a file.

    Attributes:
        kind: ``lost_frames`` (NaN), ``copied_hand`` (left is the mirrored right), ``jitter_burst``,
            ``frozen_picture`` (nothing changes) or ``beyond_pi`` (same rotations, longer vectors).
        side: Which hand is concerned; lost frames and frozen pictures on both sides concern the body too.
        start: First frame, counted in the file.
        stop: Frame after the last.
    """

    kind: str
    side: Side
    start: int
    stop: int

    def moved(self, frames: int) -> Flaw:
        """The same flaw, so many frames later."""
        return Flaw(self.kind, self.side, self.start + frames, self.stop + frames)


def _span(rng: np.random.Generator, frames: int, length: int) -> tuple[int, int]:
    """A place for a flaw that leaves the sequence's two ends alone where it can."""
    length = min(length, max(1, frames - 4))
    start = int(rng.integers(min(2, frames - length), max(3, frames - length - 1)))
    return start, min(frames, start + length)


def lose_frames(rng: np.random.Generator, parts: Parts) -> list[Flaw]:
    """A fit that failed: one to four frames of NaN, first in every value, then in one hand only."""
    frames = len(parts["lhand_pose"])
    flaws = []
    for keys, side in ((tuple(parts), "both"), (("rhand_pose",), "right")):
        start, stop = _span(rng, frames, int(rng.integers(1, 5)))
        for key in keys:
            parts[key][start:stop] = np.nan
        flaws.append(Flaw("lost_frames", side, start, stop))  # type: ignore[arg-type]
    return flaws


def copy_hand(rng: np.random.Generator, parts: Parts) -> list[Flaw]:
    """A release that filled the left hand with the mirrored right one, bit for bit (SMPLer-X with TalkSHOW)."""
    parts["lhand_pose"][:] = mirror_hand(parts["rhand_pose"])
    return [Flaw("copied_hand", "left", 0, len(parts["lhand_pose"]))]


def burst_into_jitter(rng: np.random.Generator, parts: Parts) -> list[Flaw]:
    """A tracker that lost the hands: a third of a second of wild, uncorrelated angles."""
    start, stop = _span(rng, len(parts["lhand_pose"]), 10)
    for key in ("lhand_pose", "rhand_pose"):
        parts[key][start:stop] += 0.12 * rng.standard_normal((stop - start, 45)).astype(np.float32)
    return [Flaw("jitter_burst", "both", start, stop)]


def freeze_picture(rng: np.random.Generator, parts: Parts) -> list[Flaw]:
    """A video call that hung: every value unchanged for one to two seconds."""
    start, stop = _span(rng, len(parts["lhand_pose"]), int(rng.integers(40, 61)))
    for values in parts.values():
        values[start:stop] = values[start]
    return [Flaw("frozen_picture", "both", start, stop)]


FLAWS: dict[str, Callable[[np.random.Generator, Parts], list[Flaw]]] = {
    "lost_frames": lose_frames,
    "copied_hand": copy_hand,
    "jitter_burst": burst_into_jitter,
    "frozen_picture": freeze_picture,
}
"""Flaws that strike a sequence now and then, by name."""


def lengthen_rotations(
    rng: np.random.Generator, hands: Float[np.ndarray, "frames 90"]
) -> tuple[Float[np.ndarray, "frames 90"], list[Flaw]]:
    """Express some joints' rotations by vectors longer than pi, as an optimiser that drifted does.

    In ARCTIC 9.5 % of right and 1.9 % of left joint-frames are so, up to 9 rad. A rotation by ``t`` about an axis is
    one by ``t + 2 pi`` about it, and by ``2 pi - t`` about the opposite one.

    Args:
        rng: Source of randomness.
        hands: Axis-angle on the principal branch, mean hand included: only so is the rotation kept.

    Returns:
        The hands, every rotation unchanged, and one flaw per side concerned.
    """
    joints = hands.reshape(len(hands), 30, 3).copy()
    struck = rng.random(30) < np.repeat([0.025, 0.22], 15)
    angle = np.linalg.norm(joints, axis=-1)
    # Near zero the long vector's axis would spin wildly; a real optimiser drifts away from a bent joint.
    struck &= angle.min(axis=0) > 0.1
    turns = np.where(rng.random(30) < 0.8, -1.0, 1.0) * struck
    longer = np.abs(angle + 2 * np.pi * turns) > np.pi
    scale = np.where(longer & struck, (angle + 2 * np.pi * turns) / np.maximum(angle, 1e-9), 1.0)
    flaws = [
        Flaw("beyond_pi", side, 0, len(hands))  # type: ignore[arg-type]
        for side, columns in (("left", slice(0, 15)), ("right", slice(15, 30)))
        if struck[columns].any()
    ]
    return (joints * scale[..., None]).reshape(hands.shape), flaws
