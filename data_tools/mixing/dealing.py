"""Dealing one dataset's recordings out to splits: whole people, else whole sequences, else blocks with gaps."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

FEWEST_SUBJECTS = 3
"""Splits keep people apart where a dataset names at least so many."""

GUARD_SECONDS = 1.0
GUARD_FRAMES = 30
"""Frames left out between two splits inside one recording: a second, or 30 where the rate is unknown."""

ENOUGH = 0.4
"""Dealing whole units will do if every split gets at least this part of its share; else recordings are cut. Three
recordings of one length (a third each, where 0.8, 0.1 and 0.1 are wanted) are still dealt whole."""

_MOST_ROUNDS = 8
_BLOCK_GUARDS = 20
"""A cut recording is dealt out in up to 8 rounds, while its blocks stay 20 guard gaps long on average."""

RULES = {
    "subject": "whole people: nobody stands in two splits",
    "sequence": "whole sequences: none stands in two splits",
    "block": (
        "whole sequences, but too few or too long to be dealt out: the longest are cut into contiguous blocks with "
        f"a gap of {GUARD_SECONDS:g} s ({GUARD_FRAMES} frames where the rate is unknown) between splits"
    ),
    "single": "too short to be divided: everything is in the largest split",
    "none": "no usable frames",
}
"""How a dataset was divided, in words."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """The sequences of one dataset that have usable frames, as arrays.

    Attributes:
        rows: Their rows in the catalog.
        usable: Usable frames of each.
        ranks: A hash of each one's content.
        people: Who moved in each, or the sequence's own name where nobody is named.
        named: How many different people are named.
        fps: Frames per second, NaN where unknown.
        counts: How many usable spans each has.
        spans: First frame and frame after the last, of all spans in order.
    """

    rows: Int64[np.ndarray, "sequences"]
    usable: Int64[np.ndarray, "sequences"]
    ranks: Int64[np.ndarray, "sequences"]
    people: np.ndarray
    named: int
    fps: Float[np.ndarray, "sequences"]
    counts: Int64[np.ndarray, "sequences"]
    spans: Int64[np.ndarray, "spans 2"]

    def __len__(self) -> int:
        return len(self.rows)

    def pieces(
        self, chosen: Int64[np.ndarray, "some"], split: Int64[np.ndarray, "some"]
    ) -> Int64[np.ndarray, "spans 4"]:
        """All usable spans of some sequences: split, row of the catalog, first frame, frame after the last."""
        counts = self.counts[chosen]
        first = (np.cumsum(self.counts) - self.counts)[chosen]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        spans = self.spans[np.repeat(first, counts) + inside]
        return np.column_stack([np.repeat(split, counts), np.repeat(self.rows[chosen], counts), spans])


def assign(
    dataset: str, recordings: Recordings, shares: Float[np.ndarray, "splits"]
) -> tuple[str, Int64[np.ndarray, "spans 4"]]:
    """Divide one dataset into splits.

    Units (people where at least three are named, else sequences) are dealt out in the order of a stable hash, the
    large ones first. Only where that leaves a split with far less than its share are recordings cut, the longest
    first.

    Args:
        dataset: Its name, part of the hash.
        recordings: Its sequences.
        shares: Share of each split, summing to one.

    Returns:
        A key of :data:`RULES`, and the usable spans: split, row of the catalog, first frame, frame after the last.
    """
    if not len(recordings):
        return "none", np.empty((0, 4), np.int64)
    everything = np.arange(len(recordings))
    by_people = recordings.named >= max(FEWEST_SUBJECTS, int(np.count_nonzero(shares)))
    if by_people:
        people, unit_of = np.unique(recordings.people, return_inverse=True)
        ranks = np.array([_hash(dataset, person) for person in people.tolist()])
    else:
        # Sequences of equal content are one unit: a copy never stands in another split.
        ranks, unit_of = np.unique(recordings.ranks, return_inverse=True)
    sizes = np.bincount(unit_of, recordings.usable)
    split = _deal(ranks, sizes, shares, each_one=True)
    if by_people or _is_enough(np.bincount(split, sizes, len(shares)), shares):
        return "subject" if by_people else "sequence", recordings.pieces(everything, split[unit_of])
    return _assign_blocks(recordings, unit_of, ranks, sizes, shares)


def _hash(dataset: str, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{dataset}\0{name}".encode(), digest_size=7).digest(), "little")


def _deal(
    ranks: Int64[np.ndarray, "units"],
    sizes: Float[np.ndarray, "units"] | Int64[np.ndarray, "units"],
    shares: Float[np.ndarray, "splits"],
    each_one: bool = False,
) -> Int64[np.ndarray, "units"]:
    """Deal units to splits.

    Large ones go first, the largest before the others, each to the split that lacks most. The small ones follow in
    the order of their ranks: the first so many fill what the first split lacks, the next the second.

    Args:
        ranks: A stable hash of each unit.
        sizes: Usable frames of each unit.
        shares: Share of each split.
        each_one: Give every split with a share at least one unit if there are enough.
    """
    wanted = float(np.sum(sizes)) * shares
    lacking = wanted.tolist()
    split = np.full(len(sizes), -1, np.int64)
    open_splits = np.flatnonzero(shares > 0).tolist()
    order = np.lexsort((ranks, -sizes))
    is_large = sizes[order] > 0.5 * wanted[open_splits].min()
    empty = set(open_splits) if each_one else set()
    for unit in order[is_large | (len(sizes) <= 2 * len(shares))].tolist():
        # When only as many units are left as there are splits without one, those splits get them.
        best = max(empty if len(empty) >= (split < 0).sum() else open_splits, key=lambda k: lacking[k])
        split[unit] = best
        lacking[best] -= float(sizes[unit])
        empty.discard(best)
    small = np.flatnonzero(split < 0)
    if len(small):
        small = small[np.argsort(ranks[small], kind="stable")]
        middles = np.cumsum(sizes[small]) - 0.5 * sizes[small]
        room = np.maximum(lacking, 0.0)[open_splits]
        edges = np.cumsum(room / room.sum() * float(np.sum(sizes[small])))[:-1]
        split[small] = np.asarray(open_splits)[np.searchsorted(edges, middles, side="right")]
    return split


def _is_enough(got: Float[np.ndarray, "splits"], shares: Float[np.ndarray, "splits"]) -> bool:
    return bool((got >= ENOUGH * shares * got.sum()).all() and got.sum() > 0)


def _assign_blocks(
    recordings: Recordings,
    unit_of: Int64[np.ndarray, "sequences"],
    ranks: Int64[np.ndarray, "units"],
    sizes: Float[np.ndarray, "units"],
    shares: Float[np.ndarray, "splits"],
) -> tuple[str, Int64[np.ndarray, "spans 4"]]:
    """Cut the longest recordings, as few as will do, and deal the others whole."""
    longest = np.lexsort((ranks, -sizes))
    pieces = np.empty((0, 4), np.int64)
    for count in range(1, len(ranks) + 1):
        whole = np.sort(longest[count:])
        cut = np.flatnonzero(np.isin(unit_of, longest[:count]))
        blocks = np.concatenate([_cut(recordings, index, shares) for index in cut.tolist()])
        lacking = np.maximum(shares * sizes.sum() - _frames_of(blocks, shares), 0)
        split = np.zeros(len(ranks), np.int64)
        if len(whole):
            split[whole] = _deal(ranks[whole], sizes[whole], lacking / max(lacking.sum(), 1))
        rest = np.flatnonzero(~np.isin(unit_of, longest[:count]))
        pieces = np.concatenate([blocks, recordings.pieces(rest, split[unit_of[rest]])])
        if _is_enough(_frames_of(pieces, shares), shares):
            return "block", pieces
    if (_frames_of(pieces, shares) > 0)[shares > 0].all():
        return "block", pieces
    everything = np.arange(len(recordings))
    return "single", recordings.pieces(everything, np.full(len(recordings), np.argmax(shares)))


def _frames_of(
    pieces: Int64[np.ndarray, "spans 4"], shares: Float[np.ndarray, "splits"]
) -> Float[np.ndarray, "splits"]:
    return np.bincount(pieces[:, 0], pieces[:, 3] - pieces[:, 2], len(shares))


def _cut(recordings: Recordings, index: int, shares: Float[np.ndarray, "splits"]) -> Int64[np.ndarray, "spans 4"]:
    """Cut one recording into contiguous blocks for all splits, with a guard gap at each change of split."""
    fps = recordings.fps[index]
    whole = recordings.pieces(np.array([index]), np.array([np.argmax(shares)]))
    row, spans = whole[0, 1], whole[:, 2:]
    first, last = int(spans[0, 0]), int(spans[-1, 1])
    guard = GUARD_FRAMES if np.isnan(fps) else max(1, math.ceil(GUARD_SECONDS * fps))
    splits = np.flatnonzero(shares > 0)
    rounds = int(np.clip((last - first) // (_BLOCK_GUARDS * guard * len(splits)), 1, _MOST_ROUNDS))
    room = last - first - guard * (rounds * len(splits) - 1)
    if room < rounds * len(splits):
        return whole
    edges = np.round(np.cumsum(np.tile(shares[splits] / rounds, rounds)) * room).astype(np.int64)
    stops = first + edges + guard * np.arange(len(edges))
    starts = np.append(first, stops[:-1] + guard)
    pieces = []
    for split, start, stop in zip(np.tile(splits, rounds).tolist(), starts.tolist(), stops.tolist(), strict=True):
        inside = np.clip(spans, start, stop)
        inside = inside[inside[:, 1] > inside[:, 0]]
        pieces.append(np.column_stack([np.full(len(inside), split), np.full(len(inside), row), inside]))
    return np.concatenate(pieces)
