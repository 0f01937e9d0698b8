"""Sequences that show the same recording twice: exact copies, mirror images, and near copies.

Exact copies and mirror images have equal hashes. Near copies (another frame rate, trimmed, float16, a little noise, the
other mean-hand convention) share turning points (:mod:`.turning_points`): each point's nearest neighbours in other
sequences are looked up (:mod:`.alike_points`), and two sequences are one recording if at least
:data:`LEAST_POINTS` of their points pair up along one straight line of time, and most of those that could pair up do.
A hand that hardly moves has no turning points and is found by its hash only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int32, Int64

from data_tools.auditing.alike_points import alike_points
from data_tools.auditing.audit_tables import DUPLICATE_COLUMNS
from data_tools.auditing.point_file import PointFile
from data_tools.auditing.turning_points import NUMBERS

LEAST_POINTS, LEAST_SHARE = 4, 0.4
"""Turning points that must agree, and their least share of those in the stretch common to both."""

FEW_POINTS, FEW_SHARE = 3, 0.7
"""The same for short stretches: fewer points, but most of them."""

_MOST_JUDGED = 20_000  # pairs of sequences: more are copies of copies
_MOST_RATE = 8.5


def find_duplicates(sequences: pl.DataFrame, points: PointFile) -> pl.DataFrame:
    """Find pairs of sequences that show the same recording.

    Args:
        sequences: One row per sequence: dataset, sequence, start, frames, content_hash, hash, mirror_hash, and
            is_live (whether a hand of it is alive: dead hands look alike and are no copies).
        points: Turning points of all of them; ``sequence`` numbers the rows of ``sequences``, in ascending order.

    Returns:
        One row per pair (:data:`.DUPLICATE_COLUMNS`), the first of both being the one further up in ``sequences``.
    """
    exact = _equal(sequences, "content_hash", "content_hash")
    mirrored = _equal(sequences, "hash", "mirror_hash")
    found: dict[tuple[int, int], tuple[str, float, float, tuple[int, int] | None]]
    found = dict.fromkeys(exact, ("exact", 1.0, 0.0, None))
    for pair in mirrored:
        found.setdefault(pair, ("mirrored", 1.0, 0.0, None))
    for near in _near_pairs(points, sequences["start"].to_numpy(), sequences["frames"].to_numpy()):
        kind = "mirrored" if near.is_mirrored else "near"
        found.setdefault((near.a, near.b), (kind, near.rate, near.distance, near.stretch))
    return _table(sequences, found)


def _equal(sequences: pl.DataFrame, first: str, second: str) -> list[tuple[int, int]]:
    """Rows whose hashes agree: each with the first of its kind (of copies of copies not every pair is listed)."""
    live = sequences.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64)).filter("is_live")
    left = live.select("frames", "row", key=first).group_by("key", "frames").agg(pl.col("row").min().alias("a"))
    pairs = left.join(live.select("frames", "row", key=second), on=["key", "frames"])
    ends = pairs.filter(pl.col("a") != pl.col("row")).select(
        low=pl.min_horizontal("a", "row"), high=pl.max_horizontal("a", "row")
    )
    return [(int(a), int(b)) for a, b in ends.unique().sort("low", "high").iter_rows()]


@dataclass(frozen=True)
class _Near:
    a: int
    b: int
    is_mirrored: bool
    rate: float
    distance: float
    stretch: tuple[int, int]  # frames of a and of b that are common


def _near_pairs(
    points: PointFile, starts: Int64[np.ndarray, "sequences"], frames: Int64[np.ndarray, "sequences"]
) -> Iterator[_Near]:
    if len(points) < 2 * FEW_POINTS:
        return
    pairs = alike_points(points)
    times = _Times(*(points.column(name) for name in ("sequence", "frame", "before")))
    for is_mirrored, (first, second, apart) in zip((False, True), pairs, strict=True):
        a, b = times.sequence[first], times.sequence[second]
        group = np.lexsort((second, first, b, a))
        first, second, apart, a, b = (part[group] for part in (first, second, apart, a, b))
        edges = np.flatnonzero((np.diff(a, prepend=-1) != 0) | (np.diff(b, prepend=-1) != 0))
        counts = np.diff(np.append(edges, len(a)))
        likely = np.flatnonzero(counts >= FEW_POINTS)
        for index in likely[np.argsort(-counts[likely], kind="stable")][:_MOST_JUDGED].tolist():
            part = slice(int(edges[index]), int(edges[index] + counts[index]))
            near = _judge(times, first[part], second[part], apart[part], starts, frames, is_mirrored)
            if near is not None:
                yield near


@dataclass(frozen=True, eq=False)
class _Times:
    """When each turning point is: its sequence, ascending, its frame in the file, and that of the one before it."""

    sequence: Int32[np.ndarray, "points"]
    frame: Int32[np.ndarray, "points"]
    before: Int32[np.ndarray, "points"]


def _judge(
    points: _Times,
    first: Int64[np.ndarray, "pairs"],
    second: Int64[np.ndarray, "pairs"],
    apart: Float[np.ndarray, "pairs"],
    starts: Int64[np.ndarray, "sequences"],
    frames: Int64[np.ndarray, "sequences"],
    is_mirrored: bool,
) -> _Near | None:
    """Tell whether two sequences' like points lie along one line of time."""
    a, b = int(points.sequence[first[0]]), int(points.sequence[second[0]])
    x, y = (points.frame[rows] - starts[who] for rows, who in ((first, a), (second, b)))
    step_x, step_y = (points.frame[rows] - points.before[rows] for rows in (first, second))
    rate = float(np.median(step_y / step_x))
    if not 1 / _MOST_RATE < rate < _MOST_RATE:
        return None
    is_on = _on_line(x, y, rate)
    if is_on.sum() >= FEW_POINTS and np.ptp(x[is_on]) > 0:  # again, with the rate that the long stretch tells
        rate = float(np.polyfit(x[is_on], y[is_on], 1)[0])
        is_on = _on_line(x, y, rate) if 1 / _MOST_RATE < rate < _MOST_RATE else is_on
    agree = min(len(np.unique(first[is_on])), len(np.unique(second[is_on])))
    if agree < FEW_POINTS:
        return None
    offset = float(np.median(y[is_on] - rate * x[is_on]))
    low, high = max(0.0, -offset / rate), min(float(frames[a]), (frames[b] - offset) / rate)
    share = agree / max(1, _possible(points, a, b, starts, (low, high), rate, offset))
    if share < (LEAST_SHARE if agree >= LEAST_POINTS else FEW_SHARE):
        return None
    stretch = round(high - low), round((high - low) * rate)
    distance = float(np.sqrt(np.mean(np.square(apart[is_on])) / NUMBERS * 3))
    return _Near(a, b, is_mirrored, rate, distance, stretch)


def _on_line(x: Int64[np.ndarray, "pairs"], y: Int64[np.ndarray, "pairs"], rate: float) -> Bool[np.ndarray, "pairs"]:
    """Which pairs of times fit the best offset, within two frames of the slower recording."""
    offsets = y - rate * x
    tolerance = 2 * max(1.0, rate)
    ordered = np.sort(offsets)
    # The window that holds the most offsets.
    inside = np.searchsorted(ordered, ordered + 2 * tolerance, side="right") - np.arange(len(ordered))
    low = ordered[int(inside.argmax())]
    return (offsets >= low) & (offsets <= low + 2 * tolerance)


def _possible(
    points: _Times, a: int, b: int, starts: np.ndarray, stretch: tuple[float, float], rate: float, offset: float
) -> int:
    """How many turning points could agree: those of the sequence with fewer in the common stretch."""
    counts = []
    for who, (low, high) in ((a, stretch), (b, (rate * stretch[0] + offset, rate * stretch[1] + offset))):
        # Of the column's own type, or all of it would be copied.
        rows = slice(*np.searchsorted(points.sequence, np.array([who, who + 1], points.sequence.dtype)))
        before, after = points.before[rows] - starts[who], points.frame[rows] - starts[who]
        counts.append(int(((before >= low) & (after <= high)).sum()))
    return min(counts)


def _table(sequences: pl.DataFrame, found: dict[tuple[int, int], tuple]) -> pl.DataFrame:
    names, frames = sequences.select("dataset", "sequence").rows(), sequences["frames"].to_list()
    rows = []
    for (a, b), (kind, rate, distance, stretch) in sorted(found.items()):
        lengths = frames[a], frames[b]
        common = lengths if stretch is None else stretch
        shorter = 0 if lengths[0] / max(common[0], 1) <= lengths[1] / max(common[1], 1) else 1
        share = min(1.0, common[shorter] / lengths[shorter])
        rows.append((kind, *names[a], *names[b], share, min(common[shorter], lengths[shorter]), rate, distance))
    return pl.DataFrame(rows, schema=DUPLICATE_COLUMNS, orient="row")
