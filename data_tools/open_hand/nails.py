"""Finger nails: thin plates on the skin, each with a hem that dips under it so that no gap or ragged edge shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import Delaunay

from data_tools.open_hand.hand_distance import hand_distance
from data_tools.open_hand.skeleton import Finger

# Nail sizes as multiples of the radius at the finger's tip; designed by us.
_LENGTH = {"thumb": 1.75, "pinky": 1.65}
_ORDINARY_LENGTH = 1.80
_HALF_WIDTH = {"thumb": 0.86}
_ORDINARY_HALF_WIDTH = 0.76
_FROM_TIP = 0.30  # free edge to the tip of the finger

_RINGS = ((0.0, 1), (0.5, 8), (1.0, 18))
_ROUNDNESS = 2.7  # exponent of the outline: 2 is an ellipse, more is squarer
_LIFT = 0.35  # mm of the plate above the skin
_HEM = (0.97, -1.3)  # where the hem ends: share of the outline, and mm below the skin


@dataclass(frozen=True, eq=False)
class Nail:
    """An open mesh, mm, whose only boundary lies under the skin."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]


def nail(finger: Finger, clearance: float) -> Nail:
    """The nail of one finger.

    Args:
        finger: Whose.
        clearance: How far, in mm, the drawn skin may stand out over the distance field's surface.
    """
    plan, ring = _plan()
    radius = finger.radii[3]
    length = radius * _LENGTH.get(finger.name, _ORDINARY_LENGTH)
    half_width = radius * _HALF_WIDTH.get(finger.name, _ORDINARY_HALF_WIDTH)
    along, out = finger.directions[2], finger.dorsals[2]
    side = np.cross(along, out)
    centre = finger.joints[2] + along * (finger.lengths[2] - radius * _FROM_TIP - length / 2)
    x, z = plan[:, 0] * length / 2, plan[:, 1] * half_width * (1 - 0.06 * np.minimum(plan[:, 0], 0) ** 2)
    skin = _on_skin(centre + np.outer(x, along) + np.outer(z, side) + out * (radius * 1.4), out)
    # A plate is stiff: towards the free edge it leaves the falling finger tip instead of following it.
    height = skin @ out
    plate = 0.35 * height + 0.65 * _stiff_height(x, z, height, length)
    lift = np.where(ring == len(_RINGS), _HEM[1], _LIFT + clearance)
    vertices = skin + np.outer(np.where(ring == len(_RINGS), 0, np.maximum(plate - height, 0)) + lift, out)
    return Nail(vertices, _facing(vertices, _triangles(plan, ring), out))


def _plan() -> tuple[np.ndarray, np.ndarray]:
    """Flat outline in rings from the middle outwards, then the hem: points in [-1, 1]^2 and the ring of each."""
    points, ring = [], []
    rings = [(share, count) for share, count in _RINGS] + [(_HEM[0], _RINGS[-1][1])]
    for k, (share, count) in enumerate(rings):
        angle = np.arange(count) * 2 * np.pi / count
        corner = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points.append(share * np.sign(corner) * np.abs(corner) ** (2 / _ROUNDNESS))
        ring += [k] * count
    return np.concatenate(points), np.array(ring)


def _on_skin(points: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Let points above the finger sink onto the skin, straight down."""
    for _ in range(20):
        points = points - np.outer(np.clip(hand_distance(points), -1.5, 1.5) * 0.8, out)
    return points


def _stiff_height(x: np.ndarray, z: np.ndarray, height: np.ndarray, length: float) -> np.ndarray:
    """Heights of a cylinder-like plate fitted to the skin of the nail's near two thirds: linear along, round across."""
    near = x < length / 6
    terms = np.stack([np.ones_like(x), x, z * z, z**4], axis=1)
    fit, *_ = np.linalg.lstsq(terms[near], height[near], rcond=None)
    return terms @ fit


def _triangles(plan: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Delaunay inside the outline, then a band from the outline to the hem."""
    last = len(_RINGS)
    inside = np.flatnonzero(ring < last)
    outline, hem = np.flatnonzero(ring == last - 1), np.flatnonzero(ring == last)
    plate = Delaunay(plan[inside]).simplices
    next_outline, next_hem = np.roll(outline, -1), np.roll(hem, -1)
    band = [np.stack([outline, hem, next_hem], axis=1), np.stack([outline, next_hem, next_outline], axis=1)]
    return np.concatenate([plate, *band])


def _facing(vertices: np.ndarray, faces: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Turn every triangle outwards: up on the plate, away from the middle on the hem."""
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    away = corners.mean(axis=1) - vertices[0] + 2 * out
    wrong = (normal * away).sum(axis=1) < 0
    return np.where(wrong[:, None], faces[:, ::-1], faces)
