"""The real frames that come nearest to a pose, exactly, at most one of each sequence (no widgets)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Float32, Int64

from data_tools.store import PoseStore
from handprior_viz.explorer.finger_points import FRAMES_AT_ONCE, POINTS, FingerPoints, apart
from handprior_viz.explorer.real_frame import RealFrame

AT_MOST = 200_000
"""Frames whose points are kept in memory, 72 MB."""


@dataclass(frozen=True, eq=False)
class NearestFrames:
    """A search over the frames that a prior learns from.

    The distance is :func:`~handprior_viz.explorer.finger_points.apart`. In a split of up to :data:`AT_MOST` frames the
    answer is exact. In a larger one every n-th frame is compared, then each frame around the
    best of each sequence; a sequence shorter than n frames may be missed.

    Attributes:
        store: Where the frames are.
        points: Compares them.
        split: Which split.
        rows: (kept,) rows of the store that are compared first, ascending.
        middle: (90,) mean of their points, millimetres.
        places: (kept, 90) their points from there.
        sizes: (kept,) squared length of each of them.
        starts: (stretches,) where in ``rows`` each sequence begins, or each part of one where there are too few.
    """

    store: PoseStore
    points: FingerPoints
    split: str
    rows: Int64[np.ndarray, "kept"]
    middle: Float32[np.ndarray, "90"]
    places: Float32[np.ndarray, "kept 90"]
    sizes: Float32[np.ndarray, "kept"]
    starts: Int64[np.ndarray, "stretches"]

    @classmethod
    def of(
        cls,
        store: PoseStore,
        points: FingerPoints,
        *,
        at_most: int = AT_MOST,
        stretches: int = 8,
        go_on: Callable[[], bool] = lambda: True,
    ) -> NearestFrames:
        """Prepare a search: seconds for the largest split, so do it in the background.

        Args:
            store: What to search: its train split, or the first one where there is none.
            points: How to compare poses.
            at_most: Frames to keep in memory.
            stretches: Sequences are cut into equal parts where there are fewer of them than this.
            go_on: Asked between turns of a few dozen milliseconds; the other frames are left out once it says no.
        """
        split = "train" if "train" in store.splits and len(store.split("train")) else store.splits[0]
        first, poses = store.about["splits"][split][0], store.split(split)
        rows = np.arange(0, len(poses), max(1, math.ceil(len(poses) / at_most)))
        places = np.empty((len(rows), 3 * POINTS), np.float32)
        for start in range(0, len(rows), FRAMES_AT_ONCE):
            part = slice(start, start + FRAMES_AT_ONCE)
            places[part] = points.of(poses[rows[part]])
            if not go_on():
                rows, places = rows[: part.stop], places[: part.stop]
                break
        starts = _in_parts(np.searchsorted(rows, _sequence_starts(store.split_rows(split))), len(rows), stretches)
        middle = places.mean(0, dtype=np.float64).astype(np.float32)
        places -= middle  # small numbers keep the digits that tell near frames apart
        sizes = np.einsum("fp,fp->f", places, places)
        return cls(store, points, split, first + rows, middle, places, sizes, starts)

    @property
    def stride(self) -> int:
        """Every how many frames one is compared at first."""
        return int(self.rows[1] - self.rows[0]) if len(self.rows) > 1 else 1

    def find(self, pose: Float[np.ndarray, "dim"], count: int = 8) -> list[tuple[RealFrame, float]]:
        """The nearest frames of a pose (radians), at most one of each sequence, and how far away each is, mm."""
        here = self.points.of(pose)
        squared = self.sizes - 2 * (self.places @ (here - self.middle))  # of the distance, but for a constant
        nearest = np.minimum.reduceat(squared, self.starts)
        ends = np.append(self.starts[1:], len(self.rows))
        found = []
        for stretch in np.argsort(nearest, kind="stable")[: count if self.stride == 1 else 4 * count]:
            start = int(self.starts[stretch])
            best = start + int(np.argmin(squared[start : ends[stretch]]))
            found.append(self._best_around(int(self.rows[best]), here))
        found.sort(key=lambda pair: pair[1])
        return [(RealFrame.of(self.store, row), distance) for row, distance in found[:count]]

    def _best_around(self, row: int, here: Float[np.ndarray, "90"]) -> tuple[int, float]:
        """The best row of the same sequence between the compared frames before and after one."""
        begin, end = self.store.about["splits"][self.split]
        low, high = max(begin, row - self.stride + 1), min(end, row + self.stride)
        about = self.store.rows[low:high]
        same = [(about[name] == about[name][row - low]).to_numpy() for name in ("dataset", "sequence")]
        rows = low + np.flatnonzero(same[0] & same[1])
        distances = apart(here, self.points.of(self.store.poses[rows]))
        best = int(np.argmin(distances))
        return int(rows[best]), float(distances[best])


def _sequence_starts(rows: pl.DataFrame) -> Int64[np.ndarray, "sequences"]:
    """Where each sequence begins among rows that are ordered by sequence."""
    new = np.zeros(len(rows), bool)
    new[:1] = True
    for column in ("dataset", "sequence"):
        codes = rows[column].to_physical().to_numpy()
        new[1:] |= codes[1:] != codes[:-1]
    return np.flatnonzero(new)


def _in_parts(starts: Int64[np.ndarray, "sequences"], length: int, at_least: int) -> Int64[np.ndarray, "stretches"]:
    """Cut sequences into equal parts until there are about ``at_least``, as far as there are frames."""
    starts = np.unique(starts[starts < length])
    parts = math.ceil(at_least / len(starts))
    if parts == 1:
        return starts
    ends = np.append(starts[1:], length)
    cuts = [np.linspace(a, b, parts, endpoint=False).astype(np.int64) for a, b in zip(starts, ends, strict=True)]
    return np.unique(np.concatenate(cuts))
