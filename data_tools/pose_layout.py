"""Where every number of a SMPL-X pose stands: joints, parents, columns, mirroring.

This is the one place that knows column offsets. Conventions, here and everywhere else in the project:
axis-angle in radians, joints in SMPL-X order, left hand before right, 15 joints per hand in the order
index, middle, pinky, ring, thumb (three joints each, from the palm outwards).

The joint order and the kinematic tree are those of the public ``smplx`` package
(``smplx/joint_names.py``; the tree is the model files' ``kintree_table``).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

FINGERS: tuple[str, ...] = ("index", "middle", "pinky", "ring", "thumb")
"""Fingers in the order in which MANO and SMPL-X store their joints."""

_BODY_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "jaw", "left_eye", "right_eye",
)  # fmt: skip

HAND_JOINT_NAMES: tuple[str, ...] = tuple(f"{finger}{k}" for finger in FINGERS for k in (1, 2, 3))
"""The 15 joints of one hand: ``index1`` is the knuckle (MCP), ``index3`` the last joint (DIP), ``thumb1`` the CMC."""

JOINT_NAMES: tuple[str, ...] = (
    *_BODY_JOINTS,
    *(f"left_{name}" for name in HAND_JOINT_NAMES),
    *(f"right_{name}" for name in HAND_JOINT_NAMES),
)
"""The 55 SMPL-X joints."""

EYES: tuple[int, int] = (JOINT_NAMES.index("left_eye"), JOINT_NAMES.index("right_eye"))

JOINT_NAMES_53: tuple[str, ...] = tuple(name for i, name in enumerate(JOINT_NAMES) if i not in EYES)
"""The 53 joints that consolidated files carry: all but the eyes."""


def _hand_parents(wrist: int, first: int) -> list[int]:
    return [wrist if k % 3 == 0 else first + k - 1 for k in range(15)]


PARENTS: tuple[int, ...] = (
    -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15,
    *_hand_parents(wrist=20, first=25),
    *_hand_parents(wrist=21, first=40),
)  # fmt: skip
"""Parent of each of the 55 joints; -1 for the pelvis."""

POSE_DIM = 3 * len(JOINT_NAMES)  # 165
HAND_DIM = 3 * len(HAND_JOINT_NAMES)  # 45
HANDS_DIM = 2 * HAND_DIM  # 90

COLUMNS: dict[str, slice] = {
    "global_orient": slice(0, 3),
    "body_pose": slice(3, 66),
    "jaw_pose": slice(66, 69),
    "leye_pose": slice(69, 72),
    "reye_pose": slice(72, 75),
    "left_hand_pose": slice(75, 120),
    "right_hand_pose": slice(120, 165),
}
"""Columns of each part in a 165-D pose, under the names that ``smplx.SMPLX.forward`` gives its arguments."""

HANDS_COLUMNS = slice(75, 165)
"""Both hands, left first, in a 165-D pose."""

HAND_NAMES_90: tuple[str, ...] = JOINT_NAMES[25:]
"""The 30 joints of a 90-D pair of hands."""

COLUMN_NAMES: tuple[str, ...] = tuple(f"{joint}_{axis}" for joint in JOINT_NAMES for axis in "xyz")
"""A name for each of the 165 columns, ``left_index1_x`` and so on."""

_MIRROR_SIGNS = np.array([1.0, -1.0, -1.0])


def mirror_hand(hand: Float[np.ndarray, "*batch 45"]) -> Float[np.ndarray, "*batch 45"]:
    """Turn a left hand's pose into the right hand's that is its mirror image, or the other way round.

    Reflection through the body's x = 0 plane keeps the x of each axis-angle and negates y and z.

    Args:
        hand: One hand's axis-angle pose, radians.

    Returns:
        The mirrored pose, same shape and dtype.
    """
    signs = np.tile(_MIRROR_SIGNS, 15).astype(hand.dtype)
    return hand * signs


def mirror_hands(hands: Float[np.ndarray, "*batch 90"]) -> Float[np.ndarray, "*batch 90"]:
    """Mirror a pair of hands: each becomes the other side's, radians."""
    left, right = hands[..., :HAND_DIM], hands[..., HAND_DIM:]
    return np.concatenate([mirror_hand(right), mirror_hand(left)], axis=-1)


def hands_as_right(hands: Float[np.ndarray, "*batch 90"]) -> Float[np.ndarray, "*batch 2 45"]:
    """Turn a pair of hands into two right hands: the left one's mirror image first, then the right one, radians."""
    return np.stack([mirror_hand(hands[..., :HAND_DIM]), hands[..., HAND_DIM:]], axis=-2)


def hands_of(pose: Float[np.ndarray, "*batch columns"]) -> Float[np.ndarray, "*batch 90"]:
    """Both hands of poses of any layout, left first, radians.

    Args:
        pose: Whole poses (165 columns), pairs of hands (90), or single right hands (45), which get their mirror image
            as the left hand.

    Raises:
        ValueError: Another number of columns.
    """
    columns = pose.shape[-1] if pose.ndim else 0
    if columns == POSE_DIM:
        return pose[..., HANDS_COLUMNS]
    if columns == HAND_DIM:
        return np.concatenate([mirror_hand(pose), pose], axis=-1)
    if columns != HANDS_DIM:
        raise ValueError(
            f"a pose has {HAND_DIM} (hand), {HANDS_DIM} (hands) or {POSE_DIM} (full) columns, got {columns}"
        )
    return pose


def expand_53_to_55(pose: Float[np.ndarray, "*batch 159"]) -> Float[np.ndarray, "*batch 165"]:
    """Insert two unmoved eyes into a 53-joint pose (159 columns) to make a 55-joint one (165 columns)."""
    eyes = np.zeros((*pose.shape[:-1], 6), dtype=pose.dtype)
    return np.concatenate([pose[..., :69], eyes, pose[..., 69:]], axis=-1)


def drop_eyes(pose: Float[np.ndarray, "*batch 165"]) -> Float[np.ndarray, "*batch 159"]:
    """Remove the eyes from a 55-joint pose: the inverse of :func:`expand_53_to_55` for unmoved eyes."""
    return np.concatenate([pose[..., :69], pose[..., 75:]], axis=-1)
