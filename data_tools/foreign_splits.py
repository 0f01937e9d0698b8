"""Splits that other people wrote: ``train_samples.json`` and its like, checked frame by frame against a catalog."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64

from data_tools.catalog import Catalog
from data_tools.mixing.mix_settings import Mix

log = logging.getLogger(__name__)

_LARGEST = 2_000_000_000
"""Bytes of a splits file that is read: 150 million frame numbers."""


def sample_names(paths: Iterable[str]) -> dict[str, str]:
    """The name of each file in a splits file: its path without suffix, or all of it where two would be the same."""
    names: dict[str, str] = {}
    for path in paths:
        names[path] = str(PurePosixPath(path).with_suffix("")) if PurePosixPath(path).suffix else path
    taken = Counter(names.values())
    return {path: path if taken[name] > 1 else name for path, name in names.items()}


def read_samples(folder: Path | str, catalog: Catalog) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Read ``{split}_samples.json`` of a folder: for each dataset (or file, without suffix) a list of frame numbers.

    Args:
        folder: Where ``train_samples.json`` lies, and ``val_samples.json`` and ``test_samples.json`` if there are any.
        catalog: A scan of the data that the splits are of.

    Returns:
        The frames, with the columns and the order of a selection's (a file's tier is the one that the project's own
        mix gives it), and what is known about them as a selection says it, with ``unusable`` (frames whose hands
        the scan found dead or invalid) and ``shared_sequences`` (sequences with frames in more than one split).

    Raises:
        FileNotFoundError: No ``train_samples.json`` there.
        ValueError: Not such a file; a dataset that the data do not have or that lies outside the data folder; a frame
            number that is none, negative, too large, or named twice.
    """
    folder = Path(folder)
    splits = [split for split in ("train", "val", "test") if (folder / f"{split}_samples.json").is_file()]
    if "train" not in splits:
        raise FileNotFoundError(f"{folder}: no train_samples.json in it; make splits with `handprior balance`")
    files = _Files(catalog)
    rows, frames, sources = [], [], []
    for number, split in enumerate(splits):
        path = folder / f"{split}_samples.json"
        chosen = {files.find(name, path): (name, values) for name, values in _content(path).items()}
        for file in sorted(chosen):
            name, values = chosen[file]
            row, frame = files.rows(file, _numbers(values, f"{path}: {name}"), f"{path}: {name}")
            rows.append(row)
            frames.append(frame)
            sources.append(np.full(len(frame), number))
    if not sum(map(len, frames)):
        raise ValueError(f"{folder}: the splits name no frames")
    row, frame, source = (np.concatenate(parts) for parts in (rows, frames, sources))
    _refuse_shared(catalog, row, frame, source, splits, folder)
    table = _table(catalog, row, frame, source, splits)
    return table, _about(catalog, table, row, frame, splits)


class _Files:
    """The files of a catalog, by the names that splits give them."""

    def __init__(self, catalog: Catalog) -> None:
        self.sequences = catalog.sequences
        paths = self.sequences["path"].unique().to_list()
        self.by_name = {name: path for path, name in sample_names(paths).items()}
        self.by_name |= {path: path for path in paths}
        placed = self.sequences.with_row_index().select("index", "path", "start", "stop").sort("path", "start")
        self.parts = {
            part["path"][0]: tuple(part[column].to_numpy().astype(np.int64) for column in ("index", "start", "stop"))
            for part in placed.partition_by("path")
        }

    def find(self, name: str, where: Path) -> str:
        """The file that a splits file means."""
        if _leads_outside(name):
            raise ValueError(f"{where}: {name!r} lies outside the data folder; the splits are not used")
        if name not in self.by_name:
            known = ", ".join(sorted(self.by_name)[:5])
            raise ValueError(f"{where}: no dataset {name!r} in the data; they have {known} ...; scan the right folder")
        return self.by_name[name]

    def rows(
        self, file: str, frames: Int64[np.ndarray, "frames"], where: str
    ) -> tuple[Int64[np.ndarray, "frames"], Int64[np.ndarray, "frames"]]:
        """Row of the catalog of each frame of a file, and the frames in ascending order."""
        index, start, stop = self.parts[file]
        if not len(frames):
            return frames, frames
        frames = np.sort(frames)
        if frames[0] < 0 or frames[-1] >= stop[-1]:
            wrong = frames[0] if frames[0] < 0 else frames[-1]
            raise ValueError(f"{where}: frame {wrong} does not exist; the file has frames 0 to {stop[-1] - 1}")
        twice = np.flatnonzero(frames[1:] == frames[:-1])
        if len(twice):
            raise ValueError(f"{where}: frame {frames[twice[0]]} is named twice")
        return index[np.searchsorted(start, frames, side="right") - 1], frames


def _leads_outside(name: str) -> bool:
    kinds: tuple[PurePath, ...] = (PurePosixPath(name), PureWindowsPath(name))
    return any(path.is_absolute() or ".." in path.parts or bool(path.drive) for path in kinds)


def _content(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: larger than {_LARGEST / 1e9:g} GB; a list of so many frames is not read")
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=lambda pairs: _once(pairs, path))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected {{"dataset": [frame, ...]}}, got a {type(content).__name__}')
    return content


def _once(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{path}: {twice!r} is named twice")
    return dict(pairs)


def _numbers(values: Any, where: str) -> Int64[np.ndarray, "frames"]:
    wrong = f"{where}: expected a list of whole frame numbers"
    if not isinstance(values, list):
        raise ValueError(f"{wrong}, got {str(values)[:40]!r}")
    if not values:
        return np.empty(0, np.int64)
    try:
        numbers = np.array(values)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{wrong}, got a list of lists") from error
    # A mixture of numbers and booleans would come as integers.
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or numbers.max() > np.iinfo(np.int64).max:
        odd = next((value for value in values if type(value) is not int), values[0])
        raise ValueError(f"{wrong}, got {str(odd)[:40]!r}")
    if numbers.min() <= 1 and any(value is True or value is False for value in values):
        raise ValueError(f"{wrong}, got true or false")
    return numbers.astype(np.int64)


def _refuse_shared(
    catalog: Catalog,
    row: Int64[np.ndarray, "frames"],
    frame: Int64[np.ndarray, "frames"],
    source: Int64[np.ndarray, "frames"],
    splits: list[str],
    folder: Path,
) -> None:
    order = np.lexsort((source, frame, row))
    same = (np.diff(row[order]) == 0) & (np.diff(frame[order]) == 0)
    if not same.any():
        return
    first = int(np.flatnonzero(same)[0])
    one, other = (splits[int(source[order[place]])] for place in (first, first + 1))
    path = catalog.sequences["path"][int(row[order[first]])]
    raise ValueError(
        f"{folder}: frame {frame[order[first]]} of {path} stands in {one} and in {other} ({int(same.sum()):,} such "
        "frames); a frame belongs to one split"
    )


def _table(
    catalog: Catalog,
    row: Int64[np.ndarray, "frames"],
    frame: Int64[np.ndarray, "frames"],
    source: Int64[np.ndarray, "frames"],
    splits: list[str],
) -> pl.DataFrame:
    # The catalog is ordered by dataset, path and start, so its row numbers give a selection's order.
    order = np.lexsort((frame, row, source))
    row[:], frame[:], source[:] = row[order], frame[order], source[order]
    mix, sequences = Mix.default(), catalog.sequences
    dataset = sequences["dataset"]
    tiers = {name: mix.tier_of(name) or mix.unknown_tier for name in dataset.unique().to_list()}
    columns = {
        "dataset": dataset,
        "sequence": sequences["sequence"],
        "path": sequences["path"],
        "tier": dataset.replace_strict(tiers, return_dtype=pl.String),
        "subject": sequences["subject"].cast(pl.String),
    }
    named = {name: values.cast(pl.Categorical).gather(row) for name, values in columns.items()}
    named |= {
        "frame": pl.Series(frame),
        "split": pl.Series(splits, dtype=pl.String).cast(pl.Categorical).gather(source),
    }
    return pl.DataFrame(named).select("dataset", "sequence", "path", "frame", "tier", "split", "subject")


def _about(
    catalog: Catalog,
    table: pl.DataFrame,
    row: Int64[np.ndarray, "frames"],
    frame: Int64[np.ndarray, "frames"],
    splits: list[str],
) -> dict[str, Any]:
    digest = hashlib.blake2b(f"samples{catalog.fingerprint}{splits}".encode(), digest_size=16)
    for values in (row, frame, table["split"].to_physical().to_numpy()):
        digest.update(values.astype("<i8").tobytes())
    used = catalog.sequences[np.unique(row)].unique("path", keep="first", maintain_order=True)
    shared = (
        table.select("path", "sequence", "split").unique().group_by("path", "sequence").len().filter(pl.col("len") > 1)
    )
    unusable = int((~_is_usable(catalog, row, frame)).sum())
    if unusable:
        log.warning("%d of %d frames of the splits have dead or invalid hands", unusable, len(frame))
    if len(shared):
        log.warning("%d sequences have frames in more than one split: the splits leak", len(shared))
    return {
        "hash": digest.hexdigest(),
        "catalog_fingerprint": catalog.fingerprint,
        "mix_hash": "",
        "seed": None,
        "synthetic": catalog.synthetic,
        "hands_mean": catalog.hands_mean,
        "splits": splits,
        "files": {entry["path"]: [entry["format"], entry["hand_mean"]] for entry in used.iter_rows(named=True)},
        "unusable": unusable,
        "shared_sequences": len(shared),
    }


def _is_usable(catalog: Catalog, row: Int64[np.ndarray, "frames"], frame: Int64[np.ndarray, "frames"]) -> np.ndarray:
    """Tell which frames lie in a usable span of their sequence."""
    lists = catalog.sequences["usable_spans"]
    counts = lists.list.len().to_numpy().astype(np.int64) // 2
    spans = lists.explode().drop_nulls().to_numpy().reshape(-1, 2).astype(np.int64)
    if not len(spans):
        return np.zeros(len(frame), bool)
    # One ascending key for row and frame together.
    width = int(max(spans.max(), frame.max())) + 1
    owner = np.repeat(np.arange(len(counts)), counts)
    at = np.searchsorted(owner * width + spans[:, 0], row * width + frame, side="right") - 1
    return (at >= 0) & (owner[at] == row) & (frame < spans[at, 1])
