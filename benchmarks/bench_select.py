"""Select 1.5 of 30 million frames in 45 files: ``python benchmarks/bench_select.py [--frames 30000000]``.

What is measured: scan the folder again (nothing has changed since the first scan), plan the mix of 60/25/15, draw
the frames; once without writing them and once with everything that ``balance`` writes. The baseline is the plain way:
``np.load`` of the first array of every file to count its frames, a frame list per dataset by ``random.sample``, one
shuffled list, JSON; it finds no sequences, no dead hands and no splits that hold. All files are in the page cache.
Every stage runs in a process of its own; seconds are without imports, peaks are resident memory with them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from own_process import measure, report

SHARE = 0.05  # 1.5 of 30 million
CLIP = 300  # frames of a sequence, ten seconds: 100,000 sequences in 30 million frames
_CLIPS = 64  # different movements; each clip is one of them about a place of its own


def names(files: int) -> list[str]:
    """The first so many datasets of the project's own mix, taken from its tiers in turn."""
    from data_tools.mixing.mix_settings import Mix

    tiers = [list(members) for members in Mix.default().tiers.values()]
    turns = [tier[place] for place in range(max(map(len, tiers))) for tier in tiers if place < len(tier)]
    return turns[:files]


def write_corpus(folder: Path, frames: int, files: int, clip: int = CLIP) -> None:
    """Write consolidated files of clips of smooth motion, hands only, stored: 360 bytes a frame."""
    rng = np.random.default_rng(0)
    clock = np.arange(clip)[:, None] / 30
    sizes, speeds, phases = (rng.uniform(low, high, (_CLIPS, 1, 90)) for low, high in ((0.1, 0.3), (1, 2), (0, 6)))
    waves = (sizes * np.sin(speeds * clock + phases)).astype(np.float32)
    for name in names(files):
        clips = max(1, frames // files // clip)
        places = rng.normal(0, 0.3, (clips, 1, 90)).astype(np.float32)
        poses = (waves[rng.integers(_CLIPS, size=clips)] + places).reshape(-1, 90)
        np.savez(folder / f"{name}.npz", lhand_pose=poses[:, :45], rhand_pose=poses[:, 45:])


def plain(data: Path, out: Path) -> None:
    """Scan, draw and save, written plainly."""
    counts = {}
    for path in sorted(data.glob("*.npz")):
        with np.load(path) as content:
            counts[path.stem] = len(content[content.files[0]])
    samples = {name: random.sample(range(count), int(count * SHARE)) for name, count in counts.items()}
    pairs = [(name, frame) for name, frames in samples.items() for frame in frames]
    random.shuffle(pairs)
    edges = (0, int(0.8 * len(pairs)), int(0.9 * len(pairs)), len(pairs))
    for split, low, high in zip(("train", "val", "test"), edges, edges[1:], strict=False):
        chosen: dict[str, list[int]] = {}
        for name, frame in pairs[low:high]:
            chosen.setdefault(name, []).append(frame)
        (out / f"plain_{split}.json").write_text(json.dumps(chosen, indent=2))


def first_scan(data: Path, out: Path) -> None:
    from data_tools import scan

    scan(data, cache=out / "scans.sqlite")


def ours(data: Path, out: Path) -> None:
    _ours(data, out, write=False)


def ours_written(data: Path, out: Path) -> None:
    _ours(data, out, write=True)


def _ours(data: Path, out: Path, write: bool) -> None:
    from data_tools import balance, scan
    from data_tools.mixing.mix_settings import Mix
    from data_tools.splits import availability

    catalog, mix = scan(data, cache=out / "scans.sqlite"), Mix.default()
    total = int(SHARE * availability(catalog, mix.splits, mix.exclude_flags).frames.sum())
    selection = balance(catalog, replace(mix, total=total), out / "splits", dry_run=not write)
    if len(selection) != total:
        raise RuntimeError(f"asked for {total} frames, got {len(selection)}")


STAGES: dict[str, Callable[[Path, Path], None]] = {
    stage.__name__: stage for stage in (plain, first_scan, ours, ours_written)
}


def run_stage(stage: str, data: Path, out: Path) -> None:
    import data_tools.selection  # noqa: F401  (imports are not what is measured)

    report(lambda: STAGES[stage](data, out))


def compare(data: Path, out: Path, runs: int) -> None:
    """Print the medians of some runs, the baseline and ours in turn."""
    seconds, memory = measure(__file__, stage="first_scan", data=data, out=out)
    print(f"{'first scan (reads and judges every frame)':44}{seconds:>9.2f} s {memory:>6.0f} MB")
    results: dict[str, list[tuple[float, float]]] = {"plain": [], "ours": [], "ours_written": []}
    for _ in range(runs):
        for stage, measured in results.items():
            measured.append(measure(__file__, stage=stage, data=data, out=out))
    plainly = statistics.median(seconds for seconds, _ in results["plain"])
    for stage, what in (
        ("plain", "plain: count, sample, shuffle, JSON"),
        ("ours", "ours: scan again, plan, draw"),
        ("ours_written", "ours, and everything written"),
    ):
        seconds = statistics.median(seconds for seconds, _ in results[stage])
        peak = max(memory for _, memory in results[stage])
        print(f"{what:44}{seconds:>9.3f} s {peak:>6.0f} MB {plainly / seconds:>8.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_500_000)
    parser.add_argument("--files", type=int, default=45)
    parser.add_argument("--clip", type=int, default=CLIP, help=f"frames of a sequence (default: {CLIP})")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--data", type=Path, help="keep the corpus here, or use the one that lies here")
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.stage:
        run_stage(arguments.stage, arguments.data, arguments.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        data, out = arguments.data or Path(folder) / "data", Path(folder) / "out"
        out.mkdir()
        if not data.exists():
            data.mkdir(parents=True)
            write_corpus(data, arguments.frames, arguments.files, arguments.clip)
        files = list(data.glob("*.npz"))
        size = sum(path.stat().st_size for path in files) / 1e9
        print(f"about {size * 1e9 / 360:,.0f} frames in {len(files)} files ({size:.1f} GB), {os.cpu_count()} cores")
        compare(data, out, arguments.runs)


if __name__ == "__main__":
    main()
