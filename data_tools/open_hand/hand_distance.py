"""The flesh of the left open hand: a signed distance field in millimetres, in the frame of ``skeleton``.

Every size and blend here was designed by us, by eye, around the bones of :mod:`data_tools.open_hand.skeleton`.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from data_tools.open_hand.primitives import (
    Distances,
    Limb,
    Points,
    bone_axes,
    cut,
    ellipsoid,
    flat_cone,
    join,
    round_cone,
)
from data_tools.open_hand.skeleton import CARPAL_END, Finger, hand_skeleton, unit

FOREARM_END = -50.0
"""Where the forearm is cut off, mm behind the wrist."""

BOX = (np.array([-56.0, -46.0, -62.0]), np.array([192.0, 28.0, 100.0]))
"""Corners of a box around the hand, mm."""

_CAP = 1.25  # how pointed a finger tip is: 1 would be half a ball

# Sections of a finger. Columns: bone, share of the way along it, half-widths sideways, towards the back and towards the
# palm, as multiples of the radius that the skeleton gives there.
_FINGER_PROFILE = np.array([
    (0, 0.00, 0.98, 0.86, 0.92),
    (0, 0.45, 0.98, 0.83, 1.00),
    (0, 0.70, 0.98, 0.84, 1.00),
    (1, 0.00, 1.03, 0.93, 0.95),
    (1, 0.28, 1.01, 0.84, 1.00),
    (1, 0.60, 1.00, 0.79, 1.04),
    (2, 0.00, 1.03, 0.84, 0.95),
    (2, 0.30, 1.05, 0.78, 1.06),
    (2, 0.70, 1.07, 0.76, 1.16),
    (2, 1.00, 1.02, 0.74, 1.10),
])  # fmt: skip
_THUMB_PROFILE = np.array([
    (0, 0.00, 1.00, 1.00, 1.00),
    (0, 0.50, 1.00, 0.96, 1.02),
    (0, 0.80, 1.00, 0.92, 1.00),
    (1, 0.00, 1.04, 0.94, 0.98),
    (1, 0.40, 0.98, 0.82, 1.00),
    (1, 0.75, 0.97, 0.80, 0.98),
    (2, 0.00, 1.03, 0.82, 0.92),
    (2, 0.35, 1.10, 0.76, 1.05),
    (2, 0.75, 1.18, 0.70, 1.10),
    (2, 1.00, 1.06, 0.66, 0.98),
])  # fmt: skip

_WEBS = (("index", "middle", 0.36, 6.3), ("middle", "ring", 0.34, 6.2), ("ring", "pinky", 0.36, 5.6))
_METACARPAL_RADII = {"index": 12.0, "middle": 12.2, "ring": 11.4, "pinky": 10.2}
_KNUCKLE_RADII = {"index": 8.8, "middle": 9.2, "ring": 8.4, "pinky": 7.4}


def hand_distance(points: Points) -> Distances:
    """Signed distance of points to the skin of the whole hand with the end of its forearm; negative inside."""
    fingers = {finger.name: finger for finger in hand_skeleton()}
    body = join(_palm(points, fingers), _forearm(points), 18)
    body = join(body, _thenar(points, fingers["thumb"]), 18)
    body = cut(body, ellipsoid(points, (58, -31, -5), (40, 15, 20)), 18)
    body = join(body, _finger_limb(fingers["thumb"]).distance(points), 9)
    body = _with_thumb_web(points, body, fingers["thumb"])
    body = join(body, _long_fingers(points, fingers), 7)
    return cut(body, points[:, 0] - FOREARM_END, 24)


def outward(points: Points, step: float = 0.15) -> Points:
    """Unit normals of the field, out of the skin, by central differences over ``step`` mm."""
    gradient = _gradient(points, step)
    return gradient / (np.linalg.norm(gradient, axis=1, keepdims=True) + 1e-9)


def project(points: Points, times: int = 4) -> Points:
    """Move points onto the skin along the field's gradient."""
    for _ in range(times):
        gradient = _gradient(points, 0.15)
        steepness = np.maximum((gradient * gradient).sum(axis=1), 0.2)
        points = points - (np.clip(hand_distance(points), -2, 2) / steepness)[:, None] * gradient
    return points


def _gradient(points: Points, step: float) -> Points:
    offsets = step * np.eye(3)
    sides = [hand_distance(points + o) - hand_distance(points - o) for o in offsets]
    return np.stack(sides, axis=1) / (2 * step)


def _finger_limb(finger: Finger) -> Limb:
    """A finger as a rod of changing section: pads between the creases, joints a little wider than the bones."""
    one, two, three = finger.lengths
    profile = _THUMB_PROFILE if finger.name == "thumb" else _FINGER_PROFILE
    tip = one + two + three - _CAP * finger.radii[3]
    start = np.array([0.0, one, one + two])
    end = np.array([one, one + two, tip])
    bone, share, across, back, front = profile.T
    bone = bone.astype(int)
    r = finger.radii
    thickness = np.interp(bone + share, [0, 1, 2, 3], r)
    return Limb(
        finger.joints,
        finger.directions,
        finger.dorsals,
        stations=start[bone] + share * (end - start)[bone],
        across=across * thickness,
        back=back * thickness,
        front=front * thickness,
        cap=_CAP * r[3],
    )


def _long_fingers(points: Points, fingers: dict[str, Finger]) -> Distances:
    """Four fingers with the skin between their roots."""
    solids = [_finger_limb(fingers[name]).distance(points) for name in ("index", "middle", "ring", "pinky")]
    solid = reduce(lambda a, b: join(a, b, 1.6), solids)
    for one, other, share, radius in _WEBS:
        ends = [fingers[k].joints[0] + fingers[k].directions[0] * fingers[k].lengths[0] * share for k in (one, other)]
        below = np.array([0, -2.2, 0])
        solid = join(solid, round_cone(points, ends[0] + below, ends[1] + below, radius, radius * 0.999), 5.5)
    return solid


def _palm(points: Points, fingers: dict[str, Finger]) -> Distances:
    solids = []
    for name, radius in _METACARPAL_RADII.items():
        knuckle = fingers[name].joints[0] - np.array([0, 1.2, 0])
        carpal = np.array(CARPAL_END[name], float)
        solids.append(flat_cone(points, carpal, knuckle, 14.0, radius, np.array([0, 1.0, 0]), 0.97))
    solid = reduce(lambda a, b: join(a, b, 9), solids)
    solid = join(solid, ellipsoid(points, (10, 0, 0), (30, 16.5, 25)), 16)
    # pads below the fingers, and the heel on the little finger's side
    solid = join(solid, ellipsoid(points, (83, -7, 11), (17, 7, 22)), 14)
    solid = join(solid, ellipsoid(points, (75, -7, -15), (17, 6.5, 19)), 14)
    lean = np.deg2rad(-12)
    heel_axes = [[np.cos(lean), 0, np.sin(lean)], [0, 1, 0], [-np.sin(lean), 0, np.cos(lean)]]
    solid = join(solid, ellipsoid(points, (40, -10, -23.5), (37, 13, 14), heel_axes), 13)
    for name, radius in _KNUCKLE_RADII.items():
        centre = fingers[name].joints[0] + np.array([-2, 4.0, 0])
        solid = join(solid, ellipsoid(points, centre, (14, radius * 0.84, radius * 0.86)), 10)
    return solid


def _thenar(points: Points, thumb: Finger) -> Distances:
    """The ball of the thumb."""
    along = thumb.directions[0]
    centre = thumb.joints[0] + along * 20 + np.array([4, -4.4, -7])
    axes = bone_axes(unit(along + np.array([0.12, 0, -0.2])), np.array([0, 1.0, 0]))
    return ellipsoid(points, centre, (33, 14, 16.5), axes)


def _forearm(points: Points) -> Distances:
    """An oval end of the forearm, wider than it is thick."""
    squeezed = points / np.array([1, 1, 1.42])
    return round_cone(squeezed, np.array([10.0, 0, 0]), np.array([-70.0, 1, 0]), 18.0, 20.5)


def _with_thumb_web(points: Points, solid: Distances, thumb: Finger) -> Distances:
    """The fold of skin between thumb and index finger, in two strands."""
    j, along = thumb.joints, thumb.directions[0]
    strands = (
        (j[0] + along * 30 + np.array([2, 2, -6]), np.array([66.0, -2, 27]), 7.0, 14),
        (j[1] + np.array([-4, 2, -7]), np.array([78.0, -3, 30]), 4.6, 12),
    )
    for start, end, radius, blend in strands:
        solid = join(solid, round_cone(points, start, end, radius, radius * 0.999), blend)
    return solid
