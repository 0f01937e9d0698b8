"""Anatomical angles of a hand (flexion, abduction, twist) to and from SMPL-X axis-angle, and their limits.

The axes are the open hand's (:func:`data_tools.open_hand.skeleton.anatomical_axes`) and, nearly, MANO's: in the rest
pose the fingers are straight, and a left hand's frame is x from wrist to fingertips, y out of the back of the hand, z
towards the thumb. A right hand is taken as its mirror image (:func:`data_tools.pose_layout.mirror_hand`).

Angles are arrays of shape (..., 15, 3), one row per joint in SMPL-X order. For every joint but the thumb's base the
columns are flexion, abduction (positive away from the thumb) and twist about the bone. The thumb's base (``thumb1``)
turns about the hand's own axes instead: opposition (towards the palm), adduction (towards the fingers) and lift.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_tools.open_hand.skeleton import anatomical_axes
from data_tools.pose_layout import HAND_JOINT_NAMES

THUMB_BASE = HAND_JOINT_NAMES.index("thumb1")


def _joint_frames() -> Float[np.ndarray, "15 3 3"]:
    frames = anatomical_axes().copy()
    frames[THUMB_BASE] = np.eye(3)
    return frames


JOINT_FRAMES = _joint_frames()
"""(15, 3, 3): rows are each joint's flexion, abduction and twist axis, unit vectors in the left hand's rest frame."""


def _limits_deg() -> Float[np.ndarray, "15 3 2"]:
    finger = [[(0, 90), (-15, 15), (-10, 10)], [(0, 110), (-6, 6), (-9, 9)], [(0, 90), (-6, 6), (-9, 9)]]
    thumb = [[(-20, 105), (-30, 32), (-15, 40)], [(0, 60), (-9, 9), (-9, 9)], [(-10, 80), (-6, 6), (-9, 9)]]
    return np.array(finger * 4 + thumb, dtype=np.float64)


LIMITS = np.deg2rad(_limits_deg())
"""(15, 3, 2): smallest and largest angle, radians.

Flexion of the fingers (MCP 0-90, PIP 0-110, DIP 0-90 degrees) and their abduction (15 degrees either way): the hand
model of HMI Twente (``Hand.java``). Thumb MCP 0-60 and IP -10 to 80: clinical goniometry. The thumb's base is given
about the hand's axes, where no published table applies: a box around the shapes of :mod:`.handshapes`, from thumb
alongside the palm to thumb across a fist. Side play and twist of the hinge joints: a few degrees, as fits show them.
"""


_SOFTNESS = 0.15**2  # of half a joint's range


def pose_from_angles(angles: Float[np.ndarray, "*batch 15 3"]) -> Float[np.ndarray, "*batch 45"]:
    """Turn anatomical angles into the axis-angle pose of a left hand, radians.

    Flexion acts first, about an axis fixed to the bone nearer the wrist, then abduction, then twist about the bone:
    the joint coordinate system of Grood and Suntay (1983).
    """
    half = np.asarray(angles, dtype=np.float64) * 0.5
    cos, sin = np.cos(half), np.sin(half)
    (ca, cb, cc), (sa, sb, sc) = np.moveaxis(cos, -1, 0), np.moveaxis(sin, -1, 0)
    vector = np.stack([sa * cb * cc + ca * sb * sc, ca * sb * cc - sa * cb * sc, ca * cb * sc + sa * sb * cc], axis=-1)
    scalar = ca * cb * cc - sa * sb * sc
    length = np.linalg.norm(vector, axis=-1)
    # Angles stay far below 180 degrees, so the scalar part is positive and this is the principal branch.
    scale = np.where(length > 1e-12, 2 * np.arctan2(length, scalar) / np.maximum(length, 1e-12), 2.0)
    rotvec = np.einsum("...jb,jba->...ja", vector * scale[..., None], JOINT_FRAMES)
    return rotvec.reshape(*rotvec.shape[:-2], 45)


def angles_from_pose(pose: Float[np.ndarray, "*batch 45"]) -> Float[np.ndarray, "*batch 15 3"]:
    """Read the anatomical angles off a left hand's axis-angle pose: the inverse of :func:`pose_from_angles`."""
    rotvec = np.asarray(pose, dtype=np.float64).reshape(*pose.shape[:-1], 15, 3)
    local = np.einsum("...ja,jba->...jb", rotvec, JOINT_FRAMES)
    return Rotation.from_rotvec(local.reshape(-1, 3)).as_euler("XYZ").reshape(local.shape)


def keep_inside(angles: Float[np.ndarray, "*batch 15 3"]) -> Float[np.ndarray, "*batch 15 3"]:
    """Bend angles that near or pass their limit back inside it, smoothly: a joint's stop is soft, not a wall.

    Uses ``(sqrt((t + 1)^2 + e^2) - sqrt((t - 1)^2 + e^2)) / 2``, a smooth, odd and rising form of clipping ``t`` to
    [-1, 1]; nothing sticks exactly at a limit.
    """
    middle, half = LIMITS.mean(axis=-1), 0.5 * (LIMITS[..., 1] - LIMITS[..., 0])
    place = (angles - middle) / half
    return middle + half * 0.5 * (np.sqrt((place + 1) ** 2 + _SOFTNESS) - np.sqrt((place - 1) ** 2 + _SOFTNESS))
