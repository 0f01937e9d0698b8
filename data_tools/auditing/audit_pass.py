"""The second pass over the files of a catalog: several at a time, in a fixed order, with results kept."""

from __future__ import annotations

import logging
import os
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from data_tools.auditing.file_audit import FileAudit, FileToAudit, audit_file
from data_tools.auditing.turning_points import thinning_of
from data_tools.catalog import Catalog
from data_tools.hand_pca import components_key
from data_tools.readers import UnreadableFile, needs_components, reader_named
from data_tools.scanning.data_folder import Rejected
from data_tools.scanning.file_stamps import stamps_of
from data_tools.scanning.scan_cache import ScanCache, hash_of

log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]

VERSION = 4
"""Part of every stamp; raise it when a change of the measures makes old results wrong."""

SAMPLE = 4_096
"""Most frames of a dataset's spread sample; at least half as many, where there are enough."""

_WORKERS = min(4, os.cpu_count() or 1)


def sample_stride(usable: int) -> int:
    """One of how many usable frames of a dataset goes into its sample: a power of two, so that it seldom changes."""
    return 1 << max(0, (max(usable, 1) - 1) // SAMPLE).bit_length()


class AuditPass:
    """One audit's reading of all files.

    Args:
        catalog: What to read.
        sequences: The catalog's rows, by dataset, path and start.
        data: The data folder.
        cache: Where results are kept.
        progress: Called after each file.

    Attributes:
        rejected: Files that could not be read, and why; filled while :meth:`run` goes on.
    """

    def __init__(
        self, catalog: Catalog, sequences: pl.DataFrame, data: Path, cache: ScanCache, progress: Progress | None
    ) -> None:
        self.catalog, self.sequences = catalog, sequences
        self.data, self.cache, self.progress = data, cache, progress
        self.rejected: list[Rejected] = []
        self._stop = threading.Event()
        usable = sequences.group_by("dataset").agg(pl.col("usable_frames").sum())
        self._strides = {name: sample_stride(count) for name, count in usable.iter_rows()}

        lively = sequences.filter((pl.col("live_left") > 0) | (pl.col("live_right") > 0))
        self._thinning = thinning_of(len(lively), int(lively["frames"].sum()))

    def run(self) -> Iterator[tuple[pl.DataFrame, FileAudit]]:
        """Yield every file's sequences of the catalog and its audit, in the order of the catalog.

        What a worker has measured is kept at once, so that an interruption loses no whole file.
        """
        # Matrix products are small and several files go at once: more threads for each would be in each other's way.
        with threadpool_limits(1, user_api="blas"):
            yield from self._run(self._files())

    def _files(self) -> list[pl.DataFrame]:
        """The sequences of each file: views of the table, not copies."""
        runs = self.sequences.select(pl.struct("dataset", "path").rle_id().rle().struct.field("len")).to_series()
        edges = [0, *runs.cum_sum().to_list()]
        return [self.sequences[low:high] for low, high in pairwise(edges)]

    def _run(self, files: list[pl.DataFrame]) -> Iterator[tuple[pl.DataFrame, FileAudit]]:
        waiting: deque[tuple[pl.DataFrame, Future[FileAudit]]] = deque()
        with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            try:
                for done, table in enumerate([*files, *[None] * (2 * _WORKERS)]):
                    if table is not None:
                        waiting.append((table, pool.submit(self._audit_one, table)))
                    # Only a few results wait for their turn: memory does not grow with the number of files.
                    if waiting and (table is None or len(waiting) > 2 * _WORKERS):
                        yield from self._next(*waiting.popleft(), done - len(waiting), len(files))
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _next(
        self, table: pl.DataFrame, job: Future[FileAudit], done: int, total: int
    ) -> Iterator[tuple[pl.DataFrame, FileAudit]]:
        path = str(table["path"][0])
        try:
            result = job.result()
        except UnreadableFile as error:
            self.rejected.append(Rejected(path, error.reason))
            log.warning("%s", error)
        else:
            yield table, result
        if self.progress:
            self.progress(min(done, total), total, path)

    def _audit_one(self, table: pl.DataFrame) -> FileAudit:
        file = self._file(table)
        key = hash_of("audit", str(self.data.resolve()), str(table["path"][0]))
        stamp = self._stamp(file)
        known = self.cache.find(key, stamp)
        if known is not None:
            return FileAudit.of_table(known)
        result = audit_file(file, self._stop)
        self.cache.keep(key, stamp, result.to_table())
        return result

    def _file(self, table: pl.DataFrame) -> FileToAudit:
        row = table.row(0, named=True)
        mean, stride = self.catalog.hands_mean, self._strides[row["dataset"]]
        return FileToAudit(
            path=self.data / row["path"],
            root=self.data,
            reader=reader_named(row["format"]),
            starts=table["start"].to_numpy().astype(np.int64),
            frames=int(table["stop"][-1]),
            constant=table.select("constant_left", "constant_right").to_numpy().astype(bool),
            convention=row["hand_mean"],
            fps=row["fps"],
            hands_mean=None if mean is None else np.array(mean),
            stride=stride,
            phase=zlib.crc32(row["path"].encode()) % stride,
            thinning=self._thinning,
        )

    def _stamp(self, file: FileToAudit) -> str:
        """Everything that a result depends on: rules, the file's size and time, and what the catalog says of it."""
        stamps, lost = stamps_of(self.data, [file.path])
        if lost:
            raise UnreadableFile(file.path, f"{lost[0].reason}; scan again")
        facts = (file.starts.tobytes(), file.constant.tobytes(), file.frames, file.convention, file.fps)
        decoded = components_key() if needs_components([file.reader.format]) else None
        options = (decoded, file.reader.format, self.catalog.hands_mean, file.stride, file.thinning)
        return hash_of(VERSION, stamps, options, facts)
