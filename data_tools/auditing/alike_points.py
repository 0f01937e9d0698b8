"""Which turning points of different sequences are alike, or mirror images: looked up piece by piece in k-d trees."""

from __future__ import annotations

import os

import numpy as np
from jaxtyping import Float32, Int64
from scipy.spatial import cKDTree

from data_tools.auditing.point_file import Piece, PointFile, reach, sizes
from data_tools.auditing.turning_points import NUMBERS

_NEIGHBOURS = 12  # of each point in each piece
_HALF = 0.8  # of a point's reach: how far the halves of two descriptors may lie apart that mirroring leaves alone
_WORKERS = min(4, os.cpu_count() or 1)
_COMPARED = 32_768  # pairs whose descriptors are in memory at a time
_PLAIN = np.ones(NUMBERS, np.float32)
_SKEW = np.array([1.0] * (NUMBERS // 2) + [-1.0] * (NUMBERS // 2), np.float32)

Pairs = tuple[Int64[np.ndarray, "_"], Int64[np.ndarray, "_"], Float32[np.ndarray, "_"]]
"""Numbers of two points each, the smaller first, and how far their descriptors lie apart, radians."""


def alike_points(points: PointFile) -> tuple[Pairs, Pairs]:
    """Find the pairs of points of different sequences that are alike, and those that are mirror images.

    Points are neighbours by the half of the descriptor that a mirror image leaves alone, and alike by the whole.
    """
    found: tuple[list[Pairs], list[Pairs]] = ([], [])
    for piece, others in points.pieces():
        for other in others:
            rows, places = _neighbours(piece, other)
            for low in range(0, len(rows), _COMPARED):
                part = slice(low, low + _COMPARED)
                for mirror, kept in zip((_PLAIN, _SKEW), found, strict=True):
                    kept.append(_alike(piece, rows[part], other, places[part], mirror))
    return _each_once(found[0]), _each_once(found[1])


def _neighbours(piece: Piece, other: Piece) -> tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]]:
    """Rows of a piece and of another whose points may be alike: each point's nearest within its reach."""
    half = NUMBERS // 2
    # Many copies of one recording would make a balanced tree deep and slow.
    tree = cKDTree(other.change[:, :half], balanced_tree=False, compact_nodes=False)
    far = _HALF * reach(sizes(piece.change))
    count = min(_NEIGHBOURS, len(other))
    most = float(far.max())
    apart, found = tree.query(piece.change[:, :half], k=count, distance_upper_bound=most, workers=_WORKERS)
    row, place = np.nonzero(apart.reshape(len(piece), count) <= far[:, None])
    place = found.reshape(len(piece), count)[row, place]
    is_other = piece.sequence[row] != other.sequence[place]
    return row[is_other], place[is_other]


def _alike(
    piece: Piece,
    rows: Int64[np.ndarray, "pairs"],
    other: Piece,
    places: Int64[np.ndarray, "pairs"],
    mirror: Float32[np.ndarray, "24"],
) -> Pairs:
    """Those pairs whose whole descriptors agree, once one of the two is mirrored."""
    one, two = piece.change[rows], other.change[places]
    apart = np.linalg.norm(one * mirror - two, axis=1)
    first, second = piece.number[rows], other.number[places]
    is_first = first < second
    near = apart <= reach(sizes(np.where(is_first[:, None], one, two)))
    low, high = np.minimum(first, second), np.maximum(first, second)
    return low[near], high[near], apart[near]


def _each_once(parts: list[Pairs]) -> Pairs:
    """All pairs in order; most are found from both of their points."""
    empty = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    first, second, apart = (np.concatenate(column) for column in zip(empty, *parts, strict=True))
    order = np.lexsort((second, first))
    first, second, apart = first[order], second[order], apart[order]
    new = (np.diff(first, prepend=-1) != 0) | (np.diff(second, prepend=-1) != 0)
    return first[new], second[new], apart[new]
