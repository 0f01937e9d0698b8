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

from data_tools.dataset_notes import DatasetNotes, mean_hands
from data_tools.readers import UnreadableFile, reader_for, reader_named
from data_tools.scanning.data_folder import Rejected, find_files
from data_tools.scanning.file_scan import scan_file
from data_tools.scanning.scan_cache import VERSION, ScanCache, default_cache, hash_of
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
        root: The data folder.
        synthetic: Whether the data are made up.
        hands_mean: The mean hands that the scan worked with (90), if any.
        fingerprint: Hash of what was found; independent of where the folder lies and of the order of reading.
    """

    sequences: pl.DataFrame
    rejected: tuple[Rejected, ...]
    root: str
    synthetic: bool = False
    hands_mean: tuple[float, ...] | None = None
    fingerprint: str = ""
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
        data: A folder, or one file. ``handprior.yaml`` in the folder is heeded.
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
    data = Path(data)
    if format is not None:
        reader_named(format)
    root, files, rejected = find_files(data)
    notes = DatasetNotes.read(root).with_conventions(hand_mean or {})
    if notes.hands_mean is None:
        notes = replace(notes, hands_mean=mean_hands(hands_mean, "hands_mean"))
    stamps, lost = _stamps(root, files)
    rejected += lost
    # By place and options; what changes with the files' content is in the stamps.
    here = hash_of(str(root.resolve()), format, notes)
    with ScanCache(None if cache is False else Path(cache or default_cache())) as kept:
        whole = kept.find(here, hash_of(stamps))
        if whole is not None:
            tables = [whole]
            if progress:
                progress(len(files), len(files), "unchanged since the last scan")
        else:
            job = _Scan(root, format, notes, here, stamps, kept, progress)
            tables = list(job.run())
            rejected += job.rejected
            if tables and not job.rejected:
                kept.keep(here, hash_of(stamps), pl.concat(tables))
    rejected.sort(key=lambda entry: entry.path)
    if not tables:
        first = f"{rejected[0].path}: {rejected[0].reason}"
        raise ValueError(f"{data}: none of {len(files)} files can be read; the first: {first}")
    sequences = with_flags(pl.concat(tables)).sort("dataset", "path", "start")
    return Catalog(sequences, tuple(rejected), str(root), notes.synthetic, notes.hands_mean)


def _stamps(root: Path, files: list[Path]) -> tuple[dict[str, tuple[int, int, int]], list[Rejected]]:
    """What tells whether each file is still the one that was read: rules, size and time; and files that are gone."""
    stamps, lost = {}, []
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            status = path.stat()
        except OSError as error:
            lost.append(Rejected(name, f"cannot be opened ({error.strerror})"))
        else:
            stamps[name] = (VERSION, status.st_size, status.st_mtime_ns)
    return stamps, lost


@dataclass
class _Scan:
    """One scan of a folder: known results first, then the other files, several at a time."""

    root: Path
    format: str | None
    notes: DatasetNotes
    here: str
    stamps: dict[str, tuple[int, int, int]]
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
                        self.cache.keep(*self._key(jobs[job]), table)
                        yield table
                    if self.progress:
                        self.progress(done, len(self.stamps), jobs[job])
            except BaseException:
                self.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _key(self, name: str) -> tuple[str, str]:
        return hash_of(self.here, name), hash_of(self.stamps[name])

    def _scan_one(self, name: str) -> pl.DataFrame:
        path = self.root / name
        return scan_file(path, self.root, reader_for(path, self.format), self.notes, self.stop)


def _fingerprint(sequences: pl.DataFrame, synthetic: bool, hands_mean: tuple[float, ...] | None) -> str:
    digest = hashlib.blake2b(repr((synthetic, hands_mean)).encode(), digest_size=16)
    for name in ("dataset", "sequence", "path", "content_hash", "hand_mean", "subject"):
        digest.update("\0".join(sequences[name].fill_null("\1")).encode())
    for name in ("start", "stop", "usable_frames"):
        digest.update(sequences[name].to_numpy().astype("<i8").tobytes())
    digest.update(sequences["usable_spans"].explode().drop_nulls().to_numpy().astype("<i8").tobytes())
    return digest.hexdigest()
