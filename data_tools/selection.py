"""The selection: which frames of which files, in which split; written for us and in the shape others read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64

from data_tools.catalog import Catalog
from data_tools.foreign_splits import read_samples, sample_names
from data_tools.mix import Mix, MixPlan, plan
from data_tools.mixing.drawing import Drawn, draw
from data_tools.mixing.plan_words import MIXED
from data_tools.readers import needs_components, reader_named
from data_tools.scanning.boundaries import RULE as BOUNDARY_RULE
from data_tools.splits import RULES, availability
from data_tools.whole_folder import holds, whole_folder

FRAMES_FILE = "selection.parquet"
_TEXT_ROWS = 100_000
_ABOUT_KEY = "handprior_selection"


@dataclass(frozen=True, eq=False)
class Selection:
    """Chosen frames.

    Attributes:
        source: The frames, drawn or as a table; names are put to drawn ones on first use.
        frames: One row per frame: dataset, sequence, path, frame, tier, split, subject.
        known: What :attr:`about` says, where it is known; else it is worked out on first use.
        about: hash, catalog_fingerprint, mix_hash, seed, synthetic, hands_mean, hand_components, splits (names in
            order), and for every path its format and its hand_mean.
        plan: How the frames were chosen; None for a selection read back.
        path: The folder, if it was written.
    """

    source: pl.DataFrame | Drawn
    known: dict[str, Any] | None = None
    plan: MixPlan | None = None
    path: Path | None = None

    @cached_property
    def frames(self) -> pl.DataFrame:
        return self.source.table() if isinstance(self.source, Drawn) else self.source

    @cached_property
    def about(self) -> dict[str, Any]:
        if self.known is not None:
            return self.known
        if not isinstance(self.source, Drawn):
            raise ValueError("a selection from a table of frames needs to be told what it is of")
        return _about(self.source)

    @property
    def hash(self) -> str:
        return str(self.about["hash"])

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def read(cls, folder: Path | str) -> Selection:
        """Read a selection that :func:`balance` wrote.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is damaged, or points outside its data folder.
        """
        folder = Path(folder)
        path, about = folder / FRAMES_FILE, read_about(folder)
        try:
            frames = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            raise ValueError(f"{path}: not a selection; make one with `handprior balance`") from error
        for name in frames["path"].unique().to_list():
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise ValueError(f"{path}: {name!r} lies outside the data folder; the selection is not used")
        return cls(frames, about, path=folder)

    @classmethod
    def from_samples(cls, folder: Path | str, catalog: Catalog) -> Selection:
        """Read ``train_samples.json`` and its like, whoever wrote them; see :mod:`data_tools.foreign_splits`.

        Args:
            folder: Where they lie.
            catalog: A scan of the data that they are of.

        Raises:
            FileNotFoundError: There are none.
            ValueError: They name what the data do not have, or name a frame twice.
        """
        return cls(*read_samples(folder, catalog), path=Path(folder))


def read_about(folder: Path | str) -> dict[str, Any]:
    """Read what a written selection says about itself, without its frames; see :attr:`Selection.about`.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is damaged.
    """
    path = Path(folder) / FRAMES_FILE
    if not holds(folder, FRAMES_FILE):
        raise FileNotFoundError(
            f"{folder}: no {FRAMES_FILE} in it; make a selection with `handprior balance DATA --out {folder}`"
        )
    try:
        about: dict[str, Any] = json.loads(pl.read_parquet_metadata(path)[_ABOUT_KEY])
    except (pl.exceptions.PolarsError, KeyError, OSError, ValueError) as error:
        raise ValueError(f"{path}: not a selection; make one with `handprior balance`") from error
    return about


def balance(
    catalog: Catalog, mix: Mix | None = None, out: Path | str | None = None, *, dry_run: bool = False
) -> Selection:
    """Plan a mix, draw its frames, and write them down.

    Args:
        catalog: What there is.
        mix: What is asked for; the project's own mix if not given.
        out: Folder to write: selection.parquet; train_samples.json, val_samples.json and test_samples.json
            (dataset -> frame numbers); dataset_metadata.json; plan.json; mix.yaml; catalog.parquet.
        dry_run: Write nothing.

    Raises:
        ValueError: The mix cannot be filled and says ``fail``; nothing is usable; or (when written) hands with and
            without the mean hand inside would be put together, and nobody knows that mean.
        FileExistsError: ``out`` holds something else.
    """
    chosen = plan(catalog, mix)
    writes = out is not None and not dry_run
    if writes and (line := next((line for line in chosen.warnings if MIXED in line), None)):
        raise ValueError(line)
    selection = Selection(draw(catalog, chosen), plan=chosen)
    if out is None or not writes:
        return selection
    with whole_folder(Path(out), FRAMES_FILE) as folder:
        frames = selection.frames
        frames.write_parquet(folder / FRAMES_FILE, metadata={_ABOUT_KEY: json.dumps(selection.about)})
        paths = catalog.sequences["path"].unique().to_list()
        edges = np.append(0, np.cumsum(chosen.given.sum(axis=0))).tolist()  # rows are ordered by split
        for split, low, high in zip(chosen.splits, edges[:-1], edges[1:], strict=True):
            (folder / f"{split}_samples.json").write_text(_samples(frames[low:high], paths))
        _write_json(folder / "dataset_metadata.json", _metadata(catalog, chosen))
        _write_json(folder / "plan.json", chosen.to_dict())
        chosen.mix.write(folder / "mix.yaml")
        catalog.write(folder / "catalog.parquet")
    return Selection(frames, selection.about, chosen, Path(out))


def _about(drawn: Drawn) -> dict[str, Any]:
    catalog, mix = drawn.catalog, drawn.plan.mix
    digest = hashlib.blake2b(f"{catalog.fingerprint}{mix.hash}".encode(), digest_size=16)
    digest.update(drawn.frames.astype("<u4", copy=False).data)
    files = catalog.sequences[np.flatnonzero(np.bincount(drawn.rows))].unique("path", keep="first", maintain_order=True)
    return {
        "hash": digest.hexdigest(),
        "catalog_fingerprint": catalog.fingerprint,
        "mix_hash": mix.hash,
        "seed": mix.seed,
        "synthetic": catalog.synthetic,
        "hands_mean": catalog.hands_mean,
        "hand_components": catalog.hand_components if needs_components(files["format"].unique()) else None,
        "splits": list(drawn.plan.splits),
        "files": {row["path"]: [row["format"], row["hand_mean"]] for row in files.iter_rows(named=True)},
    }


def _file_starts(frames: pl.DataFrame) -> Int64[np.ndarray, "runs"]:
    """Rows at which the frames of another file begin."""
    codes = frames["path"].to_physical().to_numpy()
    return np.flatnonzero(np.append(True, codes[1:] != codes[:-1])[: len(codes)])


def _samples(frames: pl.DataFrame, paths: list[str]) -> str:
    """JSON of frame numbers by file, named by its path without suffix: the dataset's name for a consolidated file."""
    names, lines = sample_names(paths), []
    # Some files at a time: numbers as text take many times the memory of numbers.
    starts = np.append(_file_starts(frames), len(frames))
    bounds = np.unique(
        starts[np.searchsorted(starts, np.arange(0, len(frames) + _TEXT_ROWS, _TEXT_ROWS).clip(0, len(frames)))]
    )
    for low, high in pairwise(bounds.tolist()):
        numbers = pl.col("frame").cast(pl.String).str.join(", ")
        lists = frames[low:high].group_by("path", maintain_order=True).agg(numbers)
        lines += [f"{json.dumps(names[path])}: [{text}]" for path, text in lists.iter_rows()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _metadata(catalog: Catalog, chosen: MixPlan) -> dict[str, Any]:
    """What was chosen from where, in the shape that existing loaders read, and by dataset with the rules in words."""
    totals, table = chosen.totals, chosen.table()
    return {
        "dataset_creation_info": {
            "total_samples": totals["given"],
            "splits": totals["splits"],
            "priority_targets": totals["asked_tiers"],
            "split_ratios": dict(chosen.mix.splits),
            **{f"{tier}_priority_datasets": list(members) for tier, members in chosen.mix.tiers.items()},
        },
        "sampling_info": {
            tier: _sampling(table.filter(tier=tier), totals["asked_tiers"][tier]) for tier in totals["tiers"]
        },
        "datasets": _datasets(catalog, chosen, table),
        "synthetic": catalog.synthetic,
        "seed": chosen.mix.seed,
        "catalog_fingerprint": catalog.fingerprint,
        "mix_hash": chosen.mix.hash,
    }


def _sampling(rows: pl.DataFrame, asked: int) -> dict[str, Any]:
    available = int(rows["available"].sum())
    return {
        "rate": int(rows["given"].sum()) / available if available else 0.0,
        "datasets": dict(rows.select("dataset", "available").iter_rows()),
        "total_available": available,
        "target_samples": asked,
    }


def _datasets(catalog: Catalog, chosen: MixPlan, table: pl.DataFrame) -> dict[str, Any]:
    stock = availability(catalog, chosen.mix.splits, chosen.mix.exclude_flags)
    rules = dict(zip(chosen.datasets, stock.rules, strict=True))
    sources = catalog.sequences.group_by("dataset").agg(
        files=pl.col("path").unique().sort(),
        format=pl.col("format").unique().sort().str.join(", "),
        hand_mean=pl.col("hand_mean").unique().sort().str.join(", "),
        fps=pl.col("fps").unique().sort().cast(pl.String).str.join(", "),
        sequences=pl.len(),
    )
    rows = {}
    for row in table.join(sources, on="dataset", maintain_order="left").iter_rows(named=True):
        name = row.pop("dataset")
        by_file = all(reader_named(format).one_recording_per_file for format in row["format"].split(", "))
        sequence_rule = "one sequence per recording, as the files say" if by_file else BOUNDARY_RULE
        rows[name] = {**row, "split_rule": RULES[rules[name]], "sequence_rule": sequence_rule}
    return rows


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
