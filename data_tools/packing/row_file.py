"""An array on disk whose rows are written where they belong, in any order and by several threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

_SYNC_BYTES = 1 << 25
"""So much is written before it is sent to the disk, beside what goes on; little is left to wait for at the end."""


class RowFile:
    """An .npy that is filled row by row; a context manager.

    Plain writes and no memory map: a full disk is then an error to report, where a map would kill the process, and
    pages written do not count as this process's memory.

    Args:
        path: The file; made if it is not there, and made as long as the array.
        dtype: Of the array.
        shape: Of the array; the first axis is the rows.
    """

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        self.dtype, self.shape = dtype, shape
        self._row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._start = self._begin()
        except BaseException:
            os.close(self._file)
            raise
        self._disk = ThreadPoolExecutor(max_workers=1)
        self._syncing: Future[None] | None = None
        self._unsynced = 0
        self._counting = threading.Lock()

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._disk.shutdown()
        os.close(self._file)

    def write(self, rows: Int64[np.ndarray, "rows"], values: Shaped[np.ndarray, "rows ..."]) -> None:
        """Write values at their rows, neighbours together; see :func:`in_order`."""
        done, content = 0, np.ascontiguousarray(values, self.dtype).reshape(-1).view(np.uint8).data
        for first, stop in neighbours(rows):
            size = (stop - first) * self._row_bytes
            self._write_at(content[done : done + size], self._start + first * self._row_bytes)
            done += size
        self._begin_sync(done)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes of rows; fewer where the file is too short."""
        return os.pread(self._file, (stop - start) * self._row_bytes, self._start + start * self._row_bytes)

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        if self._syncing is not None:
            self._syncing.result()  # the system tells of a write that failed only once
        os.fsync(self._file)

    def _begin_sync(self, written: int) -> None:
        with self._counting:
            self._unsynced += written
            if self._unsynced < _SYNC_BYTES or not (self._syncing is None or self._syncing.done()):
                return
            if self._syncing is not None:
                self._syncing.result()
            self._unsynced = 0
            self._syncing = self._disk.submit(os.fsync, self._file)

    def _begin(self) -> int:
        """Write the header; returns where the data begin."""
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
        with os.fdopen(os.dup(self._file), "wb") as stream:
            stream.seek(0)
            np.lib.format.write_array_header_1_0(stream, header)
            start = stream.tell()
        os.ftruncate(self._file, start + self.shape[0] * self._row_bytes)
        return start

    def _write_at(self, content: memoryview, offset: int) -> None:
        while content:
            written = os.pwrite(self._file, content, offset)
            content, offset = content[written:], offset + written


def in_order(
    rows: Int64[np.ndarray, "rows"], values: Shaped[np.ndarray, "rows ..."]
) -> tuple[Int64[np.ndarray, "rows"], Shaped[np.ndarray, "rows ..."]]:
    """Sort values by their rows: clips of all splits come by turns, and become a few long runs for many short ones."""
    if not (rows[1:] < rows[:-1]).any():
        return rows, values
    order = np.argsort(rows, kind="stable")
    return rows[order], values[order]


def neighbours(rows: Int64[np.ndarray, "rows"]) -> Iterator[tuple[int, int]]:
    """Divide rows into runs of neighbours: first row, row after the last."""
    breaks = (np.flatnonzero(np.diff(rows) != 1) + 1).tolist()
    for low, high in zip([0, *breaks], [*breaks, len(rows)], strict=True):
        yield int(rows[low]), int(rows[high - 1]) + 1
