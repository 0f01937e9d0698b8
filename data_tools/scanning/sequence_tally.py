"""Counting frames by sequence while they go by: faults, usable spans, content hash."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import xxhash
from jaxtyping import Bool, Float32, Int64

from data_tools.scanning.dead_hands import DEADLY, REPORTED, SIDES

CONSTANT_FRAMES = 5
"""A hand that never moves in a sequence of at least so many frames is dead, however short the sequence."""

FAULT_COUNTS = (*DEADLY, *REPORTED)
_COUNTED = (*FAULT_COUNTS, "live_left", "live_right", "usable", "moves_left", "moves_right")


class SequenceTally:
    """Counts frames by sequence while the frames go by."""

    def __init__(self) -> None:
        self._begun = 0
        self._starts: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._ids: list[np.ndarray] = []
        self._spans: list[np.ndarray] = []
        self._digests: list[str] = []
        self._first_hands: list[np.ndarray] = []
        self._hash: Any = None

    def add(
        self,
        first: int,
        cuts: Bool[np.ndarray, "frames"],
        masks: dict[str, Bool[np.ndarray, "frames"]],
        hands: Float32[np.ndarray, "frames 90"],
    ) -> None:
        """Count a run of frames that follows the last one.

        Args:
            first: Frame number of the first in the file.
            cuts: Which frames start a new sequence.
            masks: What holds for each frame, by the names that are counted.
            hands: What the content hash is made from.
        """
        starts = np.flatnonzero(cuts)
        self._starts.append(starts + first)
        self._first_hands.append(hands[starts])
        if not cuts[0]:
            starts = np.insert(starts, 0, 0)
        ids = np.arange(len(starts)) + self._begun - (not cuts[0])
        table = np.stack([masks[name] for name in _COUNTED]).view(np.uint8)
        self._ids.append(ids)
        self._counts.append(np.add.reduceat(table, starts, axis=1, dtype=np.int64).T)
        self._spans.append(runs_of(masks["usable"], starts, ids, first))
        self._begun = int(ids[-1]) + 1
        self._add_to_hashes(bool(cuts[0]), starts, np.ascontiguousarray(hands))

    def _add_to_hashes(self, is_new: bool, starts: Int64[np.ndarray, "parts"], hands: np.ndarray) -> None:
        stops = np.append(starts[1:], len(hands))
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            if self._hash is None or is_new or start > 0:
                self._close_hash()
                self._hash = xxhash.xxh3_128()
            self._hash.update(hands[start:stop])

    def _close_hash(self) -> None:
        if self._hash is not None:
            self._digests.append(self._hash.hexdigest())

    def columns(self, frames: int) -> dict[str, Any]:
        """Return columns with one entry per sequence, given the number of frames in the file.

        Hands that never move in a sequence are dead; the sequence then has no usable frames.
        """
        self._close_hash()
        start = np.concatenate(self._starts)
        stop = np.append(start[1:], frames)
        table = np.zeros((self._begun, len(_COUNTED)), np.int64)
        np.add.at(table, np.concatenate(self._ids), np.concatenate(self._counts))
        counts = dict(zip(_COUNTED, table.T, strict=True))
        constant = {side: (counts[f"moves_{side}"] == 0) & (stop - start >= CONSTANT_FRAMES) for side in SIDES}
        is_dead = constant["left"] | constant["right"]
        return {
            "start": start,
            "stop": stop,
            "frames": stop - start,
            "usable_frames": np.where(is_dead, 0, counts["usable"]),
            **{f"live_{side}": np.where(constant[side], 0, counts[f"live_{side}"]) for side in SIDES},
            "usable_spans": listed(joined(np.concatenate(self._spans)), is_dead),
            "content_hash": self._digests,
            **{f"constant_{side}": constant[side] for side in SIDES},
            **_still_hands(constant, np.concatenate(self._first_hands)),
            **{name: counts[name] for name in FAULT_COUNTS},
        }


def _still_hands(
    constant: dict[str, Bool[np.ndarray, "sequences"]], first: Float32[np.ndarray, "sequences 90"]
) -> dict[str, list[list[float] | None]]:
    """What the hands hold that never move, by sequence; None where they do move, and for zero and NaN."""
    columns = {}
    for side, hand in zip(SIDES, np.split(first, 2, axis=1), strict=True):
        is_kept = constant[side] & np.isfinite(hand).all(axis=1) & hand.any(axis=1)
        columns[f"still_{side}"] = [row.tolist() if kept else None for row, kept in zip(hand, is_kept, strict=True)]
    return columns


def runs_of(
    usable: Bool[np.ndarray, "frames"], starts: Int64[np.ndarray, "parts"], ids: Int64[np.ndarray, "parts"], first: int
) -> Int64[np.ndarray, "spans 3"]:
    """Runs of such frames inside each sequence: sequence, first frame, frame after the last."""
    begins = usable.copy()
    begins[1:] &= ~usable[:-1]
    begins[starts] |= usable[starts]
    ends = usable.copy()
    ends[:-1] &= ~usable[1:]
    ends[starts[1:] - 1] |= usable[starts[1:] - 1]
    begin, end = np.flatnonzero(begins), np.flatnonzero(ends) + 1
    rows = np.searchsorted(starts, begin, side="right") - 1
    return np.stack([ids[rows], begin + first, end + first], axis=1)


def joined(spans: Int64[np.ndarray, "spans 3"]) -> Int64[np.ndarray, "merged 3"]:
    """Join spans of one sequence that touch: they were cut by the end of a window."""
    if not len(spans):
        return spans.reshape(0, 3)
    touches = (spans[1:, 0] == spans[:-1, 0]) & (spans[1:, 1] == spans[:-1, 2])
    begins, ends = np.append(True, ~touches), np.append(~touches, True)
    return np.stack([spans[begins, 0], spans[begins, 1], spans[ends, 2]], axis=1)


def listed(spans: Int64[np.ndarray, "spans 3"], is_dead: Bool[np.ndarray, "sequences"]) -> list[list[int]]:
    """The spans of each sequence in one flat list; none for the dead."""
    spans = spans[~is_dead[spans[:, 0]]]
    flat = spans[:, 1:].ravel().tolist()
    edges = (2 * np.searchsorted(spans[:, 0], np.arange(len(is_dead) + 1))).tolist()
    return [flat[low:high] for low, high in pairwise(edges)]
