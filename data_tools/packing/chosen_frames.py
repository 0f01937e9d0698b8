"""The chosen frames file by file, from a selection of any size: its table is read in slices and never held whole."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int32, Int64, UInt32

from data_tools.selection import FRAMES_FILE, Selection, read_about

SLICE_ROWS = 131_072
"""Rows of a selection that are looked at together: 4 MB."""

_HALVES = np.dtype([("row", np.uint32), ("frame", np.int32)][:: 1 if sys.byteorder == "little" else -1])
"""The halves of the 64 bits that a frame is sorted by: its row in the store below, its number in the file above."""


@dataclass(frozen=True, eq=False)
class Source:
    """The chosen frames of one file and the rows of the store that they go to.

    Attributes:
        path: Below the data folder.
        number: Of this file among those that gave frames, in alphabetical order.
        frames: Numbers of the frames in the file, ascending.
        row: Row of the store that each goes to. With its number a chosen frame takes 8 bytes.
    """

    path: str
    number: int
    frames: Int32[np.ndarray, "picked"]
    row: UInt32[np.ndarray, "picked"]

    def __len__(self) -> int:
        return len(self.frames)

    def rows(self, low: int, high: int) -> Int64[np.ndarray, "some"]:
        """Rows of the store that some of the frames go to."""
        return self.row[low:high].astype(np.int64)


@dataclass
class ChosenFrames:
    """A selection, known by its outline: which rows belong to which file and which split.

    Attributes:
        table: The selection's frames, not read yet.
        about: What the selection says about itself.
        rows: Number of frames.
        splits: First row of each split, and the row after its last.
        datasets: Names of the datasets that gave frames.
        runs: For each file the runs of rows (start, stop) that its frames go to, ascending.
        digest: Hash of all of this and of the frame numbers.
    """

    table: pl.LazyFrame
    about: dict[str, Any]
    rows: int = 0
    splits: dict[str, list[int]] = field(default_factory=dict)
    datasets: list[str] = field(default_factory=list)
    runs: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    digest: str = ""
    _numbers: Path | None = None
    _sorting: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, splits: Selection | Path | str) -> ChosenFrames:
        """Look through a selection, or the folder of one.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is damaged, or points outside its data folder.
        """
        if isinstance(splits, Selection):
            chosen = cls(splits.frames.lazy(), splits.about)
        else:
            chosen = cls(pl.scan_parquet(Path(splits) / FRAMES_FILE), read_about(splits))
        try:
            chosen._outline()
        except pl.exceptions.PolarsError as error:
            raise ValueError(f"{splits}: not a selection; make one with `handprior balance`") from error
        return chosen

    def slices(self, *columns: str) -> Iterator[pl.DataFrame]:
        """The selection's table, or some of its columns, some rows at a time."""
        table, start = self.table.select(columns) if columns else self.table, 0
        while len(part := table.slice(start, SLICE_ROWS).collect()):
            yield part
            start += len(part)

    def files(self) -> list[str]:
        """The files that frames come from, in alphabetical order."""
        return sorted(self.runs)

    def keep_numbers(self, path: Path) -> None:
        """Write the frame numbers of all rows into a file, from which :meth:`source` takes those of one file."""
        with path.open("wb") as file:
            for part in self.slices("frame"):
                part["frame"].to_numpy().astype("<i8").tofile(file)
        self._numbers = path

    def source(self, path: str, number: int) -> Source:
        """Gather the frames that were chosen from one file."""
        if self._numbers is None:
            raise RuntimeError("keep_numbers comes first")
        runs, at = self.runs[path], 0
        with self._sorting:  # what sorting takes is taken by one file at a time
            # Frame and row as one number, sorted and taken apart in its place: 8 bytes a frame in all.
            both = np.empty(sum(stop - start for start, stop in runs), np.int64)
            for start, stop in runs:
                for low in range(start, stop, SLICE_ROWS):
                    rows = np.arange(low, min(low + SLICE_ROWS, stop))
                    numbers = np.fromfile(self._numbers, "<i8", len(rows), offset=8 * low)
                    both[at : at + len(rows)] = numbers << 32 | rows
                    at += len(rows)
            both.sort()
        halves = both.view(_HALVES)
        return Source(path, number, halves["frame"], halves["row"])

    def _outline(self) -> None:
        digest = hashlib.blake2b(repr(sorted(self.about["files"].items())).encode(), digest_size=16)
        datasets: set[str] = set()
        counts: dict[str, int] = {}
        blocks: list[str | None] = [None]
        for part in self.slices("path", "split", "dataset", "frame"):
            for name, count in _runs(part["path"]):
                runs = self.runs.setdefault(name, [])
                if runs and runs[-1][1] == self.rows:
                    runs[-1] = (runs[-1][0], self.rows + count)
                else:
                    runs.append((self.rows, self.rows + count))
                self.rows += count
            for name, count in _runs(part["split"]):
                blocks += [name] * (name != blocks[-1])
                counts[name] = counts.get(name, 0) + count
            datasets.update(part["dataset"].unique().cast(pl.String))
            frames = part["frame"].to_numpy().astype("<i8")
            if frames.min() < 0 or frames.max() >= 1 << 31:
                raise ValueError("the selection names frames that no file has; make one with `handprior balance`")
            digest.update(frames.data)
        for name in self.runs:
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise ValueError(f"{name!r} lies outside the data folder; the selection is not used")
        if not self.rows:
            raise ValueError("the selection holds no frames; choose some with `handprior balance`")
        if lost := sorted(set(self.runs) - set(self.about["files"])):
            raise ValueError(f"{lost[0]!r}: the selection does not say what that is; make one with `handprior balance`")
        if blocks[1:] != [split for split in self.about["splits"] if split in counts]:
            raise ValueError("the selection's rows are not grouped by split; make one with `handprior balance`")
        start = 0
        for split in self.about["splits"]:
            self.splits[split] = [start, start := start + counts.get(split, 0)]
        self.datasets = sorted(datasets)
        digest.update(repr((self.runs, self.splits)).encode())
        self.digest = digest.hexdigest()


def _runs(names: pl.Series) -> Iterator[tuple[str, int]]:
    runs = names.rle().struct.unnest()
    yield from zip(runs["value"].cast(pl.String).to_list(), runs["len"].to_list(), strict=True)
