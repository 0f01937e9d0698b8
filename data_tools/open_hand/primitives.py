"""Signed distances to simple solids, and smooth ways of joining them. Negative inside; mm or metres as given.

The formulas are Inigo Quilez's (https://iquilezles.org/articles/distfunctions, /articles/smin).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

Points = Float[np.ndarray, "n 3"]
Distances = Float[np.ndarray, "n"]


def round_cone(points: Points, start: ArrayLike, end: ArrayLike, radius_start: float, radius_end: float) -> Distances:
    """A rod with round ends whose radius goes evenly from one end's to the other's."""
    axis = np.subtract(end, start).astype(float)
    length2 = axis @ axis
    narrowing = radius_start - radius_end
    slant2 = length2 - narrowing * narrowing
    from_start = points - np.asarray(start, float)
    along = from_start @ axis
    beyond = along - length2
    off = from_start * length2 - np.outer(along, axis)
    off2 = (off * off).sum(axis=1)
    along2, beyond2 = along * along * length2, beyond * beyond * length2
    lean = np.sign(narrowing) * narrowing * narrowing * off2
    distance = (np.sqrt(off2 * slant2 / length2) + along * narrowing) / length2 - radius_start
    past_end = np.sign(beyond) * slant2 * beyond2 > lean
    before_start = ~past_end & (np.sign(along) * slant2 * along2 < lean)
    distance[past_end] = np.sqrt(off2[past_end] + beyond2[past_end]) / length2 - radius_end
    distance[before_start] = np.sqrt(off2[before_start] + along2[before_start]) / length2 - radius_start
    return distance


def flat_cone(
    points: Points,
    start: ArrayLike,
    end: ArrayLike,
    radius_start: float,
    radius_end: float,
    flat_axis: np.ndarray,
    flatness: float,
) -> Distances:
    """A :func:`round_cone` squeezed to ``flatness`` (below 1) along an axis across it."""
    axis = np.subtract(end, start).astype(float)
    share = np.clip((points - np.asarray(start)) @ axis / (axis @ axis), 0, 1)
    height = (points - np.asarray(start)) @ flat_axis - share * (axis @ flat_axis)
    stretched = points + np.outer(height * (1 / flatness - 1), flat_axis)
    return round_cone(stretched, start, end, radius_start, radius_end) * flatness


def ellipsoid(points: Points, centre: ArrayLike, radii: ArrayLike, axes: ArrayLike | None = None) -> Distances:
    """An ellipsoid, its distance approximate; ``axes`` are its own axes as rows."""
    local = points - np.asarray(centre, float)
    if axes is not None:
        local = local @ np.asarray(axes).T
    size = np.asarray(radii, float)
    scaled = np.linalg.norm(local / size, axis=1)
    steepness = np.linalg.norm(local / (size * size), axis=1)
    return scaled * (scaled - 1) / np.maximum(steepness, 1e-9)


@dataclass(frozen=True, eq=False)
class Limb:
    """A rod along a bent line of bones whose oval section changes along the way, with round ends.

    Attributes:
        joints: (B + 1, 3) ends of the B bones.
        directions: (B, 3) unit vectors along the bones.
        dorsals: (B, 3) unit vectors out of their backs.
        stations: (K,) distances along the line at which the section is given, rising.
        across, back, front: (K,) half-widths there: sideways, towards the back, towards the palm.
        cap: How far the round ends reach beyond the first and last station.
    """

    joints: Float[np.ndarray, "B1 3"]
    directions: Float[np.ndarray, "B 3"]
    dorsals: Float[np.ndarray, "B 3"]
    stations: Float[np.ndarray, "K"]
    across: Float[np.ndarray, "K"]
    back: Float[np.ndarray, "K"]
    front: Float[np.ndarray, "K"]
    cap: float

    def distance(self, points: Points) -> Distances:
        """Signed distance, exact on the surface and close to it off the surface."""
        bone, along, from_line = self._nearest(points)
        place = np.clip(along, self.stations[0], self.stations[-1])
        axial = along - place
        side = np.cross(self.directions, self.dorsals)
        height = (from_line * self.dorsals[bone]).sum(axis=1)
        width = (from_line * side[bone]).sum(axis=1)
        section = PchipInterpolator(self.stations, np.column_stack([self.across, self.back, self.front]))(place)
        tall = np.where(height > 0, section[:, 1], section[:, 2])
        reach = np.sqrt(axial**2 + height**2 + width**2)
        scaled = np.sqrt((axial / self.cap) ** 2 + (height / tall) ** 2 + (width / section[:, 0]) ** 2)
        # At the very middle both vanish: any depth will do, the thinnest half-width is one.
        return np.where(scaled > 1e-6, reach * (1 - 1 / np.maximum(scaled, 1e-6)), -tall)

    def _nearest(self, points: Points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each point the nearest bone, how far along the whole line it lies, and its offset across that bone.

        The first and last bone go on for ever: beyond an end the distance along the line still grows.
        """
        lengths = np.linalg.norm(np.diff(self.joints, axis=0), axis=1)
        starts = np.concatenate([[0.0], np.cumsum(lengths)])[:-1]
        last = len(lengths) - 1
        best = np.full(len(points), np.inf)
        bone = np.zeros(len(points), np.int64)
        along = np.zeros(len(points))
        offset = np.zeros_like(points)
        for k, (joint, direction, length) in enumerate(zip(self.joints, self.directions, lengths, strict=False)):
            relative = points - joint
            t = relative @ direction
            t = np.clip(t, -np.inf if k == 0 else 0.0, np.inf if k == last else length)
            across = relative - np.outer(t, direction)
            distance = (across * across).sum(axis=1) + np.minimum(t, 0) ** 2 + np.maximum(t - length, 0) ** 2
            nearer = distance < best
            best[nearer], bone[nearer], along[nearer] = distance[nearer], k, starts[k] + t[nearer]
            offset[nearer] = across[nearer]
        return bone, along, offset


def join(first: Distances, second: Distances, blend: float) -> Distances:
    """Union with a fillet about ``blend`` wide."""
    near = np.maximum(blend - np.abs(first - second), 0) / blend
    return np.minimum(first, second) - near**3 * blend / 6


def cut(first: Distances, second: Distances, blend: float) -> Distances:
    """``first`` without ``second``, the edge rounded about ``blend`` wide."""
    return -join(-first, second, blend)


def bone_axes(direction: np.ndarray, dorsal: np.ndarray) -> np.ndarray:
    """Axes of a bone as rows: along it, out of its back, and across."""
    along = direction / np.linalg.norm(direction)
    back = dorsal - along * (dorsal @ along)
    back = back / np.linalg.norm(back)
    return np.stack([along, back, np.cross(along, back)])
