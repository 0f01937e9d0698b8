"""What stands beside the poses of a store: one row each, with where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Int64, Shaped

from data_tools.packing.chosen_frames import ChosenFrames
from data_tools.packing.journal import NO_IDS
from data_tools.packing.on_disk import to_disk
from data_tools.packing.row_file import RowFile, in_order

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SIDES = ("left", "right")
"""Whose hand a row of a one-hand store is; of each frame the left one, mirrored, comes first."""

_WIDENED = 65_536  # ids that are written again together


class IdFile:
    """The image ids of one file's frames, kept on disk in the order of the store's rows until all files are read.

    Args:
        path: Where; it is only made if there are ids.
        runs: The runs of rows (start, stop) that the file's frames go to.
    """

    def __init__(self, path: Path, runs: list[tuple[int, int]]) -> None:
        self.path = path
        self._starts = np.array([start for start, _ in runs])
        self._before = np.cumsum([0, *(stop - start for start, stop in runs)])

    def clear(self) -> None:
        """Forget what an earlier packing wrote."""
        self.path.unlink(missing_ok=True)

    def write(self, rows: Int64[np.ndarray, "rows"], ids: Shaped[np.ndarray, "rows"]) -> None:
        """Keep the ids of some rows."""
        run = np.searchsorted(self._starts, rows, side="right") - 1
        places, ids = in_order(self._before[run] + rows - self._starts[run], ids)
        with RowFile(self.path, self._room_for(ids.dtype), (int(self._before[-1]),)) as file:
            file.write(places, ids)

    def read(self, start: int, stop: int) -> Shaped[np.ndarray, "rows"]:
        """Return the ids of neighbouring rows of one run."""
        run = int(np.searchsorted(self._starts, start, side="right")) - 1
        first = int(self._before[run]) + start - int(self._starts[run])
        return self._kept()[first : first + stop - start]

    @property
    def kind(self) -> str | None:
        """Kind of the ids as numpy has it: ``i``, ``u``, ``U`` or ``S``; None if there are none."""
        return str(self._kept().dtype.kind) if self.path.is_file() else None

    def digest(self) -> bytes:
        """Hash of all ids; zeros if there are none."""
        if not self.path.is_file():
            return NO_IDS
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=len(NO_IDS))).digest()

    def _kept(self) -> np.ndarray:
        return np.asarray(np.load(self.path, mmap_mode="r", allow_pickle=False))

    def _room_for(self, dtype: np.dtype) -> np.dtype:
        """Return a type that holds these ids and those that are kept, which are written again where it is wider."""
        if not self.path.is_file():
            return dtype
        kept = self._kept()
        wide = np.promote_types(kept.dtype, dtype)
        if wide != kept.dtype:
            beside = self.path.with_suffix(".wider")
            with RowFile(beside, wide, kept.shape) as file:
                for low in range(0, len(kept), _WIDENED):
                    part = kept[low : low + _WIDENED]
                    file.write(np.arange(low, low + len(part)), part)
            beside.replace(self.path)
        return wide


def write_rows(
    chosen: ChosenFrames, path: Path, ids: Mapping[str, IdFile] | None = None, *, one_hand: bool = False
) -> None:
    """Write rows.parquet: the selection's columns but for the path, and ``image_id`` if any source has one.

    Image ids are whole numbers where all sources have such, else strings; null where a source has none. With
    ``one_hand`` every frame has two rows, and ``side`` says whose hand each is.
    """
    files = ids or {}
    kinds = {name: kind for name, file in files.items() if (kind := file.kind) is not None}
    numbers = set(kinds.values()) <= {"i"}
    runs = sorted((start, stop, name) for name, spans in chosen.runs.items() for start, stop in spans)
    writer, row = None, 0
    try:
        for part in chosen.slices():
            table = part.drop("path")
            if kinds:
                pieces = _ids_between(runs, row, row + len(part), {name: files[name] for name in kinds}, numbers)
                table = table.with_columns(image_id=pl.concat(pieces))
            row += len(part)
            if one_hand:
                table = table[np.arange(len(table)).repeat(len(SIDES))]
                table = table.with_columns(side=pl.Series([*SIDES] * len(part), dtype=pl.Enum(SIDES)))
            arrow = table.to_arrow()
            writer = writer or _writer(path, arrow.schema)
            writer.write_table(arrow)
    finally:
        if writer is not None:
            writer.close()
    to_disk(path)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Names are written as codes, and frame numbers, which ascend, as differences: quick, small, and read by anyone."""
    import pyarrow.parquet as pq
    from pyarrow.types import is_dictionary

    names = [field.name for field in schema if is_dictionary(field.type)]
    encoding = {"frame": "DELTA_BINARY_PACKED"}
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=names, column_encoding=encoding)


def _ids_between(
    runs: list[tuple[int, int, str]], low: int, high: int, files: dict[str, IdFile], numbers: bool
) -> Iterator[pl.Series]:
    type = pl.Int64 if numbers else pl.String
    first = int(np.searchsorted([stop for _, stop, _ in runs], low, side="right"))
    for start, stop, name in runs[first:]:
        if start >= high:
            return
        start, stop = max(start, low), min(stop, high)
        if name in files:
            values = files[name].read(start, stop)
            text = values.astype(str) if values.dtype.kind == "S" else values
            yield pl.Series("image_id", text).cast(type)
        else:
            yield pl.Series("image_id", [None], dtype=type).new_from_index(0, stop - start)
