"""Bones of the left open hand: where its joints are and which way its fingers point and bend.

Frame of the generator: millimetres, the wrist at the origin, x towards the fingers, y out of the back of the hand,
z towards the thumb. This is how a left hand lies in SMPL-X's T-pose (left arm along +x, palms down, facing +z).

Lengths of the phalanges, of the thumb's metacarpal and of the soft tissue at the tips are the means of Buryanov and
Kotiuk, "Proportions of hand segments", International Journal of Morphology 28(3), 2010, tables 1 to 4. Everything else
here (where knuckles sit in the palm, which way fingers point at rest, how thick they are) was designed by us.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from data_tools.pose_layout import FINGERS

PHALANGES = {
    "index": (39.8, 22.4, 15.8),
    "middle": (44.6, 26.3, 17.4),
    "pinky": (32.7, 18.1, 16.0),
    "ring": (41.4, 25.6, 17.3),
    "thumb": (46.2, 31.6, 21.7),  # metacarpal, proximal, distal
}
"""Bone lengths from the palm outwards, mm (Buryanov & Kotiuk 2010)."""

TIP_TISSUE = {"index": 3.8, "middle": 4.0, "pinky": 3.7, "ring": 4.0, "thumb": 5.7}
"""Soft tissue beyond the last bone, mm (Buryanov & Kotiuk 2010)."""

_FIRST_JOINT = {
    "index": (88, 3, 24.5),
    "middle": (92, 5, 3.5),
    "pinky": (76, -1.5, -32.5),
    "ring": (85.5, 3, -16),
    "thumb": (24, -8, 22),
}
# Degrees per bone: towards the thumb's side, and upwards.
_AZIMUTH = {
    "index": (7, 6, 5),
    "middle": (0.5, 0, 0),
    "pinky": (-13, -11, -10),
    "ring": (-6, -5, -5),
    "thumb": (43, 33, 27),
}
_ELEVATION = dict.fromkeys(FINGERS, (-1, -4, -7)) | {"thumb": (-14, -9, -5)}
_RADII = {
    "index": (10.4, 8.9, 7.7, 6.6),
    "middle": (10.7, 9.1, 7.9, 6.8),
    "pinky": (8.9, 7.5, 6.6, 5.7),
    "ring": (10.1, 8.6, 7.4, 6.4),
    "thumb": (13.0, 11.0, 9.9, 7.9),
}

CARPAL_END = {"index": (20, 1, 13), "middle": (18, 2, 4), "pinky": (18, -1, -13), "ring": (18, 1.5, -5)}
"""Where the four long metacarpals begin, mm."""

ELBOW_SIDE = (-250.0, 0.0, 0.0)
"""A point up the forearm, mm: the bone that what lies behind the wrist follows."""


def unit(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The vector at length one."""
    return np.asarray(vector, float) / np.linalg.norm(vector)


@dataclass(frozen=True, eq=False)
class Finger:
    """One finger at rest, mm.

    Attributes:
        name: One of :data:`data_tools.pose_layout.FINGERS`.
        joints: Three joints and the tip.
        directions: Unit vector along each of the three bones.
        dorsals: Unit vector out of the back of each bone, perpendicular to it.
        lengths: Of the three bones; the last one with the tip's soft tissue.
        radii: Thickness at the three joints and at the tip.
    """

    name: str
    joints: Float[np.ndarray, "4 3"]
    directions: Float[np.ndarray, "3 3"]
    dorsals: Float[np.ndarray, "3 3"]
    lengths: tuple[float, float, float]
    radii: tuple[float, float, float, float]

    @property
    def flexions(self) -> Float[np.ndarray, "3 3"]:
        """Unit axes about which a positive angle bends each joint towards the palm."""
        return np.cross(self.directions, -self.dorsals)


@cache
def hand_skeleton() -> tuple[Finger, ...]:
    """The five fingers in the order of :data:`data_tools.pose_layout.FINGERS`."""
    return tuple(_finger(name) for name in FINGERS)


def _finger(name: str) -> Finger:
    lengths = np.array(PHALANGES[name]) + np.array([0, 0, TIP_TISSUE[name]])
    azimuth, elevation = np.deg2rad(_AZIMUTH[name]), np.deg2rad(_ELEVATION[name])
    flat = np.cos(elevation)
    directions = np.stack([np.cos(azimuth) * flat, np.sin(elevation), np.sin(azimuth) * flat], axis=1)
    joints = np.array(_FIRST_JOINT[name], float) + np.concatenate(
        [np.zeros((1, 3)), np.cumsum(directions * lengths[:, None], axis=0)]
    )
    # The thumb's nail looks half upwards, half away from the fingers.
    towards = ((0.80, (0, 1, 0)), (0.60, (0, 0, 1))) if name == "thumb" else ((1.0, (0, 1, 0)),)
    dorsals = [unit(np.sum([share * _across(axis, d) for share, axis in towards], axis=0)) for d in directions]
    return Finger(name, joints, directions, np.stack(dorsals), tuple(lengths), _RADII[name])


def _across(axis: tuple[float, float, float], direction: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The unit part of an axis perpendicular to a direction."""
    axis_vector = np.array(axis, float)
    return unit(axis_vector - direction * (axis_vector @ direction))


def joint_positions() -> Float[np.ndarray, "17 3"]:
    """Wrist, the 15 finger joints in SMPL-X order, and a point up the forearm, mm."""
    return np.concatenate([np.zeros((1, 3)), *(finger.joints[:3] for finger in hand_skeleton()), [ELBOW_SIDE]])


def anatomical_axes() -> Float[np.ndarray, "15 3 3"]:
    """Of each finger joint of the left hand, the unit axes of flexion, abduction and twist.

    A positive angle about the first bends towards the palm, about the second moves the finger away from the thumb's
    side about the axis out of the back of the hand (right-hand rule), about the third turns it about its own bone.
    """
    fingers = hand_skeleton()
    return np.concatenate([np.stack([f.flexions, f.dorsals, f.directions], axis=1) for f in fingers])
