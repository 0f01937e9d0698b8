"""Do the splits leak: how near test frames lie to train frames, against what honest and shuffled splits would show.

A test frame that lies as near to a train frame as its neighbour in time would is no test. Whether a split has such
frames is seen by comparing three distances over both hands (radians, Euclidean over 90 numbers): from test to the
nearest train frame; from train frames to the nearest other train frame; and the same after the frames of all splits
were shuffled. In a frame-shuffled split half of the test frames lie nearer to a train frame than train frames lie to
each other, by construction; on unseen people next to none do.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int64

from data_tools.leaks.copied_frames import Poses, copied_shares
from data_tools.leaks.nearest_distances import nearest_distances
from data_tools.leaks.verdict import SHUFFLED, LeakRow, Verdict, judged
from data_tools.mixing.drawing import spread
from data_tools.pose_layout import HANDS_DIM

if TYPE_CHECKING:
    from data_tools.store import PoseStore


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
    poses: Poses,
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
    table = [LeakRow.of(name, distances, limit) for name, distances in found.items() if len(distances)]
    copied = {f"{name} to train": share for name, share in copied_shares(poses, places).items()}
    table = [replace(row, identical=max(row.identical, copied.get(row.name, 0.0))) for row in table]
    everything = np.sort(np.concatenate(list(places.values())))
    table.append(LeakRow.of(SHUFFLED, *_shuffled(poses, everything, len(asked["test"]), len(train), generator)))
    verdict, words = judged({row.name: row for row in table})
    return LeakReport(tuple(table), verdict, words, _sampled(asked, train, places))


def _shuffled(
    poses: Poses,
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


def _sampled(asked: dict[str, np.ndarray], train: np.ndarray, places: dict[str, np.ndarray]) -> str:
    looked = " and ".join(f"{len(rows):,} of {len(places[name]):,} {name} frames" for name, rows in asked.items())
    return (
        f"{looked} against {len(train):,} of {len(places['train']):,} train frames, spread evenly over each split, and "
        "every frame for copies; Euclidean distance over the 90 numbers of both hands, radians"
    )
