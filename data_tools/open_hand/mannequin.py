"""A plain mannequin for the open hands to sit on: body joints, a simple skin and its weights. Metres, y up, facing +z.

SMPL-X files describe a whole body, so the open hand brings one. It is a stand-in with a person's proportions, designed
by us around a stature of 1.74 m; nothing is meant to be learnt from its body.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from jaxtyping import Float, Int

from data_tools.open_hand.primitives import Distances, Points, ellipsoid, join, round_cone
from data_tools.open_hand.skin_weights import distance_to_bone, keep_strongest
from data_tools.open_hand.surface import adjacency, sample_surface, simplify
from data_tools.pose_layout import JOINT_NAMES, PARENTS

BODY_JOINTS = 25

_MIDDLE = {
    "pelvis": (0, 0.94, 0),
    "spine1": (0, 1.05, -0.01),
    "spine2": (0, 1.18, -0.01),
    "spine3": (0, 1.24, 0),
    "neck": (0, 1.46, -0.02),
    "head": (0, 1.54, 0),
    "jaw": (0, 1.55, 0.01),
}
_LEFT = {
    "hip": (0.09, 0.88, 0),
    "knee": (0.105, 0.48, 0),
    "ankle": (0.10, 0.07, -0.02),
    "foot": (0.11, 0.02, 0.09),
    "collar": (0.05, 1.40, -0.01),
    "shoulder": (0.18, 1.42, -0.02),
    "elbow": (0.45, 1.41, -0.03),
    "wrist": (0.70, 1.41, -0.03),
    "eye": (0.032, 1.60, 0.07),
}
_CROWN = (0, 1.68, 0.01)

_BOX = (np.array([-0.80, -0.05, -0.22]), np.array([0.80, 1.80, 0.25]))
_SPACING = 0.011
_BONE_BLEND = 0.012  # metres over which one bone's skin goes over to the next

# Where smplx picks face and foot points, on the left side; the nose is in the middle.
_LANDMARKS = {
    "eye": (0.032, 1.63, 0.10),
    "ear": (0.075, 1.62, 0),
    "BigToe": (0.10, 0.01, 0.18),
    "SmallToe": (0.14, 0.01, 0.15),
    "Heel": (0.10, 0.01, -0.08),
}
_NOSE = (0, 1.61, 0.12)

_LIMBS = (
    # from, to, radii, blend
    ("hip", "knee", 0.080, 0.055, 0.12),
    ("knee", "ankle", 0.055, 0.036, 0.03),
    ("collar", "shoulder", 0.060, 0.055, 0.06),
    ("shoulder", "elbow", 0.050, 0.037, 0.05),
    ("elbow", "wrist", 0.037, 0.0235, 0.03),
)


def body_joints() -> Float[np.ndarray, "25 3"]:
    """The 25 joints before the hands', in SMPL-X order."""
    return np.array([_joint(name) for name in JOINT_NAMES[:BODY_JOINTS]], float)


def _joint(name: str) -> tuple[float, float, float]:
    if name in _MIDDLE:
        return _MIDDLE[name]
    side, part = name.split("_")
    x, y, z = _LEFT[part]
    return (x if side == "left" else -x, y, z)


def body_distance(points: Points) -> Distances:
    """Signed distance to the mannequin's skin; negative inside. The same on both sides of x = 0."""
    points = np.column_stack([np.abs(points[:, 0]), points[:, 1:]])

    def rod(start: tuple, end: tuple, radius_start: float, radius_end: float) -> Distances:
        return round_cone(points, np.array(start, float), np.array(end, float) + 1e-6, radius_start, radius_end * 0.999)

    solid = rod(_MIDDLE["pelvis"], _MIDDLE["spine3"], 0.128, 0.135)
    solid = join(solid, rod(_MIDDLE["spine3"], (0, 1.37, -0.01), 0.13, 0.11), 0.06)
    solid = join(solid, rod(_MIDDLE["neck"], _MIDDLE["head"], 0.055, 0.055), 0.05)
    solid = join(solid, ellipsoid(points, np.array([0, 1.62, 0.01]), np.array([0.075, 0.115, 0.095])), 0.03)
    for start, end, radius_start, radius_end, blend in _LIMBS:
        solid = join(solid, rod(_LEFT[start], _LEFT[end], radius_start, radius_end), blend)
    heel, toes = np.add(_LEFT["ankle"], (0, -0.03, -0.03)), np.add(_LEFT["foot"], (0, 0.012, 0.06))
    return join(solid, rod(tuple(heel), tuple(toes), 0.032, 0.026), 0.03)


def body_mesh(vertices: int) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]:
    """A closed mesh of about so many vertices, never more."""
    sampled = sample_surface(body_distance, _BOX, _SPACING)
    return simplify(sampled, vertices)


def body_weights(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "V 25"]:
    """Weights that sum to one: the nearest bones', smoothed along the skin."""
    joints = body_joints()
    bones = [(PARENTS[k], joints[PARENTS[k]], joints[k]) for k in range(1, 22)]
    bones += [(15, joints[15], np.array(_CROWN))]
    bones += [(wrist, joints[wrist], joints[wrist] + (0.05 * sign, 0, 0)) for wrist, sign in ((20, 1), (21, -1))]
    distances = np.stack([distance_to_bone(vertices, start, end + 1e-6) for _, start, end in bones], axis=1)
    closeness = np.exp(-(distances - distances.min(axis=1, keepdims=True)) / _BONE_BLEND)
    weights = np.zeros((len(vertices), BODY_JOINTS))
    for column, (joint, _, _) in enumerate(bones):
        weights[:, joint] += closeness[:, column] / closeness.sum(axis=1)
    neighbours = adjacency(faces, len(vertices))
    mean = neighbours.multiply(1 / neighbours.sum(axis=1).reshape(-1, 1)).tocsr()
    weights = reduce(lambda w, _: 0.5 * w + 0.5 * (mean @ w), range(8), weights)
    return keep_strongest(weights)


def body_landmarks(vertices: Float[np.ndarray, "V 3"]) -> dict[str, int]:
    """The vertex nearest to each face and foot point, by the names of ``smplx.vertex_ids``."""
    wanted: dict[str, tuple[float, float, float]] = {"nose": _NOSE}
    for part, (x, y, z) in _LANDMARKS.items():
        left, right = ("l", "r") if part in ("eye", "ear") else ("L", "R")
        wanted |= {left + part: (x, y, z), right + part: (-x, y, z)}
    return {name: int(np.argmin(np.linalg.norm(vertices - place, axis=1))) for name, place in wanted.items()}
