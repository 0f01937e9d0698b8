"""The made-up people of the synthetic recordings: each has hands, habits and a tempo of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from data_tools.joint_axes import THUMB_BASE

# Thumbs vary less: a few degrees at their base decide whether they lie on the fingers or in them.
_VARIES = np.where(np.arange(15) >= THUMB_BASE, 0.5, 1.0)[:, None]
_REST_DEG = _VARIES * np.array([4.5, 2.0, 2.0])
_BETWEEN_HANDS_DEG = _VARIES * np.array([2.5, 1.2, 1.2])
_HABIT_DEG = _VARIES * np.array([4.0, 1.5, 0.0])


@dataclass(frozen=True, eq=False)
class Person:
    """What stays the same about somebody from one sequence to the next.

    Attributes:
        resting: (2, 15, 3) how their left and right joints rest, beside everybody's mean, radians.
        habits: (shapes, 15, 3) how they form each shape a little differently, radians.
        reach: (15,) how far they take each joint, about 1.
        side_play: (15, 2) abduction and twist that come with a radian of flexion.
        tempo: How fast they are, about 1.
        dominant: 1 for a right-handed person, 0 for a left-handed one.
        posture: (21, 3) how their body's joints rest beside the activity's posture, radians.
    """

    resting: Float[np.ndarray, "2 15 3"]
    habits: Float[np.ndarray, "shapes 15 3"]
    reach: Float[np.ndarray, "15"]
    side_play: Float[np.ndarray, "15 2"]
    tempo: float
    dominant: int
    posture: Float[np.ndarray, "21 3"]


def invent(rng: np.random.Generator, shapes: int) -> Person:
    """Make somebody up who knows so many shapes."""
    own = rng.standard_normal((15, 3)) * _REST_DEG
    # Fingers of one hand resemble each other: half of the resting curl is common to all.
    own[:THUMB_BASE, 0] += 3.5 * rng.standard_normal()
    between = rng.standard_normal((2, 15, 3)) * _BETWEEN_HANDS_DEG
    return Person(
        resting=np.deg2rad(own + between),
        habits=np.deg2rad(rng.standard_normal((shapes, 15, 3)) * _HABIT_DEG),
        reach=1 + 0.05 * rng.standard_normal(15) + 0.04 * rng.standard_normal(),
        side_play=0.035 * rng.standard_normal((15, 2)),
        tempo=float(np.exp(0.12 * rng.standard_normal())),
        # About one person in ten is left-handed (Papadatou-Pastou et al. 2020).
        dominant=int(rng.random() > 0.106),
        posture=np.deg2rad(2.5 * rng.standard_normal((21, 3))),
    )
