"""Which bone moves which part of the skin: linear blend skinning weights of the left open hand."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from data_tools.open_hand.skeleton import CARPAL_END, Finger, hand_skeleton, unit
from data_tools.open_hand.surface import adjacency

FOREARM = 16
"""Column of the forearm; before it the wrist (0) and the 15 finger joints."""

# All sizes here are mm and were designed by us: half-widths of the zones in which one bone hands over to the next,
# and how fast skin between two fingers changes sides.
_ZONES = {"thumb": (21.0, 12.0, 8.5), "pinky": (11.5, 7.2, 6.0)}
_ORDINARY_ZONES = (13.0, 8.5, 6.8)
_ZONE_SHIFT = {"thumb": (4.0, 0.0, 0.0)}
_ORDINARY_SHIFT = (2.0, 0.0, 0.0)
_SIDE_WIDTH = {"thumb": 4.5}
_ORDINARY_SIDE_WIDTH = 2.6
_WRIST_ZONE = (-20.0, 20.0)


def skin_weights(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "V 17"]:
    """Weights that sum to one, at most four per vertex, smoothed along the skin.

    Args:
        vertices: Skin at rest, mm.
        faces: Triangles, for the smoothing.
    """
    share = _finger_shares(vertices)
    weights = np.zeros((len(vertices), 17))
    for k, finger in enumerate(hand_skeleton()):
        weights[:, 1 + 3 * k : 4 + 3 * k] = share[:, k : k + 1] * _along_finger(vertices, finger)
    rest = np.maximum(1 - weights.sum(axis=1), 0)
    behind = 1 - smooth_step((vertices[:, 0] - _WRIST_ZONE[0]) / (_WRIST_ZONE[1] - _WRIST_ZONE[0]))
    weights[:, 0], weights[:, FOREARM] = rest * (1 - behind), rest * behind
    neighbours = adjacency(faces, len(vertices))
    mean = neighbours.multiply(1 / neighbours.sum(axis=1).reshape(-1, 1)).tocsr()
    for _ in range(3):
        weights = 0.5 * weights + 0.5 * (mean @ weights)
    return keep_strongest(weights)


def smooth_step(share: np.ndarray) -> np.ndarray:
    """0 to 1 with both first and second derivative zero at the ends."""
    t = np.clip(share, 0, 1)
    return t**3 * (t * (6 * t - 15) + 10)


def keep_strongest(weights: Float[np.ndarray, "V J"], count: int = 4) -> Float[np.ndarray, "V J"]:
    """Keep the largest few weights of each vertex, drop traces, and make them sum to one again."""
    weights = weights.copy()
    np.put_along_axis(weights, np.argsort(-weights, axis=1)[:, count:], 0, axis=1)
    weights[weights < 0.004] = 0
    return weights / weights.sum(axis=1, keepdims=True)


def distance_to_bone(points: Float[np.ndarray, "n 3"], start: np.ndarray, end: np.ndarray) -> Float[np.ndarray, "n"]:
    """Distance to a segment."""
    axis = end - start
    share = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    return np.linalg.norm(points - start - np.outer(share, axis), axis=1)


def _finger_shares(points: np.ndarray) -> Float[np.ndarray, "V 5"]:
    """How much each finger owns a point: a soft minimum over distances to the fingers' flesh."""
    fingers = hand_skeleton()
    distances = np.stack([_distance_to_finger(points, finger) for finger in fingers], axis=1)
    width = np.array([_SIDE_WIDTH.get(finger.name, _ORDINARY_SIDE_WIDTH) for finger in fingers])
    closeness = np.exp(-(distances - distances.min(axis=1, keepdims=True)) / width)
    return closeness / closeness.sum(axis=1, keepdims=True)


def _distance_to_finger(points: np.ndarray, finger: Finger) -> np.ndarray:
    ends, thickness = list(finger.joints), list(finger.radii)
    if finger.name in CARPAL_END:
        ends.insert(0, np.array(CARPAL_END[finger.name], float))
        thickness.insert(0, finger.radii[0])
    bones = zip(ends, ends[1:], thickness, thickness[1:], strict=False)
    return np.min([distance_to_bone(points, a, b) - (ra + rb) / 2 for a, b, ra, rb in bones], axis=0)


def _along_finger(points: np.ndarray, finger: Finger) -> Float[np.ndarray, "V 3"]:
    """Shares of a finger's three bones; what is left belongs to the palm."""
    if finger.name in CARPAL_END:
        before = unit(finger.joints[0] - np.array(CARPAL_END[finger.name], float))
    else:
        before = unit(finger.directions[0] + np.array([0.5, 0, -0.3]))
    zones = _ZONES.get(finger.name, _ORDINARY_ZONES)
    shifts = _ZONE_SHIFT.get(finger.name, _ORDINARY_SHIFT)
    previous = [before, finger.directions[0], finger.directions[1]]
    passed = []
    for k in range(3):
        # Planes that halve the angle between two bones, so that a bent joint folds evenly.
        across = unit(previous[k] + finger.directions[k])
        depth = (points - finger.joints[k]) @ across - shifts[k]
        passed.append(smooth_step((depth / zones[k] + 1) / 2))
    first, second, third = passed
    return np.stack([first * (1 - second), first * second * (1 - third), first * second * third], axis=1)
