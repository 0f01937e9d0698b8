"""Scan, plan, draw and pack against the plain way of doing the same, in one run: ``python benchmarks/bench_data.py``.

The baseline is what the scripts we supersede do: ``np.load`` of every file, a frame list per dataset, random
sampling, JSON; and for packing, fancy indexing into whole arrays. It finds no sequences, no dead hands and no splits
that hold. Every stage runs in a process of its own; peaks are resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

NAMES = ("GRAB", "MOYO", "arctic", "Bedlam", "DanceDB", "speech", "magic", "talkshow", "CMU", "KIT")
CLIP = 250  # frames of a sequence
TOTAL_SHARE = 0.05  # 1.5 of 30 million


def write_corpus(folder: Path, frames: int) -> None:
    """Write consolidated files of clips of smooth motion, hands and body, stored."""
    rng = np.random.default_rng(0)
    clock = np.arange(CLIP)[:, None] / 30
    waves = [
        rng.uniform(0.1, 0.3, 153) * np.sin(rng.uniform(1, 2, 153) * clock + rng.uniform(0, 6, 153)) for _ in range(100)
    ]
    for name in NAMES:
        count = frames // len(NAMES) // CLIP
        poses = np.concatenate(
            [waves[k] + rng.normal(0, 0.3, 153) for k in rng.integers(len(waves), size=count)], dtype=np.float32
        )
        left, right = poses[:, 63:108], poses[:, 108:]
        np.savez(folder / f"{name}.npz", body_pose=poses[:, :63], lhand_pose=left, rhand_pose=right)


def plain_read(data: Path, _: Path) -> None:
    for path in sorted(data.glob("*.npz")):
        with np.load(path) as content:
            for key in content.files:
                content[key].sum()


def plain_select(data: Path, out: Path) -> None:
    counts = {path.stem: len(np.load(path)["body_pose"]) for path in sorted(data.glob("*.npz"))}
    samples = {name: random.sample(range(count), int(count * TOTAL_SHARE)) for name, count in counts.items()}
    pairs = [(name, frame) for name, frames in samples.items() for frame in frames]
    random.shuffle(pairs)
    edges = (0, int(0.8 * len(pairs)), int(0.9 * len(pairs)), len(pairs))
    for split, low, high in zip(("train", "val", "test"), edges, edges[1:], strict=False):
        chosen: dict[str, list[int]] = {}
        for name, frame in pairs[low:high]:
            chosen.setdefault(name, []).append(frame)
        (out / f"plain_{split}.json").write_text(json.dumps(chosen, indent=2))


def plain_pack(data: Path, out: Path) -> None:
    samples = json.loads((out / "plain_train.json").read_text())
    rows = []
    for name, frames in samples.items():
        with np.load(data / f"{name}.npz") as content:
            rows.append(np.hstack([content["lhand_pose"][frames], content["rhand_pose"][frames]]))
    np.save(out / "plain.npy", np.concatenate(rows))


def our_scan(data: Path, out: Path) -> None:
    from data_tools import scan

    scan(data, cache=out / "scans.sqlite")


def our_select(data: Path, out: Path) -> None:
    from data_tools import balance, scan
    from data_tools.mixing.mix_settings import Mix

    catalog = scan(data, cache=out / "scans.sqlite")
    total = int(TOTAL_SHARE * catalog.sequences["frames"].sum())
    balance(catalog, replace(Mix.default(), total=total), out / "splits")


def our_pack(data: Path, out: Path) -> None:
    from data_tools import pack

    pack(out / "splits", data, out / "store")


STAGES: dict[str, Callable[[Path, Path], None]] = {
    stage.__name__: stage for stage in (plain_read, plain_select, plain_pack, our_scan, our_select, our_pack)
}


def measure(stage: str, data: Path, out: Path) -> tuple[float, float]:
    """Run a stage in its own process: seconds without imports, and peak memory in MB."""
    command = [sys.executable, __file__, "--stage", stage, "--data", str(data), "--out", str(out)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    seconds, megabytes = json.loads(answer)
    return seconds, megabytes


def run_stage(stage: str, data: Path, out: Path) -> None:
    import data_tools.store  # noqa: F401  (imports are not what is measured)

    start = time.perf_counter()
    STAGES[stage](data, out)
    seconds = time.perf_counter() - start
    # Not getrusage's: that counts what the parent held before it started this process.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps([seconds, int(peak.split()[1]) / 1024]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.stage:
        run_stage(arguments.stage, arguments.data, arguments.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data", Path(folder) / "out"
        data.mkdir()
        out.mkdir()
        write_corpus(data, arguments.frames)
        print(f"{arguments.frames:,} frames in {len(NAMES)} files, {os.cpu_count()} cores")
        print(f"{'':44}{'plain':>18}{'ours':>18}{'ratio':>9}")
        for what, plain, ours in (
            ("read everything / scan and audit, first time", "plain_read", "our_scan"),
            ("select 5 % / scan again, plan, draw, write", "plain_select", "our_select"),
            ("load the chosen train frames / pack all", "plain_pack", "our_pack"),
        ):
            (seconds, memory), (our_seconds, our_memory) = measure(plain, data, out), measure(ours, data, out)
            left, right = f"{seconds:.2f} s {memory:.0f} MB", f"{our_seconds:.2f} s {our_memory:.0f} MB"
            print(f"{what:44}{left:>18}{right:>18}{seconds / our_seconds:>8.2f}x")


if __name__ == "__main__":
    main()
