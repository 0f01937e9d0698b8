"""Ten ways in which hands differ, as shape directions; one unit is about one standard deviation, by our judgement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from data_tools.open_hand.expansion import SIZE_PER_UNIT
from data_tools.open_hand.hand_distance import outward
from data_tools.open_hand.skeleton import hand_skeleton

_PALM_END = 85.0  # mm from the wrist; longer palms push the fingers out
_MOUNDS = ((44, -20, 24), (40, -18, -25))  # middles of the balls of the thumb and of the little finger, mm

LABELS: tuple[str, ...] = (
    "overall size",
    "finger length",
    "hand width",
    "thickness",
    "thumb length",
    "palm length",
    "finger thickness",
    "index longer than ring",
    "finger tip thickness",
    "palm fullness",
)


def shape_directions(
    vertices: Float[np.ndarray, "V 3"], weights: Float[np.ndarray, "V 17"]
) -> Float[np.ndarray, "V 3 10"]:
    """Displacement (mm) of the rest shape per unit of each of :data:`LABELS`."""
    normal = outward(vertices)
    x, _, z = vertices.T
    across, along = np.array([0, 0, 1.0]), np.array([1.0, 0, 0])
    in_finger = weights[:, 1:16].sum(axis=1)
    in_last_bone = weights[:, 3:16:3].sum(axis=1)
    fullness = sum(np.exp(-((vertices - mound) ** 2).sum(axis=1) / (2 * 18.0**2)) for mound in _MOUNDS)
    long_fingers = dict.fromkeys(("index", "middle", "pinky", "ring"), 0.06)
    directions = (
        SIZE_PER_UNIT * vertices,
        _longer_bones(vertices, weights, long_fingers),
        0.05 * np.outer(z, across),
        0.8 * normal,
        _longer_bones(vertices, weights, {"thumb": 0.08}),
        0.05 * np.outer(np.clip(x, 0, _PALM_END), along),
        0.7 * in_finger[:, None] * normal,
        _longer_bones(vertices, weights, {"index": 0.05, "ring": -0.05}),
        0.6 * in_last_bone[:, None] * normal,
        1.8 * fullness[:, None] * normal,
    )
    return np.stack(directions, axis=2)


def _longer_bones(vertices: np.ndarray, weights: np.ndarray, gains: Mapping[str, float]) -> Float[np.ndarray, "V 3"]:
    """Stretch the bones of some fingers along themselves, each carrying those beyond it outwards."""
    out = np.zeros_like(vertices)
    for k, finger in enumerate(hand_skeleton()):
        gain = gains.get(finger.name, 0.0)
        carried = np.zeros(3)
        for bone, (joint, direction) in enumerate(zip(finger.joints, finger.directions, strict=False)):
            along = np.maximum((vertices - joint) @ direction, -4.0)
            out += weights[:, [1 + 3 * k + bone]] * (carried + gain * np.outer(along, direction))
            carried = carried + gain * finger.lengths[bone] * direction
    return out
