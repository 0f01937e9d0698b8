"""Do the splits leak: how near test frames lie to train frames, against what honest and shuffled splits would show.

A test frame that lies as near to a train frame as its neighbour in time would is no test. Whether a split has such
frames is seen by comparing three distances over both hands (radians, Euclidean over 90 numbers): from test to the
nearest train frame; from train frames to the nearest other train frame; and the same after the frames of all splits
were shuffled. In a frame-shuffled split half of the test frames lie nearer to a train frame than train frames lie to
each other, by construction; on unseen people next to none do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from data_tools.mixing.drawing import spread
from data_tools.pose_layout import HANDS_DIM

if TYPE_CHECKING:
    from data_tools.store import PoseStore

Verdict = Literal["honest", "partly", "leaks", "cannot tell"]

HONEST, LEAKING = 0.10, 0.35
"""Share of test frames nearer to train than train frames lie to each other: up to the first a split is called honest,
from the second on it leaks. A shuffled split has one half."""

TELLING = 1.15
"""Leaks can be told only where frames of other sequences lie so many times farther than neighbours in time do."""

IDENTICAL = 1e-4
"""Frames nearer than this (radians, over both hands) are the same frame: rounding of float32 stays below it."""

FEW_COPIES, MANY_COPIES = 0.001, 0.01
"""Share of test or val frames that stand in train as well: beyond the first it is said, beyond the second it leaks."""

SHUFFLED = "test to train, had frames been shuffled"

_BLOCK = 512
_HASHED = 16_384
_COMPARED = 2_000_000  # distances in memory at a time, 8 MB


@dataclass(frozen=True)
class LeakRow:
    """Nearest distances from some frames to others, radians over both hands.

    Attributes:
        name: From which frames to which.
        frames: How many were looked at.
        quarter: A quarter of the frames lies nearer.
        median: Half of the frames lies nearer.
        three_quarters: Three quarters of the frames lie nearer.
        nearer: Share of the frames nearer than the median distance between train frames.
        identical: Share of the frames that are there a second time; from test and val to train all frames are looked
            at, not only the sampled ones.
    """

    name: str
    frames: int
    quarter: float
    median: float
    three_quarters: float
    nearer: float
    identical: float


@dataclass(frozen=True)
class LeakReport:
    """What the distances say.

    Attributes:
        rows: The distances.
        verdict: ``honest``, ``partly``, ``leaks`` or ``cannot tell``.
        words: The verdict in words.
        sampled: What was looked at, in words.
    """

    rows: tuple[LeakRow, ...]
    verdict: Verdict
    words: str
    sampled: str

    def row(self, name: str) -> LeakRow:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def leak_report(
    store: PoseStore | Path | str, *, frames: int = 100_000, queries: int = 3_000, seed: int = 0
) -> LeakReport:
    """Measure how near the test and val frames of a store lie to its train frames.

    Args:
        store: The packed frames, or the folder that ``pack`` wrote.
        frames: Train frames that distances are measured to, at most; they are spread evenly over the split.
        queries: Frames of each kind that distances are measured from, at most.
        seed: Of the sampling.

    Raises:
        ValueError: No test or train frames to compare.
    """
    from data_tools.store import PoseStore

    store = store if isinstance(store, PoseStore) else PoseStore(store)
    rows = store.rows
    split = rows["split"].cast(str).to_numpy()
    sequence = (rows.select("dataset", "sequence").hash_rows() if len(rows) else rows["frame"]).to_numpy()
    person = None
    if rows["subject"].null_count() < len(rows):
        named = rows.select("dataset", "subject").hash_rows().to_numpy()
        # Whoever is not named is somebody else in every sequence.
        person = np.where(rows["subject"].is_null().to_numpy(), sequence, named)
    return compare(
        lambda picked: np.asarray(store.poses[picked, -HANDS_DIM:]),
        split,
        sequence,
        person,
        frames=frames,
        queries=queries,
        seed=seed,
    )


def compare(
    poses: Callable[[Int64[np.ndarray, "picked"]], Float32[np.ndarray, "picked columns"]],
    split: np.ndarray,
    sequence: np.ndarray,
    person: np.ndarray | None = None,
    *,
    frames: int = 100_000,
    queries: int = 3_000,
    seed: int = 0,
) -> LeakReport:
    """Measure leaks between any frames.

    Args:
        poses: Gives the poses of some frames, by number in ascending order.
        split: (frames,) the split of each frame: ``train``, ``test``, ``val``.
        sequence: (frames,) anything that tells the sequences apart.
        person: (frames,) anything that tells people apart; None where nobody is named.
        frames: As for :func:`leak_report`.
        queries: As for :func:`leak_report`.
        seed: As for :func:`leak_report`.
    """
    generator = np.random.default_rng(seed)
    places = {name: np.flatnonzero(split == name) for name in ("train", "val", "test")}
    if len(places["train"]) < 2 or not len(places["test"]):
        raise ValueError(
            f"{len(places['train'])} train and {len(places['test'])} test frames: leaks need both; select more frames"
        )
    train = _spread(places["train"], frames, generator)
    known = poses(train)
    center = known.mean(axis=0)
    known -= center
    asked = {name: _spread(places[name], queries, generator) for name in ("test", "val") if len(places[name])}
    found = {f"{name} to train": nearest_distances(poses(rows) - center, known)[0] for name, rows in asked.items()}

    own = _spread(np.arange(len(train)), queries, generator)
    kinds = {"train to train": np.arange(len(train)), "train to train of other sequences": sequence[train]}
    if person is not None:
        kinds["train to train of other people"] = person[train]
    between = nearest_distances(known[own], known, [(groups[own], groups) for groups in kinds.values()])
    found |= dict(zip(kinds, between, strict=True))

    limit = float(np.median(found["train to train"]))
    table = [_row(name, distances, limit) for name, distances in found.items() if len(distances)]
    copied = {f"{name} to train": share for name, share in _copied(poses, places).items()}
    table = [replace(row, identical=max(row.identical, copied.get(row.name, 0.0))) for row in table]
    everything = np.sort(np.concatenate(list(places.values())))
    table.append(_row(SHUFFLED, *_shuffled(poses, everything, len(asked["test"]), len(train), generator)))
    verdict, words = _judge({row.name: row for row in table})
    return LeakReport(tuple(table), verdict, words, _sampled(asked, train, places))


def _copied(
    poses: Callable[[Int64[np.ndarray, "picked"]], Float32[np.ndarray, "picked columns"]],
    places: dict[str, Int64[np.ndarray, "places"]],
) -> dict[str, float]:
    """Share of all test and val frames that stand in train bit by bit, found by a hash of each frame."""
    hashes = {}
    for name, rows in places.items():
        parts = [np.empty(0, np.uint64)]
        for first in range(0, len(rows), _HASHED):
            block = poses(rows[first : first + _HASHED]) + np.float32(0)  # which makes -0 the same as 0
            words = np.pad(block, ((0, 0), (0, block.shape[1] % 2))).view(np.uint64)
            factors = np.random.default_rng(0).integers(1 << 63, size=words.shape[1], dtype=np.uint64) | np.uint64(1)
            mixed = words ^ (words >> np.uint64(29))
            parts.append(np.einsum("nc,c->n", mixed, factors))
        hashes[name] = np.concatenate(parts)
    known = np.unique(hashes.pop("train"))
    return {name: float(np.isin(values, known).mean()) for name, values in hashes.items() if len(values)}


def _shuffled(
    poses: Callable[[Int64[np.ndarray, "picked"]], Float32[np.ndarray, "picked columns"]],
    places: Int64[np.ndarray, "places"],
    queries: int,
    frames: int,
    generator: np.random.Generator,
) -> tuple[Float[np.ndarray, "found"], float]:
    """The same from test to train had all frames been shuffled, and the median between train frames then."""
    mixed = _spread(places, queries + frames, generator)
    order = generator.permutation(len(mixed))
    test, train = order[:queries], np.sort(order[queries : queries + frames])
    shuffled = poses(mixed)
    shuffled -= shuffled.mean(axis=0)
    known, own = shuffled[train], generator.choice(len(train), min(queries, len(train)), replace=False)
    between = nearest_distances(known[own], known, [(own, np.arange(len(train)))])[0]
    return nearest_distances(shuffled[test], known)[0], float(np.median(between))


def _spread(
    places: Int64[np.ndarray, "places"], most: int, generator: np.random.Generator
) -> Int64[np.ndarray, "some"]:
    return places if len(places) <= most else places[spread(len(places), most, generator)]


def nearest_distances(
    of: Float32[np.ndarray, "queries columns"],
    to: Float32[np.ndarray, "known columns"],
    apart: list[tuple[np.ndarray, np.ndarray]] | None = None,
) -> list[Float[np.ndarray, "found"]]:
    """Exact distance of each frame to the nearest known one, in blocks of bounded memory.

    Args:
        of: Frames.
        to: Known frames.
        apart: For each result, groups of the frames and of the known ones: a frame looks only at other groups.

    Returns:
        Distances for each entry of ``apart``; a frame with no other group is left out.
    """
    rules = apart or [(np.empty(0), np.empty(0))]
    results: list[list[np.ndarray]] = [[] for _ in rules]
    squares = np.einsum("nc,nc->n", to, to)
    width = max(1, _COMPARED // _BLOCK)
    for first in range(0, len(of), _BLOCK):
        block = of[first : first + _BLOCK]
        best = np.full((len(rules), len(block)), np.inf, np.float32)
        nearest = np.zeros((len(rules), len(block)), np.int64)
        for low in range(0, len(to), width):
            part = slice(low, low + width)
            # Without the frame's own square, which changes no order.
            distances = squares[part] - 2 * (block @ to[part].T)
            for rule, (own, groups) in enumerate(rules):
                if len(groups):
                    masked = np.where(own[first : first + _BLOCK, None] == groups[part], np.inf, distances)
                else:
                    masked = distances
                place = masked.argmin(axis=1)
                value = masked[np.arange(len(block)), place]
                is_better = value < best[rule]
                best[rule, is_better], nearest[rule, is_better] = value[is_better], place[is_better] + low
        for rule, result in enumerate(results):
            has_any = np.isfinite(best[rule])
            # Differences are exact where the expanded square would cancel.
            result.append(np.linalg.norm(block[has_any].astype(np.float64) - to[nearest[rule, has_any]], axis=1))
    return [np.concatenate(result) if result else np.empty(0) for result in results]


def _row(name: str, distances: Float[np.ndarray, "frames"], limit: float) -> LeakRow:
    quarter, median, three_quarters = np.quantile(distances, [0.25, 0.5, 0.75]).tolist()
    near: Bool[np.ndarray, "frames"] = distances < limit
    return LeakRow(
        name, len(distances), quarter, median, three_quarters, float(near.mean()), float((distances < IDENTICAL).mean())
    )


def _judge(rows: dict[str, LeakRow]) -> tuple[Verdict, str]:
    test, shuffled = rows["test to train"], rows[SHUFFLED]
    near = (
        f"{test.nearer:.0%} of the test frames lie nearer to a train frame than train frames lie to each other; "
        f"{shuffled.nearer:.0%} would if frames had been shuffled"
    )
    copies = {name: row.identical for name, row in rows.items() if name in ("test to train", "val to train")}
    if max(copies.values()) > FEW_COPIES:
        what = " and ".join(f"{share:.1%} of the {name.split()[0]} frames" for name, share in copies.items() if share)
        leaks = max(copies.values()) > MANY_COPIES
        end = "the split leaks" if leaks else "a few recordings are in the sources twice"
        return "leaks" if leaks else "partly", f"{what} stand in train as well: {end}. {near}"
    other = rows.get("train to train of other sequences")
    if test.nearer <= HONEST:
        return "honest", f"{near}: the split does not leak"
    if other is not None and other.median < TELLING * rows["train to train"].median:
        return "cannot tell", (
            f"{near}; but train frames lie as near to other sequences as to their own, because frames were drawn far "
            "apart in time or movements repeat: distances cannot tell a leak here"
        )
    if test.nearer >= LEAKING:
        return "leaks", f"{near}: the split leaks as a shuffled one does"
    return "partly", f"{near}: some test frames have close relatives in train; look for copies and for repeated takes"


def _sampled(asked: dict[str, np.ndarray], train: np.ndarray, places: dict[str, np.ndarray]) -> str:
    looked = " and ".join(f"{len(rows):,} of {len(places[name]):,} {name} frames" for name, rows in asked.items())
    return (
        f"{looked} against {len(train):,} of {len(places['train']):,} train frames, spread evenly over each split, and "
        "every frame for copies; Euclidean distance over the 90 numbers of both hands, radians"
    )
