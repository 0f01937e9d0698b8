"""Scan a data folder: read every file once, several at a time, and list its sequences."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from jaxtyping import Float

from data_tools.catalog import Catalog, Progress, fingerprint
from data_tools.dataset_notes import FILE_NAME, DatasetNotes, mean_hands
from data_tools.hand_pca import components_fingerprint, components_key
from data_tools.readers import UnreadableFile, needs_components, reader_for, reader_named
from data_tools.remote import is_remote, local_folder
from data_tools.scanning.data_folder import Rejected, find_files
from data_tools.scanning.file_scan import STILL, scan_file
from data_tools.scanning.file_stamps import Stamp, stamps_of
from data_tools.scanning.learnt_mean import LearntMean, learn_mean_hand, needs_second_look, with_mean_counted
from data_tools.scanning.scan_cache import KeptResults, ScanCache, default_cache, hash_of
from data_tools.scanning.sequence_flags import with_flags

log = logging.getLogger(__name__)

_SEQUENCES, _SUMMARY = "sequences", "summary"  # names of what is kept of a whole folder
_WORKERS = min(8, os.cpu_count() or 1)


def scan(
    data: Path | str,
    *,
    format: str | None = None,
    hand_mean: Mapping[str, str] | None = None,
    hands_mean: Float[np.ndarray, "90"] | Sequence[float] | None = None,
    progress: Progress | None = None,
    cache: Path | str | Literal[False] | None = None,
) -> Catalog:
    """Read every file of a data folder once and list its sequences.

    Damaged files are set aside with their reason; the rest goes on. Unchanged files are not read again.

    Args:
        data: A folder, one file, or the fsspec URL of either. ``handprior.yaml`` in the folder is heeded.
        format: Read every file as this format instead of recognising it.
        hand_mean: Mean-hand convention by dataset, over what ``handprior.yaml`` says.
        hands_mean: The model's mean hands (90, radians), used to recognise uncaptured hands unless
            ``handprior.yaml`` gives them.
        progress: Called after each file.
        cache: File that keeps results between scans; a default place if None, nowhere if False.

    Returns:
        The catalog.

    Raises:
        FileNotFoundError: No such folder, or no motion files in it.
        ValueError: No file could be read; or a wrong option.
    """
    if format is not None:
        reader_named(format)
    root, files, rejected = find_files(local_folder(data, progress), format)
    notes = DatasetNotes.read(root).with_conventions(hand_mean or {})
    source = None if notes.hands_mean is None else FILE_NAME
    if notes.hands_mean is None and hands_mean is not None:
        notes, source = replace(notes, hands_mean=mean_hands(hands_mean, "hands_mean")), "model file"
    stamps, lost = stamps_of(root, files)
    rejected += lost
    # By place and options; what changes with the files' content is in the stamps.
    here, stamp = hash_of(str(root.resolve()), format, notes), hash_of(stamps, components_key())
    where = str(data) if is_remote(data) else str(root)
    kept = KeptResults(None if cache is False else Path(cache or default_cache()), here, stamp)
    known = kept.find(_SUMMARY)
    table = None if known is None else kept.find_packed(_SEQUENCES)
    if known is not None and table is not None:
        if progress:
            progress(len(files), len(files), "unchanged since the last scan")
        found = _Summary(**known.row(0, named=True))
        rejected.sort(key=lambda entry: entry.path)
        return found.catalog(lambda: with_flags(table()), rejected, where, notes, source, kept)
    with ScanCache(kept.path) as results:
        job = _Scan(root, format, notes, here, stamps, results, progress)
        tables, learnt = job.with_learnt_mean(list(job.run()))
    rejected = sorted(rejected + job.rejected, key=lambda entry: entry.path)
    if not tables:
        first = f"{rejected[0].path}: {rejected[0].reason}"
        if len(rejected) == 1:
            raise ValueError(f"{data}: nothing to read but one damaged or unknown file; {first}")
        raise ValueError(f"{data}: none of {len(rejected)} files can be read; the first: {first}")
    whole = pl.concat(tables).sort("dataset", "path", "start")
    found = _Summary.of(whole, notes, learnt)
    if job.rejected:
        kept = replace(kept, path=None)  # a file that could not be read may be readable next time
    kept.keep(_SEQUENCES, whole)
    kept.keep(_SUMMARY, pl.DataFrame([asdict(found)], infer_schema_length=None))
    return found.catalog(with_flags(whole), rejected, where, notes, source, kept)


@dataclass(frozen=True)
class _Summary:
    """What is known of a scanned folder without looking at its table of sequences.

    Attributes:
        fingerprint: The catalog's.
        decoded: Whether hands were decoded with a model file's principal components.
        mean: The mean hands that were learnt from uncaptured ones (90), if any.
        mean_source: Where they were learnt.
    """

    fingerprint: str
    decoded: bool
    mean: list[float] | None
    mean_source: str | None

    @classmethod
    def of(cls, sequences: pl.DataFrame, notes: DatasetNotes, learnt: LearntMean | None) -> _Summary:
        mean = notes.hands_mean if learnt is None else learnt.hands_mean
        return cls(
            fingerprint(sequences, notes.synthetic, mean),
            needs_components(sequences["format"].unique()),
            None if learnt is None else list(learnt.hands_mean),
            None if learnt is None else learnt.source,
        )

    def catalog(
        self,
        sequences: pl.DataFrame | Callable[[], pl.DataFrame],
        rejected: list[Rejected],
        root: str,
        notes: DatasetNotes,
        source: str | None,
        kept: KeptResults,
    ) -> Catalog:
        """Make the catalog; ``source`` is where the mean hands of ``notes`` come from."""
        return Catalog(
            sequences,
            tuple(rejected),
            root,
            notes.synthetic,
            notes.hands_mean if self.mean is None else tuple(self.mean),
            self.fingerprint,
            components_fingerprint() if self.decoded else None,
            source if self.mean is None else self.mean_source,
            kept,
        )


@dataclass
class _Scan:
    """One scan of a folder: known results first, then the other files, several at a time."""

    root: Path
    format: str | None
    notes: DatasetNotes
    here: str
    stamps: dict[str, Stamp]
    cache: ScanCache
    progress: Progress | None
    rejected: list[Rejected] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Iterator[pl.DataFrame]:
        """Yield the table of each file; those that cannot be read go to :attr:`rejected`."""
        todo, done = [], 0
        for name in self.stamps:
            known = self.cache.find(*self._key(name))
            if known is None:
                known = self.cache.find(*self._key(name, decoded=True))
            if known is None:
                todo.append(name)
                continue
            done += 1
            yield known
        with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            jobs = {pool.submit(self._scan_one, name): name for name in todo}
            try:
                for job in as_completed(jobs):
                    done += 1
                    try:
                        table = job.result()
                    except UnreadableFile as error:
                        self.rejected.append(Rejected(jobs[job], error.reason))
                        log.warning("%s", error)
                    else:
                        self.cache.keep(*self._key(jobs[job], needs_components(table["format"])), table)
                        yield table
                    if self.progress:
                        self.progress(done, len(self.stamps), jobs[job])
            except BaseException:
                self.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def with_learnt_mean(self, tables: list[pl.DataFrame]) -> tuple[list[pl.DataFrame], LearntMean | None]:
        """Learn the mean hand from uncaptured ones where nobody gives it, and look for it in all files it may be in."""
        learnt = learn_mean_hand(pl.concat(tables)) if tables and self.notes.hands_mean is None else None
        if learnt is not None:
            whole = pl.concat(tables)
            again = needs_second_look(whole)
            notes = replace(self.notes, hands_mean=learnt.hands_mean)
            stamps = {name: self.stamps[name] for name in again}
            here = hash_of(str(self.root.resolve()), self.format, notes)
            second = _Scan(self.root, self.format, notes, here, stamps, self.cache, self.progress, stop=self.stop)
            rest = with_mean_counted(whole.filter(~pl.col("path").is_in(again)), np.array(learnt.hands_mean))
            tables = [rest, *second.run()]
            self.rejected += second.rejected
        return [table.drop(STILL) for table in tables], learnt

    def _key(self, name: str, decoded: bool = False) -> tuple[str, str]:
        """Key and stamp of a file; what was decoded with a model's components depends on that model, too."""
        depends_on = (self.stamps[name], components_key()) if decoded else (self.stamps[name],)
        return hash_of(self.here, name), hash_of(*depends_on)

    def _scan_one(self, name: str) -> pl.DataFrame:
        path = self.root / name
        return scan_file(path, self.root, reader_for(path, self.format), self.notes, self.stop)
