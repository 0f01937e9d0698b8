"""Packing: every source file read once, its chosen frames brought to one convention and written in their places."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xxhash
from jaxtyping import Float, Float32, Int64

from data_tools.hand_mean import to_model_pose
from data_tools.packing.chosen_frames import ChosenFrames, Source
from data_tools.packing.journal import Finished, Journal, hash_of
from data_tools.packing.moments import Moments
from data_tools.packing.row_file import RowFile, in_order, neighbours
from data_tools.packing.row_table import IdFile, write_rows
from data_tools.packing.unfinished import JOURNAL
from data_tools.pose_layout import COLUMN_NAMES, COLUMNS, HANDS_COLUMNS, POSE_DIM, hands_as_right
from data_tools.readers import Reader, UnreadableFile, reader_named
from data_tools.scanning.file_stamps import stamps_of
from data_tools.sequence import PoseSequence

Parts = Literal["hands", "hand", "full"]
"""What of a pose is kept: both hands in one row, one hand a row (the left one mirrored), or everything."""

Progress = Callable[[int, int, str], None]

VERSION = 2
POSES_FILE, ROWS_FILE, ABOUT_FILE = "poses.npy", "rows.parquet", "store.json"

ACTIVE_SPREAD = 1e-4
"""A column that spreads less than this (radians) over the train split is a constant, not something to learn."""

_WORKERS = min(4, os.cpu_count() or 1)
_BLOCK_ROWS = 2_048


class Packing:
    """One store in the making.

    Args:
        chosen: What to pack.
        data: The data folder.
        pose: Both hands in a row, one hand a row, or everything.
        hands_mean: The mean hands, for data stored relative to them.
        progress: Called with frames done, frames in all, and the file.
    """

    def __init__(
        self,
        chosen: ChosenFrames,
        data: Path,
        pose: Parts,
        hands_mean: Float[np.ndarray, "90"] | None,
        progress: Progress | None = None,
    ) -> None:
        self.chosen = chosen
        # A catalog of a single file names its folder's content, and so does the selection made from it.
        self.data = data.parent if data.is_file() else data
        self.pose = pose
        self.hands_mean = hands_mean
        self.kept = {"full": slice(0, POSE_DIM), "hands": HANDS_COLUMNS, "hand": COLUMNS["right_hand_pose"]}[pose]
        self.dim = self.kept.stop - self.kept.start
        self.rows_per_frame = 2 if pose == "hand" else 1
        self.train = slice(*(chosen.splits.get("train") or next(iter(chosen.splits.values()))))
        self._progress = progress
        self._done = 0
        self._counting = threading.Lock()
        self._stop = threading.Event()

    @property
    def key(self) -> str:
        """Hash of everything that the store is made from, but for the content of the source files."""
        mean, about = None if self.hands_mean is None else self.hands_mean.tolist(), self.chosen.about
        selection = (about["hash"], about.get("hand_components"), self.chosen.digest)
        content = (VERSION, self.pose, selection, mean, str(self.data.resolve()))
        return hash_of(repr(content).encode()).hex()

    @property
    def what(self) -> str:
        """What is packed, in words."""
        return f"{self.rows:,} {self.pose} poses of selection {self.chosen.about['hash'][:8]}"

    @property
    def rows(self) -> int:
        """Rows of the store: one for each frame, or one for each of its hands."""
        return self.chosen.rows * self.rows_per_frame

    @property
    def bytes(self) -> int:
        """Room that the store and the making of it take, image ids aside."""
        return self.rows * (4 * self.dim + 8 + 16)

    def write(self, work: Path) -> Path:
        """Write poses.npy, rows.parquet and store.json, going on from what ``work`` holds; returns their folder."""
        folder = work / "store"
        folder.mkdir(exist_ok=True)
        for left in folder.iterdir():  # a packing that was killed later on may have begun more than is asked for now
            if left.name != POSES_FILE:
                left.unlink()
        (work / "image_ids").mkdir(exist_ok=True)
        self.chosen.keep_numbers(work / "frame_numbers")
        self._work = work
        self._journal = Journal(work / JOURNAL, self.dim)
        self._poses = RowFile(folder / POSES_FILE, np.dtype("<f4"), (self.rows, self.dim))
        with self._journal, self._poses:
            moments, hash = self._pack_all(folder / ROWS_FILE)
            self._poses.sync()
        about = self._about(moments, hash)
        (folder / ABOUT_FILE).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return folder

    def _pack_all(self, rows: Path) -> tuple[Moments, str]:
        """Pack all files that are not done, several at a time; returns the moments and the hash of all rows."""
        files = self.chosen.files()
        with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            # Beside the poses, since few sources have image ids; where one does, the table is written again.
            jobs = [pool.submit(write_rows, self.chosen, rows, one_hand=self.pose == "hand")]
            jobs += [pool.submit(self._pack_unless_done, path, number) for number, path in enumerate(files)]
            try:
                for job in as_completed(jobs):
                    job.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        ids = {path: self._ids(path, number) for number, path in enumerate(files)}
        if any(file.kind for file in ids.values()):
            write_rows(self.chosen, rows, ids, one_hand=self.pose == "hand")
        digest = hashlib.blake2b(f"{VERSION} {self.pose} {self.chosen.about['hash']}".encode(), digest_size=16)
        moments = Moments.none(self.dim)
        for finished in map(self._journal.read, range(len(files))):
            if finished is None:
                raise OSError(5, "what was written cannot be read back")
            digest.update(finished.digest)
            moments.add(finished.moments)
        return moments, digest.hexdigest()

    def _pack_unless_done(self, path: str, number: int) -> None:
        if self._stop.is_set():
            return
        source = self.chosen.source(path, number)
        place = self.data / path
        if not place.exists():
            raise FileNotFoundError(f"{place}: not there; give the data folder that the selection was made from")
        reader = reader_named(self.chosen.about["files"][path][0])
        stamps, _ = stamps_of(self.data, [place])
        stamp = hash_of(repr(stamps).encode())
        finished = self._journal.read(number)
        if finished is not None and finished.stamp == stamp and self._still_there(source, finished):
            self._count(len(source), path)
        else:
            self._pack(source, reader, place, stamp)

    def _pack(self, source: Source, reader: Reader, place: Path, stamp: bytes) -> None:
        if reader.frames(place) <= source.frames[-1]:
            raise UnreadableFile(place, f"ends before frame {source.frames[-1]}: it has changed since it was scanned")
        convention = self.chosen.about["files"][source.path][1]
        digest, done, moments = xxhash.xxh3_128(), 0, Moments.none(self.dim)
        ids = self._id_file(source)
        ids.clear()
        for span in reader.pick(place, source.frames, hands_only=self.pose != "full"):
            if span.image_id is not None:
                ids.write(source.rows(done, done + len(span)), span.image_id)
            for low in range(0, len(span), _BLOCK_ROWS):
                if self._stop.is_set():
                    return
                block = self._convert(span, slice(low, low + _BLOCK_ROWS), convention)
                digest.update(block.data)
                self._write(block, source.rows(done, done + len(block)), moments)
                done += len(block)
            self._count(len(span), source.path)
        if done != len(source):
            raise UnreadableFile(place, f"gave {done} of {len(source)} chosen frames: it has changed")
        self._journal.write(source.number, Finished(stamp, digest.digest(), ids.digest(), moments))

    def _write(
        self, block: Float32[np.ndarray, "frames columns"], frames: Int64[np.ndarray, "frames"], moments: Moments
    ) -> None:
        """Write a block's frames where they belong, and take those of the train split into the moments."""
        frames, block = in_order(frames, block)
        rows = frames
        if self.rows_per_frame > 1:
            rows = (frames[:, None] * self.rows_per_frame + np.arange(self.rows_per_frame)).reshape(-1)
        self._poses.write(rows, block.reshape(len(rows), self.dim))
        low, high = np.searchsorted(frames, (self.train.start, self.train.stop))
        if low < high:
            moments.add(Moments.of(block[low:high].reshape(-1, self.dim)))

    def _still_there(self, source: Source, finished: Finished) -> bool:
        """Tell whether the rows of a file that was done before are what was written."""
        if self._id_file(source).digest() != finished.ids_digest:
            return False
        digest = xxhash.xxh3_128()
        for low in range(0, len(source), _BLOCK_ROWS):
            for start, stop in neighbours(source.rows(low, low + _BLOCK_ROWS)):
                digest.update(self._poses.read(start * self.rows_per_frame, stop * self.rows_per_frame))
        return digest.digest() == finished.digest

    def _convert(self, span: PoseSequence, rows: slice, convention: Any) -> Float32[np.ndarray, "frames columns"]:
        if self.pose == "full" and not span.has_body:
            raise UnreadableFile(Path(span.path), "has no body pose; pack the hands only, or leave its dataset out")
        poses = np.ascontiguousarray(span.poses[rows])
        block = to_model_pose(poses, convention, self.hands_mean)
        if not np.isfinite(block.sum()):
            raise UnreadableFile(Path(span.path), "holds NaN in chosen frames: it has changed since it was scanned")
        return hands_as_right(block).reshape(block.shape) if self.pose == "hand" else block

    def _id_file(self, source: Source) -> IdFile:
        return self._ids(source.path, source.number)

    def _ids(self, path: str, number: int) -> IdFile:
        return IdFile(self._work / "image_ids" / f"{number}.npy", self.chosen.runs[path])

    def _count(self, frames: int, path: str) -> None:
        with self._counting:
            self._done += frames
            if self._progress:
                self._progress(self._done, self.chosen.rows, path)

    def _about(self, moments: Moments, hash: str) -> dict[str, Any]:
        std = np.sqrt(moments.squares / max(moments.count, 1))
        active = std >= ACTIVE_SPREAD
        if self.pose == "full":
            active[COLUMNS["leye_pose"].start : COLUMNS["reye_pose"].stop] = False
        about = self.chosen.about
        source = {key: about[key] for key in ("catalog_fingerprint", "mix_hash", "synthetic")}
        return {
            "version": VERSION,
            "pose": self.pose,
            "dim": self.dim,
            "rows": self.rows,
            "splits": {name: [row * self.rows_per_frame for row in span] for name, span in self.chosen.splits.items()},
            "datasets": self.chosen.datasets,
            "column_names": list(COLUMN_NAMES[self.kept]),
            "mean": moments.mean.tolist(),
            "std": std.tolist(),
            "active": active.tolist(),
            "constants": np.where(active, 0.0, moments.mean).tolist(),
            "source": {"selection": about["hash"], **source},
            "hash": hash,
        }
