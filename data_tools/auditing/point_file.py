"""Turning points of any number, on disk: given back in pieces that hold whatever may be alike.

Points come file by file. They are written in runs, each sorted by kind and size (length of the descriptor). Two copies
of a point are of one kind, and their sizes differ by no more than they may lie apart, so each piece has its like within
a narrow range of sizes, which is read from every run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float16, Float32, Int32, Int64

from data_tools.auditing.turning_points import KINDS, NUMBERS, TurningPoints

_RUN = 16_384  # points that are sorted together
BLOCK = 16_384
"""Most points of a piece: 3 MB."""

_SMALLEST, _RATIO, _CLASSES = 0.05, 1.1, 64
_RECORD = np.dtype([("number", "<i8"), ("sequence", "<i4"), ("change", "<f2", NUMBERS)])


@dataclass(frozen=True, eq=False)
class Piece:
    """Some points of one kind.

    Attributes:
        number: (points,) counted over all points, in the order in which they came.
        sequence: (points,) which sequence each belongs to.
        change: (points, 24) descriptors, radians.
    """

    number: Int64[np.ndarray, "points"]
    sequence: Int32[np.ndarray, "points"]
    change: Float32[np.ndarray, "points 24"]

    def __len__(self) -> int:
        return len(self.number)


class PointFile:
    """Takes turning points in, in the order of their sequences; a context manager, whose end deletes what it wrote."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="handprior-points-", ignore_cleanup_errors=True)
        place = Path(self._folder.name)
        self._runs, self._columns = place / "runs", {name: place / name for name in ("sequence", "frame", "before")}
        self._waiting: list[TurningPoints] = []
        self._edges: list[Int64[np.ndarray, "edges"]] = []  # of each run: first record of each kind and class of size
        self._count = self._written = 0

    def __enter__(self) -> PointFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def __len__(self) -> int:
        return self._count

    def add(self, points: TurningPoints) -> None:
        """Take in the points of further sequences."""
        if len(points):
            self._waiting.append(points)
            self._count += len(points)
            if self._count - self._written >= _RUN:
                self._write_run()

    def column(self, name: str) -> Int32[np.ndarray, "points"]:
        """Return ``sequence``, ``frame`` or ``before`` of all points, in order, mapped from disk."""
        self._write_run()
        if not self._count:
            return np.zeros(0, np.int32)
        return np.memmap(self._columns[name], "<i4", "r")

    def pieces(self) -> Iterator[tuple[Piece, Iterator[Piece]]]:
        """Give every point once, in pieces, each with all the points that may be alike to its own, in pieces too."""
        self._write_run()
        counts = sum((np.diff(edges) for edges in self._edges), np.zeros(KINDS * _CLASSES, np.int64))
        for place in np.flatnonzero(counts).tolist():
            kind, size = divmod(place, _CLASSES)
            low, high = _classes_alike(size)
            for piece in self._read(place, place + 1):
                yield piece, self._read(kind * _CLASSES + low, kind * _CLASSES + high + 1)

    def _write_run(self) -> None:
        if not self._waiting:
            return
        points, self._waiting = TurningPoints.joined(self._waiting), []
        for name, path in self._columns.items():
            with path.open("ab") as file:
                getattr(points, name).astype("<i4").tofile(file)
        records = np.empty(len(points), _RECORD)
        records["number"] = np.arange(self._written, self._written + len(points))
        records["sequence"], records["change"] = points.sequence, points.change
        place = points.kind.astype(np.int64) * _CLASSES + _class_of(sizes(points.change))
        order = np.argsort(place, kind="stable")
        with self._runs.open("ab") as file:
            records[order].tofile(file)
        first = np.searchsorted(place[order], np.arange(KINDS * _CLASSES + 1))
        self._edges.append(first + self._written)
        self._written += len(points)

    def _read(self, low: int, high: int) -> Iterator[Piece]:
        """The points from one place of kind and size up to another, from all runs."""
        parts: list[np.ndarray] = []
        for edges in self._edges:
            start, stop = int(edges[low]), int(edges[high])
            while start < stop:
                count = min(stop - start, BLOCK - sum(map(len, parts)))
                parts.append(np.fromfile(self._runs, _RECORD, count, offset=start * _RECORD.itemsize))
                start += count
                if sum(map(len, parts)) == BLOCK:
                    yield _piece(parts)
                    parts = []
        if parts:
            yield _piece(parts)


def _piece(parts: list[np.ndarray]) -> Piece:
    records = np.concatenate(parts)
    return Piece(records["number"].astype(np.int64), records["sequence"].copy(), records["change"].astype(np.float32))


NEAR, NEAREST, FARTHEST = 0.25, 0.10, 0.5
"""How far the descriptors of two copies of a point may lie apart: this share of its size, but no less and no more than
these (radians: the noise of the data themselves, and where it is no use looking further)."""


def sizes(
    changes: Float16[np.ndarray, "points 24"] | Float32[np.ndarray, "points 24"],
) -> Float32[np.ndarray, "points"]:
    """Lengths of descriptors, the same for a point and its mirror image, radians."""
    return np.linalg.norm(changes.astype(np.float32), axis=1)


def reach(sizes: Float[np.ndarray, "points"]) -> Float[np.ndarray, "points"]:
    """How far the descriptors of two copies of a point may lie apart, radians, by the size of one of them."""
    return np.clip(NEAR * sizes, NEAREST, FARTHEST)


def _class_of(sizes: Float[np.ndarray, "points"]) -> Int64[np.ndarray, "points"]:
    return np.searchsorted(_EDGES, sizes, side="right").astype(np.int64)


_EDGES = (_SMALLEST * _RATIO ** np.arange(_CLASSES - 1)).astype(np.float32)


def _classes_alike(size: int) -> tuple[int, int]:
    """First and last class of sizes that may hold copies of points of one class, whichever of the two is larger."""
    least, most = np.array([0.0, *_EDGES, np.inf])[[size, size + 1]]
    smallest = least - np.clip(NEAR * least, NEAREST, FARTHEST)
    # The larger one's reach counts: the largest size that is still within its own reach of ``most``.
    largest = most + np.clip(NEAR / (1 - NEAR) * most, NEAREST, FARTHEST)
    low, high = _class_of(np.array([smallest * (1 - 1e-5), largest * (1 + 1e-5)]))
    return int(low), int(high)
