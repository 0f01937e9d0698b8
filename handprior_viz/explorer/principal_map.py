"""The store's hand poses on a plane: the two directions in which they differ most (no widgets)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from handprior_viz.explorer.backdrop import Backdrop
from handprior_viz.explorer.finger_points import FingerPoints
from handprior_viz.joint_angles import JOINT_ANGLES

ALIKE = 0.45
"""A direction is said to bend a hand's fingers if the two correlate at least so strongly."""


@dataclass(frozen=True, eq=False)
class PrincipalMap:
    """Principal components of finger positions.

    The positions are those of :class:`~handprior_viz.explorer.finger_points.FingerPoints`, so that distances on the map
    are distances of hands, as far as two directions can tell.

    Attributes:
        sample: Poses on the map.
        points: Measures poses.
        middle: (90,) mean position, millimetres.
        directions: (2, 90) unit vectors, the one with more variation first.
        places: (poses, 2) where the sample's poses are, root-mean-square millimetres per finger joint or tip.
        shares: How much of all variation (variance) each direction carries, 0 to 1.
        ends: For each direction what the hands do at its low and at its high end, in words; empty where it is mixed.
    """

    sample: Backdrop
    points: FingerPoints
    middle: Float32[np.ndarray, "90"]
    directions: Float32[np.ndarray, "2 90"]
    places: Float32[np.ndarray, "poses 2"]
    shares: tuple[float, float]
    ends: tuple[tuple[str, str], tuple[str, str]]

    @classmethod
    def of(cls, sample: Backdrop, points: FingerPoints) -> PrincipalMap:
        """Find the directions of a sample's poses."""
        where = points.of(sample.poses).astype(np.float64)
        middle = where.mean(0)
        values, vectors = np.linalg.eigh(np.cov(where - middle, rowvar=False, bias=True).reshape(90, 90))
        directions = vectors[:, [-1, -2]].T
        places = (where - middle) @ directions.T / np.sqrt(where.shape[1] / 3)
        bends = _bends(sample.poses)
        signs = np.array([_sign(places[:, k], bends) for k in range(2)])
        directions, places = directions * signs[:, None], places * signs
        total = float(values.sum())
        shares = [float(value) / total if total > 1e-9 else 0.0 for value in values[[-1, -2]]]
        ends = tuple(_ends(places[:, k], bends) for k in range(2))
        return cls(
            sample=sample,
            points=points,
            middle=middle.astype(np.float32),
            directions=directions.astype(np.float32),
            places=places.astype(np.float32),
            shares=(shares[0], shares[1]),
            ends=(ends[0], ends[1]),
        )

    def place(self, pose: Float[np.ndarray, "dim"]) -> tuple[float, float]:
        """Where a pose (radians) is on the map."""
        x, y = (self.points.of(pose) - self.middle) @ self.directions.T / np.sqrt(len(self.middle) / 3)
        return float(x), float(y)


def _bends(poses: Float[np.ndarray, "poses dim"]) -> dict[str, Float[np.ndarray, "poses"]]:
    """How far the four fingers of each hand are bent, mean over their joints, degrees."""
    found = {}
    for hand in ("left", "right"):
        angles = [one for one in JOINT_ANGLES if one.hand == hand and one.motion == 0 and "thumb" not in one.finger]
        found[hand] = np.mean([angle.measure(poses) for angle in angles], axis=0)
    return found


def _correlation(one: Float[np.ndarray, "poses"], other: Float[np.ndarray, "poses"]) -> float:
    if min(one.std(), other.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _sign(places: Float[np.ndarray, "poses"], bends: dict[str, Float[np.ndarray, "poses"]]) -> float:
    """Turn a direction so that the fingers which it bends most are bent at its high end."""
    strongest = max((_correlation(places, bend) for bend in bends.values()), key=abs)
    return -1.0 if strongest < 0 else 1.0


def _ends(places: Float[np.ndarray, "poses"], bends: dict[str, Float[np.ndarray, "poses"]]) -> tuple[str, str]:
    """Words for the low and the high end of a direction."""
    felt = {hand: _correlation(places, bend) for hand, bend in bends.items()}
    bent = [hand for hand, value in felt.items() if value >= ALIKE]
    open_ = [hand for hand, value in felt.items() if value <= -ALIKE]

    def said(closed: list[str], opened: list[str]) -> str:
        if len(closed) == 2 or len(opened) == 2:
            return "both hands closed" if closed else "both hands open"
        return ", ".join([*(f"{hand} hand closed" for hand in closed), *(f"{hand} hand open" for hand in opened)])

    return said(open_, bent), said(bent, open_)
