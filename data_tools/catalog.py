"""The catalog: what a data folder holds, one row per sequence, with the frames whose hands can be trusted."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Float

from data_tools.dataset_notes import FILE_NAME, DatasetNotes, mean_hands
from data_tools.hand_pca import components_fingerprint, components_key
from data_tools.readers import UnreadableFile, needs_components, reader_for, reader_named
from data_tools.remote import is_remote, local_folder
from data_tools.scanning.data_folder import Rejected, find_files
from data_tools.scanning.file_scan import STILL, scan_file
from data_tools.scanning.file_stamps import Stamp, stamps_of
from data_tools.scanning.learnt_mean import (
    LearntMean,
    learn_mean_hand,
    needs_second_look,
    unknown_mean,
    with_mean_counted,
)
from data_tools.scanning.scan_cache import ScanCache, default_cache, hash_of
from data_tools.scanning.sequence_flags import with_flags

log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Called with what is done, what there is to do, and what was just done."""

_METADATA_KEY = "handprior_catalog"
_WORKERS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True, eq=False)
class Catalog:
    """What a scan found.

    Attributes:
        sequences: One row per sequence, ordered by dataset, path and start: dataset, sequence, path (below the
            root), format, start and stop (frames of the file), frames, fps, subject, hand_mean, has_body,
            usable_frames, live_left, live_right, usable_spans (flat list of starts and stops, frames of the file,
            in which both hands can be used), flags, content_hash, and a count of frames per fault.
        rejected: Files that were set aside, and why.
        root: The data folder, or the URL that was given.
        synthetic: Whether the data are made up.
        hands_mean: The mean hands that the scan worked with (90), if any.
        fingerprint: Hash of what was found; independent of where the folder lies and of the order of reading.
        hand_components: Hash of the principal components that hands were decoded with; None where none were.
        hands_mean_source: Where the mean hands come from: ``handprior.yaml``, ``model file``, ``learnt from 12
            uncaptured hands in CMU, KIT``; None where they are not known.
    """

    sequences: pl.DataFrame
    rejected: tuple[Rejected, ...]
    root: str
    synthetic: bool = False
    hands_mean: tuple[float, ...] | None = None
    fingerprint: str = ""
    hand_components: str | None = None
    hands_mean_source: str | None = None
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", _fingerprint(self.sequences, self.synthetic, self.hands_mean))

    def datasets(self) -> pl.DataFrame:
        """Return one row per dataset: sequences, frames, usable_frames, live_left, live_right, flags."""
        return (
            self.sequences.group_by("dataset", maintain_order=True)
            .agg(
                sequences=pl.len().cast(pl.Int64),
                frames=pl.col("frames").sum(),
                usable_frames=pl.col("usable_frames").sum(),
                live_left=pl.col("live_left").sum(),
                live_right=pl.col("live_right").sum(),
                flags=pl.col("flags").explode().drop_nulls().unique().sort(),
            )
            .sort("dataset")
        )

    def mean_hand_problem(self) -> str | None:
        """Say why these data cannot be mixed as they are: hands relative to a mean hand that nobody knows.

        Returns:
            One line with what to do, or None where all hands can be brought to one convention.
        """
        return None if self.hands_mean is not None else unknown_mean(self.sequences)

    def remember(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was computed from this catalog before under ``key``, or compute it now."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def write(self, path: Path | str) -> None:
        """Write the catalog as one Parquet file."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        about = {
            "root": self.root,
            "synthetic": self.synthetic,
            "hands_mean": self.hands_mean,
            "fingerprint": self.fingerprint,
            "hand_components": self.hand_components,
            "hands_mean_source": self.hands_mean_source,
            "rejected": [[entry.path, entry.reason] for entry in self.rejected],
        }
        try:
            self.sequences.write_parquet(beside, metadata={_METADATA_KEY: json.dumps(about)})
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path | str) -> Catalog:
        """Read a catalog that :meth:`write` wrote.

        Raises:
            FileNotFoundError: No such file.
            ValueError: Not a catalog.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such catalog; make one with `handprior scan DATA --out {path}`")
        try:
            about = json.loads(pl.read_parquet_metadata(path)[_METADATA_KEY])
            sequences = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, KeyError, OSError, ValueError) as error:
            raise ValueError(f"{path}: not a catalog; make one with `handprior scan DATA --out {path}`") from error
        hands_mean = about["hands_mean"]
        return cls(
            sequences=sequences,
            rejected=tuple(Rejected(*entry) for entry in about["rejected"]),
            root=about["root"],
            synthetic=about["synthetic"],
            hands_mean=None if hands_mean is None else tuple(hands_mean),
            fingerprint=about["fingerprint"],
            hand_components=about.get("hand_components"),
            hands_mean_source=about.get("hands_mean_source"),
        )


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
    with ScanCache(None if cache is False else Path(cache or default_cache())) as kept:
        whole = kept.find(hash_of(here, "whole"), stamp)
        if whole is not None:
            tables = [whole]
            learnt = _kept_mean(kept, hash_of(here, "mean"), stamp)
            if progress:
                progress(len(files), len(files), "unchanged since the last scan")
        else:
            job = _Scan(root, format, notes, here, stamps, kept, progress)
            tables = list(job.run())
            tables, learnt = job.with_learnt_mean(tables)
            rejected += job.rejected
            if tables and not job.rejected:
                tables = [pl.concat(tables).sort("dataset", "path", "start")]
                _keep_mean(kept, hash_of(here, "mean"), stamp, learnt)
                kept.keep(hash_of(here, "whole"), stamp, tables[0])
        if learnt is not None:
            notes, source = replace(notes, hands_mean=learnt.hands_mean), learnt.source
        rejected.sort(key=lambda entry: entry.path)
        if not tables:
            first = f"{rejected[0].path}: {rejected[0].reason}"
            raise ValueError(f"{data}: none of {len(files)} files can be read; the first: {first}")
        sequences = with_flags(tables[0] if len(tables) == 1 else pl.concat(tables).sort("dataset", "path", "start"))
        known = kept.find(hash_of(here, "fingerprint"), stamp) if whole is not None else None
        fingerprint = "" if known is None else str(known["fingerprint"][0])
        components = components_fingerprint() if needs_components(sequences["format"].unique()) else None
        where = str(data) if is_remote(data) else str(root)
        about = (tuple(rejected), where, notes.synthetic, notes.hands_mean)
        catalog = Catalog(sequences, *about, fingerprint, components, source)
        if known is None and not rejected:
            found = pl.DataFrame({"fingerprint": [catalog.fingerprint]})
            kept.keep(hash_of(here, "fingerprint"), stamp, found)
    return catalog


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


def _kept_mean(cache: ScanCache, key: str, stamp: str) -> LearntMean | None:
    known = cache.find(key, stamp)
    return None if known is None or known.is_empty() else LearntMean(tuple(known["mean"][0]), known["source"][0])


def _keep_mean(cache: ScanCache, key: str, stamp: str, learnt: LearntMean | None) -> None:
    rows = [] if learnt is None else [(list(learnt.hands_mean), learnt.source)]
    cache.keep(key, stamp, pl.DataFrame(rows, {"mean": pl.List(pl.Float64), "source": pl.String}, orient="row"))


def _fingerprint(sequences: pl.DataFrame, synthetic: bool, hands_mean: tuple[float, ...] | None) -> str:
    digest = hashlib.blake2b(repr((synthetic, hands_mean)).encode(), digest_size=16)
    for name in ("dataset", "sequence", "path", "content_hash", "hand_mean", "subject"):
        digest.update(sequences[name].fill_null("\1").str.join("\0").item().encode())
    for name in ("start", "stop", "usable_frames"):
        digest.update(sequences[name].to_numpy().astype("<i8").tobytes())
    digest.update(sequences["usable_spans"].explode().drop_nulls().to_numpy().astype("<i8").tobytes())
    return digest.hexdigest()
