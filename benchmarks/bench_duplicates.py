"""How many copied recordings the audit finds, and how many finds are true: ``python benchmarks/bench_duplicates.py``.

Live sequences of a corpus (the synthetic one, or ``--data``) are copied into a further dataset as real collections copy
them: at a lower frame rate, trimmed, with noise, in float16, mirrored, with the other mean-hand convention, and all of
that together. Every pair that the audit names is checked against what was planted. The corpus's own repetitions of a
movement by the same or other people are the negatives.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from data_tools import audit, demo_corpus, scan
from data_tools.dataset_notes import DatasetNotes
from data_tools.hand_mean import to_model_pose
from data_tools.pose_layout import HANDS_COLUMNS, mirror_hands
from data_tools.readers import reader_named

Plant = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def trim(hands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    start = int(rng.integers(len(hands) // 3))
    return hands[start : start + len(hands) * 3 // 5]


def noisy(hands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return hands + rng.normal(0, 0.01, hands.shape)


PLANTS: dict[str, Plant] = {
    "the same values": lambda hands, rng: hands,
    "mirrored": lambda hands, rng: mirror_hands(hands),
    "every 2nd frame": lambda hands, rng: hands[1::2],
    "every 4th frame": lambda hands, rng: hands[1::4],
    "trimmed to 60 %": trim,
    "noise of 0.01 rad": noisy,
    "float16": lambda hands, rng: hands.astype(np.float16).astype(np.float64),
    "other mean hand": lambda hands, rng: hands,
    "2nd frame, trimmed, noise": lambda hands, rng: noisy(trim(hands, rng), rng)[::2],
    "mirrored, trimmed, float16": lambda hands, rng: mirror_hands(trim(hands, rng)).astype(np.float16).astype(float),
}


def plant(data: Path, each: int, seed: int) -> dict[tuple[str, str], str]:
    """Write copies into ``data/Planted``; returns which sequence each is a copy of, by kind and name."""
    rng = np.random.default_rng(seed)
    catalog = scan(data, cache=False)
    long = catalog.sequences.filter((pl.col("usable_frames") == pl.col("frames")) & (pl.col("frames") >= 150))
    rows = long.sample(min(each * len(PLANTS), len(long)), seed=seed, shuffle=True).rows(named=True)
    mean = DatasetNotes.read(data).hands_mean or catalog.hands_mean
    hands_mean = None if mean is None else np.array(mean)
    truth = {}
    for index, row in enumerate(rows):
        kind = list(PLANTS)[index % len(PLANTS)]
        read = reader_named(row["format"]).read(data / row["path"], row["start"], row["stop"], root=data)
        hands = to_model_pose(read.poses.astype(np.float64), row["hand_mean"], hands_mean)[:, HANDS_COLUMNS]
        hands = PLANTS[kind](hands, rng)
        if kind == "other mean hand" and hands_mean is not None:
            hands = hands - hands_mean  # and nobody says so
        path = data / "Planted" / f"{index:04d}_poses.npz"
        path.parent.mkdir(exist_ok=True)
        np.savez(path, poses=np.hstack([np.zeros((len(hands), 66)), hands]), mocap_framerate=30.0)
        truth[kind, path.stem] = row["sequence"]
    return truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="copied first; the synthetic corpus if not given")
    parser.add_argument("--frames", type=int, default=300_000, help="of the synthetic corpus")
    parser.add_argument("--each", type=int, default=20, help="copies of each kind")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        if arguments.data:
            shutil.copytree(arguments.data, data)
        else:
            demo_corpus.write(data, frames=arguments.frames)
        truth = plant(data, arguments.each, seed=1)
        catalog = scan(data, cache=False)
        start = time.perf_counter()
        found = audit(catalog, cache=False).duplicates
        seconds = time.perf_counter() - start
    pairs = {(b, a) for a, b in found.select("sequence_a", "sequence_b").iter_rows()}
    pairs |= {(b, a) for a, b in pairs}
    frames = int(catalog.sequences["frames"].sum())
    print(f"{len(catalog.sequences):,} sequences, {frames:,} frames, audited in {seconds:.1f} s")
    for kind in PLANTS:
        planted = [(name, source) for (of, name), source in truth.items() if of == kind]
        hits = sum(pair in pairs for pair in planted)
        print(f"{kind:28}{hits:>5} of {len(planted)} found")
    true = {pair for (_, name), source in truth.items() for pair in ((name, source), (source, name))}
    wrong = sum((a, b) not in true for a, b in found.select("sequence_a", "sequence_b").iter_rows())
    print(f"recall {sum(p in pairs for p in {(n, s) for (_, n), s in truth.items()}) / len(truth):.1%}, ", end="")
    print(f"precision {1 - wrong / max(len(found), 1):.1%} ({wrong} of {len(found)} pairs were not planted)")


if __name__ == "__main__":
    main()
