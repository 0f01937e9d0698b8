"""How far a finger joint can turn, with sources, and which hands go further.

Two sources, because neither is beyond doubt:

* HOnnotate (shreyashampali/HOnnotate, ``optimization/ghope/constraints.py``): boxes on the axis-angle components of a
  right hand in the MANO frame. They are meant for hands *with the mean inside*: of 69,000 pairs of ARCTIC hands the
  bending components leave their boxes in 28 % of the cases with the mean added and in 63 % without. A component whose
  box excludes MANO's own mean hand, the average of some thousand scans, limits nothing that people do and is left out
  (ring1 x, which is fixed within 0.1 rad; thumb2 x and z): see :data:`LEFT_OUT`.
* Anatomical ranges in degrees (HMI Twente ``Hand.java`` and clinical goniometry): :data:`data_tools.joint_axes.LIMITS`,
  about the axes of the open hand, which are MANO's only nearly.

Fits to video leave both often, by a few degrees: read the shares to compare datasets, not as verdicts on one frame.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32

from data_tools.joint_axes import LIMITS
from data_tools.pose_layout import HAND_JOINT_NAMES

LIMIT_SOURCE = "HOnnotate constraints.py (MANO frame, mean included)"
RANGE_SOURCE = "HMI Twente Hand.java; clinical goniometry (thumb)"

HONNOTATE: dict[str, dict[str, tuple[float, float]]] = {
    "index1": {"x": (0.0, 0.45), "y": (-0.15, 0.2), "z": (0.1, 1.8)},
    "index2": {"z": (0.0, 2.0)},
    "index3": {"z": (0.0, 1.25)},
    "middle1": {"y": (-0.15, 0.15), "z": (0.1, 2.0)},
    "middle2": {"z": (0.0, 2.0)},
    "middle3": {"z": (0.0, 1.25)},
    "pinky1": {"x": (-1.5, -0.2), "y": (-0.15, 0.6), "z": (-0.1, 1.6)},
    "pinky2": {"z": (0.0, 2.0)},
    "pinky3": {"z": (0.0, 1.25)},
    "ring1": {"x": (-0.5, -0.4), "y": (-0.25, 0.1), "z": (0.1, 1.8)},
    "ring2": {"z": (0.0, 2.0)},
    "ring3": {"z": (0.0, 1.25)},
    "thumb1": {"x": (0.0, 2.0), "y": (-0.83, 0.66), "z": (0.0, 0.5)},
    "thumb2": {"x": (-0.15, 1.6), "z": (0.0, 0.5)},
    "thumb3": {"y": (-0.5, 0.0), "z": (-1.57, 1.08)},
}
"""Smallest and largest component of each joint's axis-angle, right hand, radians. Others are free."""

LEFT_OUT = (("ring1", "x"), ("thumb2", "x"), ("thumb2", "z"))
"""Boxes of HOnnotate that MANO's mean hand lies outside of."""


def _boxes() -> Float[np.ndarray, "2 30 3"]:
    """Smallest and largest components of both hands, left first; the left hand's y and z are mirrored."""
    right = np.stack([np.full((15, 3), -np.inf), np.full((15, 3), np.inf)])
    for joint, limits in HONNOTATE.items():
        for axis, box in limits.items():
            if (joint, axis) not in LEFT_OUT:
                right[:, HAND_JOINT_NAMES.index(joint), "xyz".index(axis)] = box
    left = right.copy()
    left[:, :, 1:] = -right[::-1, :, 1:]
    return np.concatenate([left, right], axis=1)


BOXES = _boxes()
"""(2, 30, 3): smallest and largest component that is checked; infinite where none is."""

HAS_LIMIT: Bool[np.ndarray, "30"] = np.isfinite(BOXES).any(axis=(0, 2))
"""Which of the 30 joints have a box."""

WITH_LIMIT = int(HAS_LIMIT[:15].sum())
"""How many of a hand's 15 joints have one."""

# Plane by plane (x, y, z, or angle by angle), for both hands: right hands' angles are measured as their mirror images.
_LOW, _HIGH = (side.T[:, None].astype(np.float32) for side in BOXES)
_RANGE_LOW, _RANGE_HIGH = (np.tile(LIMITS[..., k].T, 2)[:, None].astype(np.float32) for k in (0, 1))


def beyond_box(vectors: Float32[np.ndarray, "3 frames 30"]) -> Float32[np.ndarray, "frames 30"]:
    """How far each joint lies outside its box: the largest excess of its components, radians; 0 inside.

    Args:
        vectors: Axis-angle in the model's convention (mean included, principal branch), from
            :func:`data_tools.auditing.finger_rotations.planes`.
    """
    out = np.zeros(vectors.shape[1:], np.float32)
    for plane, low, high in zip(vectors, _LOW, _HIGH, strict=True):
        np.maximum(out, low - plane, out=out)
        np.maximum(out, plane - high, out=out)
    return out


def out_of_range(angles: Float32[np.ndarray, "3 frames 30"]) -> Bool[np.ndarray, "frames 30"]:
    """Tell which joints leave the anatomical range in flexion, abduction or twist.

    Args:
        angles: From :func:`data_tools.auditing.finger_rotations.anatomical_angles`.
    """
    out = np.zeros(angles.shape[1:], bool)
    for plane, low, high in zip(angles, _RANGE_LOW, _RANGE_HIGH, strict=True):
        out |= plane < low
        out |= plane > high
    return out
