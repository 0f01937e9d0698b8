"""Frames with a live hand, taken out of a window and brought to the model's convention: what every measure works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from data_tools.auditing.finger_rotations import norms, planes, quaternions, turns
from data_tools.rotations import principal_pose
from data_tools.scanning.file_scan import Judged

EACH_SIDE: Float32[np.ndarray, "30 2"] = np.repeat(np.eye(2, dtype=np.float32), 15, axis=0)
"""Adds up the 15 joints of each hand: ``per_joint @ EACH_SIDE``."""

_CONTEXT = 2  # frames before the first, to tell how the fingers come to turn


@dataclass(frozen=True, eq=False)
class LiveFrames:
    """Frames in which at least one hand is alive.

    Attributes:
        frame: (frames,) number in the file.
        sequence: (frames,) which of the file's sequences each belongs to.
        live: (frames, 2) whether the left and the right hand are alive.
        hands: Model convention: mean included where it is known, principal branch.
        beyond_pi: (frames, 30) which joints' vectors are longer than pi.
        vectors: (3, frames, 30) the same hands in planes.
        angles: (frames, 30) angle by which each joint is turned.
        joints: (4, frames, 30) unit quaternions.
        turned: (frames, 2) mean over joints of the squared angle turned since the frame before, rad^2; NaN where the
            hand was not alive in both, or something lies in between.
        bent: (frames, 2) mean squared change of that turn since the one before; NaN likewise.
        jitter: (frames,) the scan's mark.
    """

    frame: Int64[np.ndarray, "frames"]
    sequence: Int64[np.ndarray, "frames"]
    live: Bool[np.ndarray, "frames 2"]
    hands: Float32[np.ndarray, "frames 90"]
    beyond_pi: Bool[np.ndarray, "frames 30"]
    vectors: Float32[np.ndarray, "3 frames 30"]
    angles: Float32[np.ndarray, "frames 30"]
    joints: Float32[np.ndarray, "4 frames 30"]
    turned: Float32[np.ndarray, "frames 2"]
    bent: Float32[np.ndarray, "frames 2"]
    jitter: Bool[np.ndarray, "frames"]

    def __len__(self) -> int:
        return len(self.frame)


def live_frames(
    judged: Judged,
    rows: slice,
    sequence: Int64[np.ndarray, "frames"],
    first: int,
    constant: Bool[np.ndarray, "sequences 2"],
    offset: Float[np.ndarray, "90"] | None,
) -> LiveFrames:
    """Take the live frames out of a window.

    Args:
        judged: The window, and what is to be said about its frames.
        rows: Which of its frames; those before them tell how the fingers come to turn.
        sequence: Which of the file's sequences each of the window's frames belongs to.
        first: Number in the file of the window's first frame.
        constant: Hands that never move in a sequence: dead, whatever single frames look like.
        offset: Mean hands to be added, or None.
    """
    low = max(rows.start - _CONTEXT, 0)
    span = slice(low, rows.stop)
    live = np.stack([judged.masks["live_left"][span], judged.masks["live_right"][span]], axis=1)
    live &= ~constant[sequence[span]]
    hands, at = judged.hands[span], np.arange(low, rows.stop)
    if not live.all():
        kept = live.any(axis=1)
        at, live = at[kept], live[kept]
        hands = np.where(live.repeat(45, axis=1), hands[kept], np.float32(0))
    if offset is not None:
        hands = hands + offset.astype(np.float32)
    vectors = planes(hands)
    angles = norms(vectors)
    beyond_pi = angles > np.float32(np.pi)
    if beyond_pi.any():
        hands = principal_pose(hands)
        vectors = planes(hands)
        angles = norms(vectors)
    joints = quaternions(vectors, angles)
    follows = np.zeros(len(at), bool)
    follows[1:] = (np.diff(at) == 1) & (np.diff(sequence[at]) == 0) & ~(judged.gaps | judged.starts)[at[1:]]
    turned, bent = _motion(joints, live, follows)
    keep = slice(int(np.searchsorted(at, rows.start)), None)
    return LiveFrames(
        frame=(at + first)[keep],
        sequence=sequence[at][keep],
        live=live[keep],
        hands=hands[keep],
        beyond_pi=beyond_pi[keep],
        vectors=vectors[:, keep],
        angles=angles[keep],
        joints=joints[:, keep],
        turned=turned[keep],
        bent=bent[keep],
        jitter=judged.masks["jitter"][at][keep],
    )


def _motion(
    joints: Float32[np.ndarray, "4 frames 30"], live: Bool[np.ndarray, "frames 2"], follows: Bool[np.ndarray, "frames"]
) -> tuple[Float32[np.ndarray, "frames 2"], Float32[np.ndarray, "frames 2"]]:
    turned, bent = (np.full(live.shape, np.nan, np.float32) for _ in range(2))
    if len(live) < 2:
        return turned, bent
    steps = turns(joints)
    turned[1:] = _mean_square(steps)
    bent[2:] = _mean_square(steps[:, 1:] - steps[:, :-1])
    moves = follows[:, None] & live
    moves[1:] &= live[:-1]
    turned[~moves] = np.nan
    moves[1:] &= moves[:-1]
    bent[~moves] = np.nan
    return turned, bent


def _mean_square(vectors: Float32[np.ndarray, "3 steps 30"]) -> Float32[np.ndarray, "steps 2"]:
    """Mean over a hand's 15 joints of the squared norm."""
    x, y, z = vectors
    return (x * x + y * y + z * z) @ (EACH_SIDE / np.float32(15))
