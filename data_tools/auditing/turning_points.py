"""Turning points of a motion: moments that are the same in every copy of a recording, whatever was done to it.

A recording comes back under another name at another frame rate, trimmed, stored in float16, with a little noise, with
the other mean-hand convention, or as its mirror image. Where the pose, seen along a fixed direction, turns back by
more than :data:`PROMINENCE` (peaks and dips by height, not by time) stays where it is under all of these. Between two
such points of one direction the change of pose does not depend on the mean hand, and a mirror image changes the sign of
half its numbers if the directions are chosen to be symmetric. That change is the point's descriptor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float16, Float32, Int8, Int32, Int64
from scipy.signal import find_peaks

from data_tools.pose_layout import mirror_hands

PROMINENCE = 0.06
"""How far a turning point must stand out, radians along a unit direction of the 90-D pose."""

DIRECTIONS = 3
KINDS = 2 * DIRECTIONS
"""Peaks and dips in each direction."""

NUMBERS = 24
"""Numbers of a descriptor; a mirror image negates the second half."""

MOST_POINTS = 1_200_000
"""Turning points of a whole corpus: looking them up takes longer the more there are, each."""

_PER_FRAMES, _LEAST = 32, 16
"""A stretch keeps its most prominent turning points: sixteen, and one for each 32 frames."""

_ALWAYS = 8
"""Most prominent turning points that a stretch keeps however much is thinned out: twice as many as two sequences need
to be told to be one recording."""


def _axes() -> tuple[Float32[np.ndarray, "90 directions"], Float32[np.ndarray, "90 numbers"]]:
    """Fixed random directions that mirroring leaves alone, and rows of a descriptor: half of them it negates."""
    rng = np.random.default_rng(20240607)
    rows = rng.standard_normal((DIRECTIONS + NUMBERS, 90))
    mirrored = mirror_hands(rows)
    symmetric, skew = rows + mirrored, rows - mirrored
    directions = symmetric[:DIRECTIONS]
    half = NUMBERS // 2
    numbers = np.concatenate([symmetric[DIRECTIONS : DIRECTIONS + half], skew[DIRECTIONS + half :]])
    unit = [(part / np.linalg.norm(part, axis=1, keepdims=True)).T.astype(np.float32) for part in (directions, numbers)]
    return unit[0], unit[1]


_DIRECTIONS, _NUMBERS = _axes()


POINT_FIELDS = ("sequence", "frame", "before", "kind", "change")


@dataclass(frozen=True, eq=False)
class TurningPoints:
    """Turning points of the sequences of a file, or of many.

    Attributes:
        sequence: (points,) which sequence each belongs to.
        frame: (points,) number in the file.
        before: (points,) frame of the turning point before it in the same direction.
        kind: (points,) which direction, and whether it is a peak or a dip: the same in a copy and in a mirror image.
        change: (points, 24) descriptor of the change of pose between the two, radians.
    """

    sequence: Int32[np.ndarray, "points"]
    frame: Int32[np.ndarray, "points"]
    before: Int32[np.ndarray, "points"]
    kind: Int8[np.ndarray, "points"]
    change: Float16[np.ndarray, "points 24"]

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def joined(cls, parts: list[TurningPoints]) -> TurningPoints:
        """Put together those of several stretches."""
        if not parts:
            none = np.zeros(0, np.int32)
            return cls(none, none, none, none.astype(np.int8), np.zeros((0, NUMBERS), np.float16))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in POINT_FIELDS))


def thinning_of(sequences: int, frames: int) -> int:
    """By how much to thin out the turning points of a corpus so that they are soon looked up: a power of two.

    Up to some twelve million frames in clips of eight seconds nothing is thinned. Above that a sequence still keeps its
    eight most prominent points, so that a clip of two seconds that comes back as a whole is found in a corpus of any
    size as it would be in a small one; a short piece of a long recording may be missed.
    """
    return 1 << max(0, math.ceil(math.log2(max(1, (sequences * _LEAST + frames // _PER_FRAMES) / MOST_POINTS))))


def turning_points(
    hands: Float32[np.ndarray, "frames 90"],
    frame: Int64[np.ndarray, "frames"],
    sequence: Int64[np.ndarray, "frames"],
    thinning: int = 1,
) -> TurningPoints:
    """Find the turning points of a block of frames, sequence by sequence.

    Args:
        hands: Model convention.
        frame: Their numbers in the file, ascending.
        sequence: Which sequence each belongs to; a stretch ends where it changes.
        thinning: Keep so many times fewer (:func:`thinning_of`), but some of every sequence.
    """
    edges = np.flatnonzero(np.diff(sequence)) + 1
    if not len(frame):
        return TurningPoints.joined([])
    # Walls between sequences: a peak stands out from its own sequence only.
    wall = np.arange(len(edges)) + edges
    inside = np.ones(len(frame) + len(edges), bool)
    inside[wall] = False
    row = np.cumsum(inside) - 1
    pairs, sizes, kinds = [], [], []
    for direction, height in enumerate((hands @ _DIRECTIONS).T):
        walled = np.full(len(inside), np.inf, np.float32)
        walled[inside] = height
        at, size = _peaks(walled, inside)
        pair = row[np.stack([at[1:], at[:-1]])]
        same = sequence[pair[0]] == sequence[pair[1]]
        pairs.append(pair[:, same])
        sizes.append(np.minimum(size[1:], size[:-1])[same])
        kinds.append(2 * direction + (height[pair[0]] > height[pair[1]])[same])
    (at, before), size, kind = np.concatenate(pairs, axis=1), np.concatenate(sizes), np.concatenate(kinds)
    number = sequence - sequence[0]
    kept = _most_prominent(number[at], size, np.bincount(number), thinning)
    kept = kept[np.argsort(number[at[kept]], kind="stable")]
    at, before = at[kept], before[kept]
    return TurningPoints(
        sequence[at].astype(np.int32),
        frame[at].astype(np.int32),
        frame[before].astype(np.int32),
        kind[kept].astype(np.int8),
        ((hands[at] - hands[before]) @ _NUMBERS).astype(np.float16),
    )


def _peaks(
    height: Float32[np.ndarray, "places"], inside: Bool[np.ndarray, "places"]
) -> tuple[Int64[np.ndarray, "peaks"], Float[np.ndarray, "peaks"]]:
    """Places of peaks and dips between the walls, ascending, and how far they stand out."""
    places, sizes = [], []
    for sign in (1, -1):
        with np.errstate(invalid="ignore"):
            place, about = find_peaks(np.where(inside, sign * height, np.float32(np.inf)), prominence=PROMINENCE)
        own = inside[place]
        places.append(place[own])
        sizes.append(about["prominences"][own])
    at, size = np.concatenate(places), np.concatenate(sizes)
    order = np.argsort(at)
    return at[order], size[order]


def _most_prominent(
    sequence: Int64[np.ndarray, "points"],
    size: Float[np.ndarray, "points"],
    lengths: Int64[np.ndarray, "sequences"],
    thinning: int,
) -> Int64[np.ndarray, "kept"]:
    """Positions of the most prominent points of each sequence, in order."""
    order = np.lexsort((-size, sequence))
    ordered = sequence[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return np.sort(order[(rank < _ALWAYS) | (rank * thinning < _LEAST + lengths[ordered] // _PER_FRAMES)])
