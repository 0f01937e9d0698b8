"""Which hands nobody captured: zero, mean, frozen, copied, invalid or NaN, frame by frame.

An uncaptured hand is not always zero. In AMASS, BEDLAM and MoSh++ it equals the model's mean hand in every frame;
some releases copy one hand onto the other; others fill gaps with something that moves and say so in a mask only.
A prior trained on such hands learns the filling.

All functions are pure and work on a window of consecutive frames.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Float32

from data_tools.hand_mean import equals_mean
from data_tools.pose_layout import HAND_DIM, mirror_hand
from data_tools.sequence import HandMean

SIDES = ("left", "right")

DEADLY = ("nan", *(f"{kind}_{side}" for kind in ("zero", "mean", "frozen", "invalid") for side in SIDES), "copied")
"""Faults that make a hand unusable. ``nan`` and ``copied`` stand for both hands."""

REPORTED = ("jitter", "beyond_pi")
"""Faults that are counted and flagged, and leave the frame in use."""

UNCHANGED = 1e-6
"""A hand whose 45 numbers move by less than this (Euclidean norm, rad) between frames stands still. Real hands at
120 frames/s move by 4e-4 rad in their slowest frames (AMASS sample); storage noise of float32 is 1e-7."""

FROZEN_SECONDS = 1.0
FROZEN_FRAMES = 30
"""A hand that stands still for a second (30 frames where the rate is unknown) is frozen."""

_EQUAL = 1e-5  # rad per component: float16 storage rounds 0.01 rad by as much
JITTER_RADIANS = 0.03  # RMS per component and frame: 30 frames/s times 0.03 is a tremor of 50 degrees/s and more
JITTER_REVERSAL = 0.7  # |x2 - 2 x1 + x0| over |x1 - x0| + |x2 - x1|: near 0 in smooth motion, 0.87 in white noise


def frozen_frames(fps: float | None) -> int:
    """How many unchanged frames in a row make a hand frozen."""
    return FROZEN_FRAMES if fps is None else max(2, math.ceil(FROZEN_SECONDS * fps))


def movement(hands: Float32[np.ndarray, "frames 90"]) -> Float32[np.ndarray, "frames 2"]:
    """How far the 45 numbers of each hand (left, right) moved since the frame before: Euclidean norm, radians.

    Infinite in the first frame, NaN beside NaN.
    """
    out = np.full((len(hands), 2), np.inf, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        out[1:] = np.sqrt(_square_sums(hands[1:] - hands[:-1]))
    return out


def frozen(is_still: Bool[np.ndarray, "frames"], at_least: int) -> Bool[np.ndarray, "frames"]:
    """Tell which frames belong to a run of ``at_least`` frames without motion.

    Args:
        is_still: Whether the hand did not move since the frame before.
        at_least: Frames that a run needs, the one it starts from included.
    """
    starts = np.flatnonzero(~is_still | (np.arange(len(is_still)) == 0))
    lengths = np.diff(np.append(starts, len(is_still)))
    return np.repeat(lengths >= at_least, lengths)


def find_faults(
    hands: Float32[np.ndarray, "frames 90"],
    moved: Float32[np.ndarray, "frames 2"],
    *,
    frozen_after: int,
    hand_mean: HandMean,
    hands_mean: Float[np.ndarray, "90"] | None = None,
    left_valid: Bool[np.ndarray, "frames"] | None = None,
    right_valid: Bool[np.ndarray, "frames"] | None = None,
) -> dict[str, Bool[np.ndarray, "frames"]]:
    """Find every fault of a window of frames.

    Args:
        hands: Both hands as stored, axis-angle in radians, left first.
        moved: From :func:`movement`.
        frozen_after: From :func:`frozen_frames`. The window must reach that far beyond the frames of interest.
        hand_mean: Convention of the values. A hand stored relative to the mean is the mean where it is zero.
        hands_mean: The model's mean hands, where known.
        left_valid: Where the source itself says that the left hand was seen.
        right_valid: Likewise.

    Returns:
        One mask per name in :data:`DEADLY` and :data:`REPORTED`.
    """
    sizes = _square_sums(hands)
    # A sum is NaN or infinite exactly if an entry is (or so large that it is no angle).
    faults = {"nan": ~np.isfinite(sizes).all(axis=1)}
    for side, name in enumerate(SIDES):
        hand = hands[:, side * HAND_DIM : (side + 1) * HAND_DIM]
        faults[f"zero_{name}"] = sizes[:, side] <= UNCHANGED**2
        faults[f"frozen_{name}"] = frozen(moved[:, side] <= UNCHANGED, frozen_after)
        faults[f"mean_{name}"] = np.zeros(len(hands), bool)
        if hands_mean is not None and hand_mean != "rel":
            mean = hands_mean[side * HAND_DIM : (side + 1) * HAND_DIM]
            faults[f"mean_{name}"] = _where(np.abs(hand[:, 0] - mean[0]) <= _EQUAL, equals_mean, hand, mean)
        valid = (left_valid, right_valid)[side]
        faults[f"invalid_{name}"] = np.zeros(len(hands), bool) if valid is None else ~valid
    faults["copied"] = _copied(hands) & ~_dead_anyway(faults)
    faults["jitter"] = _jitter(hands, moved)
    faults["beyond_pi"] = _where(sizes.sum(axis=1) > math.pi**2, _beyond_pi, hands) & ~faults["nan"]
    return faults


def alive(faults: dict[str, Bool[np.ndarray, "frames"]], side: str) -> Bool[np.ndarray, "frames"]:
    """Tell in which frames a hand (``left`` or ``right``) was really captured."""
    return ~np.logical_or.reduce([faults[name] for name in DEADLY if name.endswith(side) or "_" not in name])


def _square_sums(hands: Float32[np.ndarray, "frames 90"]) -> Float32[np.ndarray, "frames 2"]:
    pairs = hands.reshape(len(hands), 2, HAND_DIM)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.einsum("nhc,nhc->nh", pairs, pairs)


def _where(candidates: Bool[np.ndarray, "frames"], test, values: np.ndarray, *args) -> Bool[np.ndarray, "frames"]:  # type: ignore[no-untyped-def]
    """Run a costly test on the few frames that pass a cheap one."""
    out = candidates.copy()
    rows = np.flatnonzero(candidates)
    if len(rows) == len(values):
        return test(values, *args)
    if len(rows):
        out[rows] = test(values[rows], *args)
    return out


def _beyond_pi(hands: Float32[np.ndarray, "frames 90"]) -> Bool[np.ndarray, "frames"]:
    if max(hands.max(), -hands.min()) < math.pi / math.sqrt(3):  # a fifth of the time, and nearly always enough
        return np.zeros(len(hands), bool)
    joints = hands.reshape(len(hands), -1, 3)
    return (np.einsum("njc,njc->nj", joints, joints) > math.pi**2).any(axis=1)


def _copied(hands: Float32[np.ndarray, "frames 90"]) -> Bool[np.ndarray, "frames"]:
    def is_copy(both: Float32[np.ndarray, "frames 90"]) -> Bool[np.ndarray, "frames"]:
        left, right = both[:, :HAND_DIM], both[:, HAND_DIM:]
        same = np.abs(left - right).max(axis=1) <= _EQUAL
        return same | (np.abs(left - mirror_hand(right)).max(axis=1) <= _EQUAL)

    # Mirroring keeps the x of an axis-angle, so both kinds of copy agree in the first column.
    return _where(np.abs(hands[:, 0] - hands[:, HAND_DIM]) <= _EQUAL, is_copy, hands)


def _dead_anyway(faults: dict[str, Bool[np.ndarray, "frames"]]) -> Bool[np.ndarray, "frames"]:
    """Zero, mean and frozen hands are often mirror images of each other; that is no copying."""
    both = [faults[f"{kind}_left"] & faults[f"{kind}_right"] for kind in ("zero", "mean", "frozen")]
    return np.logical_or.reduce([faults["nan"], *both])


def _jitter(
    hands: Float32[np.ndarray, "frames 90"], moved: Float32[np.ndarray, "frames 2"]
) -> Bool[np.ndarray, "frames"]:
    """Tell which frames lie between two large steps in opposite directions."""
    out = np.zeros(len(hands), bool)
    sizes = np.hypot(moved[:, 0], moved[:, 1])
    large = np.isfinite(sizes) & (sizes > JITTER_RADIANS * math.sqrt(hands.shape[1]))
    rows = np.flatnonzero(large[:-1] & large[1:])
    bend = hands[rows + 1] - 2 * hands[rows] + hands[rows - 1]
    out[rows] = np.sqrt(np.einsum("nc,nc->n", bend, bend)) > JITTER_REVERSAL * (sizes[rows] + sizes[rows + 1])
    return out
