"""Packing: every source file read once, its chosen frames brought to one convention and written in their places."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Float, Float32, Int64

from data_tools.catalog import Progress
from data_tools.hand_mean import to_model_pose
from data_tools.pose_layout import COLUMN_NAMES, COLUMNS, HANDS_COLUMNS, POSE_DIM
from data_tools.readers import UnreadableFile, reader_named
from data_tools.selection import Selection
from data_tools.sequence import PoseSequence

Parts = Literal["hands", "full"]

VERSION = 1
POSES_FILE, ROWS_FILE, ABOUT_FILE = "poses.npy", "rows.parquet", "store.json"

ACTIVE_SPREAD = 1e-4
"""A column that spreads less than this (radians) over the train split is a constant, not something to learn."""

_WORKERS = min(4, os.cpu_count() or 1)
_BLOCK_ROWS = 8_192


@dataclass
class Moments:
    """Count, mean and summed squared deviation of rows, merged exactly as they come in (Chan et al. 1979)."""

    count: int
    mean: Float[np.ndarray, "dim"]
    squares: Float[np.ndarray, "dim"]

    @classmethod
    def of(cls, rows: Float32[np.ndarray, "rows dim"]) -> Moments:
        mean = rows.mean(axis=0, dtype=np.float64)
        apart = rows - mean
        return cls(len(rows), mean, np.einsum("nd,nd->d", apart, apart))

    def add(self, other: Moments) -> None:
        """Take in further rows."""
        total = self.count + other.count
        if not total:
            return
        apart = other.mean - self.mean
        self.mean = self.mean + apart * (other.count / total)
        self.squares = self.squares + other.squares + np.square(apart) * (self.count * other.count / total)
        self.count = total


@dataclass(frozen=True, eq=False)
class _Source:
    """The chosen frames of one file, ascending, and the rows of the store that they go to."""

    path: str
    frames: Int64[np.ndarray, "picked"]
    rows: Int64[np.ndarray, "picked"]


class Packing:
    """One store in the making.

    Args:
        selection: What to pack.
        data: The data folder.
        pose: Hands only, or everything.
        hands_mean: The mean hands, for data stored relative to them.
    """

    def __init__(
        self, selection: Selection, data: Path, pose: Parts, hands_mean: Float[np.ndarray, "90"] | None
    ) -> None:
        self.selection = selection
        # A catalog of a single file names its folder's content, and so does the selection made from it.
        self.data = data.parent if data.is_file() else data
        self.pose = pose
        self.hands_mean = hands_mean
        self.columns = HANDS_COLUMNS if pose == "hands" else slice(0, POSE_DIM)
        self.dim = self.columns.stop - self.columns.start
        self.spans = _split_spans(selection)
        train = self.spans.get("train") or next(iter(self.spans.values()))
        self.train = slice(*train)

    def write(self, folder: Path, progress: Progress | None) -> None:
        """Write poses.npy, rows.parquet and store.json into ``folder``."""
        sources = _sources(self.selection.frames)
        moments = Moments(0, np.zeros(self.dim), np.zeros(self.dim))
        digest = hashlib.blake2b(f"{VERSION} {self.pose} {self.selection.hash}".encode(), digest_size=16)
        with (folder / POSES_FILE).open("wb") as file:
            shape = (len(self.selection), self.dim)
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            file.flush()
            start = file.tell()
            for file_digest, file_moments in self._pack_all(sources, file.fileno(), start, progress):
                digest.update(file_digest)
                moments.add(file_moments)
        self.selection.frames.drop("path").write_parquet(folder / ROWS_FILE)
        about = self._about(moments, digest.hexdigest())
        (folder / ABOUT_FILE).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    def _pack_all(
        self, sources: list[_Source], file: int, start: int, progress: Progress | None
    ) -> Iterator[tuple[bytes, Moments]]:
        """Pack all files, several at a time; yields their hashes and moments in the order of ``sources``."""
        with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            jobs = [pool.submit(self._pack_one, source, file, start) for source in sources]
            try:
                if progress:
                    names = {job: source.path for job, source in zip(jobs, sources, strict=True)}
                    for done, job in enumerate(as_completed(jobs), 1):
                        job.result()
                        progress(done, len(jobs), names[job])
                for job in jobs:
                    yield job.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _pack_one(self, source: _Source, file: int, start: int) -> tuple[bytes, Moments]:
        path = self.data / source.path
        format, convention = self.selection.about["files"][source.path]
        reader = reader_named(format)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: not there; give the data folder that the selection was made from")
        if reader.frames(path) <= source.frames[-1]:
            raise UnreadableFile(path, f"ends before frame {source.frames[-1]}: it has changed since it was scanned")
        digest, done = hashlib.blake2b(digest_size=16), 0
        moments = Moments(0, np.zeros(self.dim), np.zeros(self.dim))
        for span in reader.pick(path, source.frames, hands_only=self.pose == "hands"):
            for low in range(0, len(span), _BLOCK_ROWS):
                block = self._convert(span, slice(low, low + _BLOCK_ROWS), convention)
                rows = source.rows[done : done + len(block)]
                done += len(block)
                digest.update(block.data)
                _write_rows(file, start, block, rows)
                is_train = (rows >= self.train.start) & (rows < self.train.stop)
                if is_train.any():
                    moments.add(Moments.of(block[is_train]))
        return digest.digest(), moments

    def _convert(self, span: PoseSequence, rows: slice, convention: Any) -> Float32[np.ndarray, "rows dim"]:
        if self.pose == "full" and not span.has_body:
            raise UnreadableFile(Path(span.path), "has no body pose; pack the hands only, or leave its dataset out")
        poses = to_model_pose(span.poses[rows], convention, self.hands_mean)
        block = np.ascontiguousarray(poses[:, self.columns])
        if not np.isfinite(block.sum()):
            raise UnreadableFile(Path(span.path), "holds NaN in chosen frames: it has changed since it was scanned")
        return block

    def _about(self, moments: Moments, hash: str) -> dict[str, Any]:
        std = np.sqrt(moments.squares / max(moments.count, 1))
        active = std >= ACTIVE_SPREAD
        if self.pose == "full":
            active[COLUMNS["leye_pose"].start : COLUMNS["reye_pose"].stop] = False
        source = {key: self.selection.about[key] for key in ("catalog_fingerprint", "mix_hash", "synthetic")}
        return {
            "version": VERSION,
            "pose": self.pose,
            "dim": self.dim,
            "rows": len(self.selection),
            "splits": self.spans,
            "datasets": sorted(self.selection.frames["dataset"].cast(pl.String).unique().to_list()),
            "column_names": list(COLUMN_NAMES[self.columns]),
            "mean": moments.mean.tolist(),
            "std": std.tolist(),
            "active": active.tolist(),
            "constants": np.where(active, 0.0, moments.mean).tolist(),
            "source": {"selection": self.selection.hash, **source},
            "hash": hash,
        }


def _split_spans(selection: Selection) -> dict[str, list[int]]:
    """Rows of each split: they stand in blocks, in the order of the splits."""
    counts = dict(selection.frames.group_by("split").len().iter_rows())
    stops = np.cumsum([counts.get(split, 0) for split in selection.about["splits"]]).tolist()
    starts = [0, *stops[:-1]]
    return {split: [a, b] for split, a, b in zip(selection.about["splits"], starts, stops, strict=True)}


def _sources(frames: pl.DataFrame) -> list[_Source]:
    """Sort the chosen frames by file."""
    order = frames.lazy().select("path", "frame").with_row_index("row").sort("path", "frame", "row").collect()
    groups = order.select(pl.col("path").rle()).unnest("path")
    stops = groups["len"].cum_sum().to_list()
    frame, row = order["frame"].to_numpy().astype(np.int64), order["row"].to_numpy().astype(np.int64)
    return [
        _Source(path, frame[stop - count : stop], row[stop - count : stop])
        for path, count, stop in zip(groups["value"].to_list(), groups["len"].to_list(), stops, strict=True)
    ]


def _write_rows(file: int, start: int, block: Float32[np.ndarray, "rows dim"], rows: Int64[np.ndarray, "rows"]) -> None:
    """Write rows where they belong, neighbours together.

    Plain writes and no memory map: a full disk is then an error to report, where a map would kill the process, and
    pages written do not count as this process's memory.
    """
    row_bytes = block.shape[1] * block.itemsize
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for low, high in zip([0, *breaks.tolist()], [*breaks.tolist(), len(rows)], strict=True):
        content = block[low:high].data.cast("B")
        offset = start + int(rows[low]) * row_bytes
        while content:
            written = os.pwrite(file, content, offset)
            content, offset = content[written:], offset + written
