"""Pack a selection against plain copies of the same bytes: ``python benchmarks/bench_pack.py [--scaling]``.

Two baselines, both written plainly and in one thread. All files are read from the page cache, and everything that is
written is on the disk (fsync) when the clock stops, the baselines' as ours:

- *copy of the rows* (the one to compare with): the chosen rows' hand columns are read through memory maps of the
  stored arrays and written one after another into one file. The selection's frame list is read before the clock starts.
- *copy of the arrays*: the files' whole hand arrays are read and written as ``cp`` does, chosen or not.

Packing does more: it finds the arrays, takes the principal rotation vectors, gathers the statistics, checks and hashes
every row, writes where each came from, and can go on after a kill. Every stage runs in a process of its own; seconds
are without imports (of which the best of a few turns is taken), peaks are resident memory with them.

``--scaling`` packs all usable frames of 1, 4 and 16 million, and scans them: time per million and memory stay flat.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import polars as pl
from own_process import measure, report

if TYPE_CHECKING:
    from data_tools.catalog import Catalog
    from data_tools.mix import Mix

CLIP = 250  # frames of a sequence
_CLIPS = 64  # different movements; each clip is one of them about a place of its own
_BLOCK = 8_192


def names(files: int) -> list[str]:
    """The first so many datasets of the project's own mix, taken from its tiers in turn."""
    from data_tools.mixing.mix_settings import Mix

    tiers = [list(members) for members in Mix.default().tiers.values()]
    turns = [tier[place] for place in range(max(map(len, tiers))) for tier in tiers if place < len(tier)]
    return turns[:files]


def write_corpus(folder: Path, frames: int, files: int) -> None:
    """Write consolidated files of clips of smooth motion, body and hands, stored."""
    rng = np.random.default_rng(0)
    clock = np.arange(CLIP)[:, None] / 30
    waves = np.stack(
        [
            rng.uniform(0.1, 0.3, 153) * np.sin(rng.uniform(1, 2, 153) * clock + rng.uniform(0, 6, 153))
            for _ in range(_CLIPS)
        ]
    ).astype(np.float32)
    folder.mkdir()
    for name in names(files):
        clips = max(1, frames // files // CLIP)
        places = rng.normal(0, 0.3, (clips, 1, 153)).astype(np.float32)
        poses = (waves[rng.integers(_CLIPS, size=clips)] + places).reshape(-1, 153)
        parts = {"body_pose": poses[:, :63], "lhand_pose": poses[:, 63:108], "rhand_pose": poses[:, 108:]}
        np.savez(folder / f"{name}.npz", **parts)


def select(data: Path, out: Path, share: float) -> None:
    """Choose this share of the usable frames of every file."""
    from data_tools import balance, scan
    from data_tools.mixing.mix_settings import Mix
    from data_tools.splits import availability

    catalog = scan(data, cache=out / "scans.sqlite")
    mix = Mix.default()
    usable = int(availability(catalog, mix.splits, mix.exclude_flags).capacity.sum())
    balance(catalog, replace(mix, total=int(share * usable), **_even(catalog, mix)), out / "splits")


def _even(catalog: Catalog, mix: Mix) -> dict[str, dict[str, float]]:
    """Give every tier what its datasets have, so that no file is left out and none runs short."""
    rows = catalog.datasets().select("dataset", "usable_frames").iter_rows()
    shares = dict.fromkeys(mix.shares, 0.0)
    for name, usable in rows:
        shares[mix.tier_of(name) or mix.unknown_tier] += usable
    return {"shares": shares}


def copy_rows(data: Path, out: Path) -> Callable[[], object]:
    frames = pl.read_parquet(out / "splits" / "selection.parquet", columns=["path", "frame"])
    chosen = {path: np.sort(part["frame"].to_numpy()) for (path,), part in frames.group_by("path", maintain_order=True)}

    def copy() -> None:
        with (out / "rows.bin").open("wb") as target:
            for path, frame in chosen.items():
                left, right = (_mapped(data / path, key) for key in ("lhand_pose", "rhand_pose"))
                for start in range(0, len(frame), _BLOCK):
                    part = frame[start : start + _BLOCK]
                    rows = np.empty((len(part), 90), np.float32)
                    rows[:, :45], rows[:, 45:] = left[part], right[part]
                    target.write(rows.data)
            _to_disk(target)

    return copy


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _mapped(path: Path, key: str) -> np.ndarray:
    from data_tools.readers.npz_members import list_members

    member = list_members(path)[key]
    return np.memmap(path, member.dtype, "r", member.offset or 0, member.shape)


def copy_arrays(data: Path, out: Path) -> Callable[[], object]:
    def copy() -> None:
        with (out / "arrays.bin").open("wb") as target:
            for path in sorted(data.glob("*.npz")):
                for piece in _pieces(path, ("lhand_pose", "rhand_pose")):
                    target.write(piece)
            _to_disk(target)

    return copy


def _pieces(path: Path, keys: tuple[str, ...]) -> Iterator[bytes]:
    from data_tools.readers.npz_members import list_members

    members = list_members(path)
    with path.open("rb") as source:
        for key in keys:
            source.seek(members[key].offset or 0)
            left = members[key].bytes
            while left:
                yield (piece := source.read(min(left, 1 << 20)))
                left -= len(piece)


def packing(pose: str) -> Callable[[Path, Path], Callable[[], object]]:
    def stage(data: Path, out: Path) -> Callable[[], object]:
        from data_tools import pack

        return lambda: pack(out / "splits", data, out / f"store_{pose}", pose=pose)

    return stage


def scanning(data: Path, out: Path) -> Callable[[], object]:
    from data_tools import scan

    return lambda: scan(data, cache=False)


STAGES: dict[str, Callable[[Path, Path], Callable[[], object]]] = {
    "copy_rows": copy_rows,
    "copy_arrays": copy_arrays,
    "pack_hands": packing("hands"),
    "pack_full": packing("full"),
    "scan": scanning,
}


def measured(stage: str, data: Path, out: Path) -> tuple[float, float]:
    """Run a stage in its own process, on a clean folder: seconds, and peak memory in MB."""
    for left in ("rows.bin", "arrays.bin"):
        (out / left).unlink(missing_ok=True)
    for left in ("store_hands", "store_full"):
        shutil.rmtree(out / left, ignore_errors=True)
    return measure(__file__, stage=stage, data=data, out=out)


def run_stage(stage: str, data: Path, out: Path) -> None:
    import pyarrow.parquet  # noqa: F401  (imports are not what is measured)

    import data_tools.store  # noqa: F401

    report(STAGES[stage](data, out))


def compare(folder: Path, frames: int, files: int, share: float, runs: int) -> None:
    """Print packing against both copies, best of some turns."""
    data, out = folder / "data", folder / "out"
    out.mkdir()
    write_corpus(data, frames, files)
    select(data, out, share)
    stages = ("copy_rows", "copy_arrays", "pack_hands", "pack_full")
    results: dict[str, list[tuple[float, float]]] = {stage: [] for stage in stages}
    for _ in range(runs):
        for stage in stages:
            results[stage].append(measured(stage, data, out))
    rows = len(pl.read_parquet(out / "splits" / "selection.parquet", columns=["frame"]))
    print(f"\n{rows:,} of {frames:,} frames in {files} files ({share:.0%}), {os.cpu_count()} cores, best of {runs}")
    print(f"{'':24}{'seconds':>10}{'MB':>8}{'of rows':>10}{'of arrays':>10}")
    best = {stage: min(seconds for seconds, _ in results[stage]) for stage in stages}
    for stage in stages:
        memory = max(megabytes for _, megabytes in results[stage])
        ratios = [f"{best[stage] / best[base]:.2f}x" for base in ("copy_rows", "copy_arrays")]
        print(f"{stage.replace('_', ' '):24}{best[stage]:>10.3f}{memory:>8.0f}{ratios[0]:>10}{ratios[1]:>10}")


def scaling(folder: Path, millions: list[int], files: int) -> None:
    """Print seconds per million frames and peak memory as the corpus grows."""
    print(f"all usable frames, {files} files, {os.cpu_count()} cores")
    print(f"{'frames':>12}{'scan s/M':>12}{'MB':>8}{'pack hands s/M':>16}{'MB':>8}{'pack full s/M':>16}{'MB':>8}")
    for million in millions:
        data, out = folder / "data", folder / "out"
        out.mkdir()
        write_corpus(data, million * 1_000_000, files)
        select(data, out, 1.0)
        line = f"{million * 1_000_000:>12,}"
        for stage, width in (("scan", 12), ("pack_hands", 16), ("pack_full", 16)):
            seconds, megabytes = measured(stage, data, out)
            line += f"{seconds / million:>{width}.2f}{megabytes:>8.0f}"
        print(line, flush=True)
        shutil.rmtree(data)
        shutil.rmtree(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=4_000_000)
    parser.add_argument("--files", type=int, default=45)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--share", type=float, action="append", help="of the usable frames (default: 0.05 and 1)")
    parser.add_argument("--scaling", action="store_true", help="1, 4 and 16 million frames")
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.stage:
        run_stage(arguments.stage, arguments.data, arguments.out)
        return
    for share in [None] if arguments.scaling else arguments.share or [0.05, 1.0]:
        with tempfile.TemporaryDirectory() as folder:
            if share is None:
                scaling(Path(folder), arguments.millions, arguments.files)
            else:
                compare(Path(folder), arguments.frames, arguments.files, share, arguments.runs)


if __name__ == "__main__":
    main()
