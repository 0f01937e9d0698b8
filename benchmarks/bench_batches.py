"""Opening a training set and feeding batches of it, against the plain way: ``python benchmarks/bench_batches.py``.

Two baselines, written plainly, as people write them. ``as published`` follows keniel123/smplx-pose-priors:
frame lists in JSON become a list of (dataset, frame); every file is read by ``np.load`` and kept; a Dataset
joins the two hands of one frame and standardises them; a DataLoader stacks them with torch's own collate. (Its loop
over single frames for mean and spread is left out: whole arrays are used, in the baseline's favour.) ``stacked`` is the
best that stays per frame: only the chosen frames are kept, as one array.

Ours is ``HandVAEDataModule`` over a store that was packed before (the time of packing is printed). Each stage is a
process of its own and runs ``--rounds`` times in turn with the others; the quickest counts, and the smallest peak
memory above its imports (VmHWM). Files are in the page cache. To open means: until the first batch of 8192 is there.
In memory, ours reads that batch from the disk while the frames are on their way; when the last has come is said too.
Both sides may use two threads; on a machine that does other work threads wait for each other and ours suffers most.

The baselines' opening grows with all frames of the corpus, ours with the frames drawn. 30 million frames, as in the
published corpus, are 11 GB; the default is a tenth of that, which flatters the baselines. ``--frames 30_000_000`` for
all of it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data_tools.selection import Selection
from data_tools.store import pack
from training.datamodules import HandVAEDataModule

FILES = 45
BATCH = 8192
HELD_OUT = 16_384
PLAIN_BATCHES, OUR_EPOCHS = 24, 10


class PublishedHands(Dataset[Tensor]):
    """All files; hands out one standardised frame of the list at a time."""

    def __init__(self, data: Path, samples: Path) -> None:
        self.samples: list[tuple[str, int]] = []
        self.files: dict[str, dict[str, np.ndarray]] = {}
        total, squares = np.zeros(90), np.zeros(90)
        for name, frames in json.loads(samples.read_text()).items():
            for frame in frames:
                self.samples.append((name, frame))
            content = np.load(data / f"{name}.npz")
            self.files[name] = {key: content[key] for key in ("lhand_pose", "rhand_pose")}
            chosen = np.hstack([self.files[name][key][frames] for key in ("lhand_pose", "rhand_pose")])
            total += chosen.sum(axis=0, dtype=np.float64)
            squares += np.square(chosen).sum(axis=0, dtype=np.float64)
        self.mean = (total / len(self.samples)).astype(np.float32)
        self.std = np.sqrt(squares / len(self.samples) - self.mean**2).astype(np.float32)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Tensor:
        name, frame = self.samples[index]
        left = self.files[name]["lhand_pose"][frame].astype(np.float32)
        right = self.files[name]["rhand_pose"][frame].astype(np.float32)
        return torch.from_numpy((np.concatenate([left, right]) - self.mean) / self.std)


class StackedHands(Dataset[Tensor]):
    """The chosen frames of all files as one array; hands out one standardised frame at a time."""

    def __init__(self, data: Path, samples: Path) -> None:
        parts = []
        for name, frames in json.loads(samples.read_text()).items():
            content = np.load(data / f"{name}.npz")
            parts.append(np.hstack([content["lhand_pose"][frames], content["rhand_pose"][frames]]))
        self.poses = np.concatenate(parts).astype(np.float32)
        self.mean, self.std = self.poses.mean(axis=0), self.poses.std(axis=0)

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy((self.poses[index] - self.mean) / self.std)


BASELINES = {"published": PublishedHands, "stacked": StackedHands}
STAGES = {
    "published-0": "as published, no workers",
    "published-2": "as published, 2 workers",
    "stacked-0": "stacked, no workers",
    "stacked-2": "stacked, 2 workers",
    "ram-": "ours, memory",
    "map-": "ours, memory map",
}


def make_corpus(folder: Path, frames: int, drawn: int) -> None:
    """Write consolidated files, frame lists in JSON, and the store of the same frames."""
    rng = np.random.default_rng(0)
    data = folder / "data"
    data.mkdir()
    each = frames // FILES
    noise = rng.normal(0, 0.3, (each, 90)).astype(np.float32)
    rows: dict[str, list[Any]] = {"train": [], "val": [], "test": []}
    counts = {"train": drawn, "val": HELD_OUT, "test": HELD_OUT}
    samples: dict[str, dict[str, list[int]]] = {split: {} for split in counts}
    for number in range(FILES):
        name = f"dataset{number:02d}"
        hands = np.roll(noise, 997 * number, axis=0)
        np.savez(data / f"{name}.npz", lhand_pose=hands[:, :45], rhand_pose=hands[:, 45:])
        shares = [count // FILES + (number < count % FILES) for count in counts.values()]
        chosen = np.split(rng.permutation(each)[: sum(shares)], np.cumsum(shares)[:-1])
        for split, picked in zip(counts, chosen, strict=True):
            samples[split][name] = np.sort(picked).tolist()
            rows[split].append((name, np.sort(picked)))
    for split, lists in samples.items():
        (folder / f"{split}_samples.json").write_text(json.dumps(lists))
    began = time.perf_counter()
    pack(selection_of(rows), data, folder / "store")
    print(f"  packed once in {time.perf_counter() - began:.1f} s")


def selection_of(rows: dict[str, list[Any]]) -> Selection:
    """The drawn frames as a selection, without a scan of made-up numbers."""
    tables = [
        pl.DataFrame({"frame": frames}).select(
            dataset=pl.lit(name),
            sequence=pl.lit(name),
            path=pl.lit(f"{name}.npz"),
            frame=pl.col("frame").cast(pl.Int64),
            tier=pl.lit("high"),
            split=pl.lit(split),
            subject=pl.lit(None, pl.String),
        )
        for split, parts in rows.items()
        for name, frames in parts
    ]
    names = {name for parts in rows.values() for name, _ in parts}
    about = {
        "hash": "made up",
        "catalog_fingerprint": "made up",
        "mix_hash": "",
        "seed": 0,
        "synthetic": True,
        "hands_mean": None,
        "splits": list(rows),
        "files": {f"{name}.npz": ["consolidated", "incl"] for name in sorted(names)},
    }
    text = [pl.col(name).cast(pl.Categorical) for name in ("dataset", "sequence", "path", "tier", "split", "subject")]
    return Selection(pl.concat(tables).with_columns(text), about)


def memory(key: str) -> int:
    """A size from /proc, in bytes: VmHWM is the peak, VmRSS what there is now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{key}:")).split()[1])


def our_module(folder: Path, *, mmap: bool) -> HandVAEDataModule:
    return HandVAEDataModule(folder / "data", folder / "store", batch_size=BATCH, mmap=mmap)


def run_stage(stage: str, folder: Path) -> dict[str, float]:
    """One stage: seconds to open, frames per second, peak bytes above the imports."""
    torch.set_num_threads(2)
    torch.zeros(1).add_(1)
    before = memory("VmRSS")
    began = time.perf_counter()
    kind, _, workers = stage.partition("-")
    loader: Any
    if kind in BASELINES:
        dataset = BASELINES[kind](folder / "data", folder / "train_samples.json")
        loader = DataLoader(dataset, BATCH, shuffle=True, num_workers=int(workers))
        next(iter(DataLoader(dataset, BATCH, shuffle=True)))
    else:
        data = our_module(folder, mmap=kind == "map")
        data.setup("fit")
        loader = data.train_dataloader()
        next(iter(loader))
    opened = time.perf_counter() - began
    if kind == "ram":
        loader.frames.all()
    loaded, peak = time.perf_counter() - began, memory("VmHWM") - before
    rate = feeding_rate(loader, plain=kind in BASELINES)
    return {"open": opened, "loaded": loaded, "peak": peak, "rate": rate}


def feeding_rate(loader: Any, *, plain: bool) -> float:
    """Frames per second: some batches of the baseline after the first, whole epochs of ours."""
    if plain:
        batches = iter(loader)
        next(batches)
        began = time.perf_counter()
        frames = sum(len(batch) for batch in islice(batches, PLAIN_BATCHES))
        return frames / (time.perf_counter() - began)
    rates = []
    for _ in range(OUR_EPOCHS):
        began = time.perf_counter()
        frames = sum(len(batch) for batch in loader)
        rates.append(frames / (time.perf_counter() - began))
    return max(rates)


def measured(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Every stage in turn, several times; the quickest of each and the smallest peak."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for stage in STAGES:
            command = [sys.executable, __file__, "--stage", stage, "--folder", str(folder)]
            now = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            old = best.get(stage, now)
            best[stage] = {
                "open": min(old["open"], now["open"]),
                "loaded": min(old["loaded"], now["loaded"]),
                "peak": min(old["peak"], now["peak"]),
                "rate": max(old["rate"], now["rate"]),
            }
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=3_000_000, help="frames in all (default 3 million)")
    parser.add_argument("--drawn", type=int, default=1_200_000, help="train frames drawn (default 1.2 million)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(run_stage(options.stage, options.folder)))
        return
    size = (options.drawn + HELD_OUT) * 90 * 4
    print(f"{options.drawn:,} of {options.frames:,} frames in {FILES} files, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as name:
        make_corpus(Path(name), options.frames, options.drawn)
        best = measured(Path(name), options.rounds)
    print(f"  the frames themselves are {size / 1e6:,.0f} MB")
    for stage in ("published-0", "stacked-0", "ram-", "map-"):
        now = best[stage]
        print(
            f"  open, {STAGES[stage]:24} {now['open']:8.3f} s, peak {now['peak'] / size:5.2f} times the frames"
            + ratios(best, stage, lambda base, now: base["open"] / now["open"])
        )
    print(
        f"  all in memory after {best['ram-']['loaded']:26.3f} s"
        + ratios(best, "ram-", lambda base, now: base["open"] / now["loaded"])
    )
    for stage, label in STAGES.items():
        rate = best[stage]["rate"]
        print(
            f"  feed, {label:24} {rate:12,.0f} frames/s"
            + ratios(best, stage, lambda base, now: now["rate"] / base["rate"])
        )


def ratios(best: dict[str, dict[str, float]], stage: str, ratio: Callable[[Any, Any], float]) -> str:
    """How many times better than each baseline without workers."""
    if stage.partition("-")[0] in BASELINES:
        return ""
    found = {name: ratio(best[f"{name}-0"], best[stage]) for name in BASELINES}
    return f" = {found['published']:.0f} times as published, {found['stacked']:.0f} times stacked"


if __name__ == "__main__":
    main()
