"""Audit against the time of reading, in one run: ``python benchmarks/bench_audit.py``.

The baseline reads every array of every file with ``np.load`` and looks at none. Ours scans the folder and audits it,
both for the first time. Every stage runs in a process of its own; peaks are resident memory. Sizes grow by four, to
show that time grows with the frames and memory does not; ``--millions 1 4 16`` needs 10 GB below ``TMPDIR``, and as
much memory to spare, since files that the page cache does not hold make the disk the baseline.

What does take memory is the table of results, a row for each sequence. With clips of eight seconds (``--clip 250``, the
default) it grows with the frames; with ``--sequences 4000`` every size has as many, and it is seen that nothing else
grows.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from own_process import measure, report

NAMES = ("GRAB", "MOYO", "arctic", "Bedlam", "DanceDB", "speech", "magic", "talkshow", "CMU", "KIT")
CLIP = 250  # frames of a sequence


def write_corpus(folder: Path, frames: int, clip: int = CLIP) -> None:
    """Write consolidated files of clips of smooth motion, hands and body, stored; no two clips alike."""
    rng = np.random.default_rng(0)
    clock = np.arange(clip)[:, None] / 30
    for name in NAMES:
        clips = []
        for _ in range(frames // len(NAMES) // clip):
            size, speed, phase = rng.uniform(0.1, 0.3, 153), rng.uniform(1, 2, 153), rng.uniform(0, 6, 153)
            clips.append((size * np.sin(speed * clock + phase) + rng.normal(0, 0.3, 153)).astype(np.float32))
        poses = np.concatenate(clips)
        left, right = poses[:, 63:108], poses[:, 108:]
        np.savez(folder / f"{name}.npz", body_pose=poses[:, :63], lhand_pose=left, rhand_pose=right)


def plain_read(data: Path, _: Path) -> None:
    for path in sorted(data.glob("*.npz")):
        with np.load(path) as content:
            for key in content.files:
                content[key].sum()


def our_scan(data: Path, out: Path) -> None:
    from data_tools import scan

    scan(data, cache=out / "scans.sqlite")


def our_audit(data: Path, out: Path) -> None:
    from data_tools import audit, scan

    audit(scan(data, cache=out / "scans.sqlite"), cache=out / "scans.sqlite")


STAGES = {"read": plain_read, "scan": our_scan, "audit": our_audit, "again": our_audit}


def run_stage(stage: str, data: Path, out: Path) -> None:
    import data_tools.dataset_audit  # noqa: F401  (imports are not what is measured)

    report(lambda: STAGES[stage](data, out))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 4])
    parser.add_argument("--clip", type=int, default=CLIP, help="frames of a sequence")
    parser.add_argument("--sequences", type=int, help="how many of every size, in place of --clip")
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.stage:
        run_stage(arguments.stage, arguments.data, arguments.out)
        return
    print(f"{len(NAMES)} files, {os.cpu_count()} cores; seconds and MB")
    stages = "".join(f"{name:>16}" for name in ("read", "scan", "audit", "audit again"))
    print(f"{'frames':>12}{'sequences':>12}{stages}{'(scan + audit) / read':>24}")
    for millions in arguments.millions:
        with tempfile.TemporaryDirectory() as folder:
            data, out = Path(folder) / "data", Path(folder) / "out"
            data.mkdir()
            out.mkdir()
            frames = int(millions * 1e6)
            clip = frames // arguments.sequences if arguments.sequences else arguments.clip
            write_corpus(data, frames, clip)
            found = {stage: measure(__file__, stage=stage, data=data, out=out) for stage in STAGES}
            columns = "".join(f"{f'{seconds:.2f} s {memory:.0f}':>16}" for seconds, memory in found.values())
            ratio = (found["scan"][0] + found["audit"][0]) / found["read"][0]
            print(f"{frames:>12,}{frames // clip:>12,}{columns}{ratio:>23.1f}x", flush=True)


if __name__ == "__main__":
    main()
