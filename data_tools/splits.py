"""Which frames may go to which split: whole sequences, whole people where people are known, never both sides.

The decision is made dataset by dataset from its own sequences (:mod:`data_tools.mixing.dealing`), so that adding or
removing a dataset never moves another's, and it does not depend on the seed, which only draws frames.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from data_tools.catalog import Catalog
from data_tools.mixing.dealing import FEWEST_SUBJECTS, RULES, Recordings, assign

_SPAN_COLUMNS = ("dataset", "split", "row", "start", "stop")

__all__ = ["RULES", "Availability", "availability"]


@dataclass(frozen=True, eq=False)
class Availability:
    """How many usable frames each dataset has in each split, and where they lie.

    Attributes:
        datasets: Names, in alphabetical order.
        splits: Names of the splits.
        shares: Share of each split, summing to one.
        frames: (datasets,) frames on disk.
        usable: (datasets,) frames whose hands can be used.
        capacity: (datasets, splits) usable frames that each split may draw from; guard gaps are in none.
        flags: Per dataset, what its sequences are flagged with.
        rules: Per dataset, a key of :data:`RULES`.
        excluded: (datasets,) usable frames that a flag keeps out; they are in no split and not in ``usable``.
        exclude_flags: The flags that keep sequences out.
        conventions: Per dataset, the mean-hand conventions of its usable sequences.
        mean_known: Whether the mean hand is known that ``rel`` hands lack.
        spans: (spans, 5) dataset, split, row of the catalog, first frame, frame after the last; ordered by dataset,
            split, row and frame.
        catalog_fingerprint: What it was computed from.
    """

    datasets: tuple[str, ...]
    splits: tuple[str, ...]
    shares: tuple[float, ...]
    frames: Int64[np.ndarray, "datasets"]
    usable: Int64[np.ndarray, "datasets"]
    capacity: Int64[np.ndarray, "datasets splits"]
    flags: tuple[tuple[str, ...], ...]
    rules: tuple[str, ...]
    spans: Int64[np.ndarray, "spans 5"]
    catalog_fingerprint: str
    excluded: Int64[np.ndarray, "datasets"]
    exclude_flags: tuple[str, ...]
    conventions: tuple[tuple[str, ...], ...]
    mean_known: bool


def availability(catalog: Catalog, splits: Mapping[str, float], exclude_flags: tuple[str, ...] = ()) -> Availability:
    """Divide every dataset of a catalog into splits; computed once per catalog, shares and flags.

    Args:
        catalog: What there is.
        splits: Share of each split; they are divided by their sum.
        exclude_flags: Sequences with one of these flags give nothing. The others stay in the splits that they are in
            without this, so that a run with and one without can be compared.
    """
    key = ("availability", tuple(splits.items()), tuple(exclude_flags))
    return catalog.remember(key, lambda: _kept_availability(catalog, splits, tuple(exclude_flags)))


def _kept_availability(catalog: Catalog, splits: Mapping[str, float], exclude_flags: tuple[str, ...]) -> Availability:
    """Take what an earlier scan of the same data worked out for the same splits, or work it out and keep it."""
    if catalog.kept is None:
        return _availability(catalog, splits, exclude_flags)
    asked = (catalog.fingerprint, tuple(splits.items()), exclude_flags)
    facts, spans = catalog.kept.find("availability", *asked), catalog.kept.find("spans", *asked)
    if facts is not None and spans is not None:
        return _unpacked(facts.item(), spans)
    stock = _availability(catalog, splits, exclude_flags)
    packed = json.dumps(
        {name: value for name, value in vars(stock).items() if name != "spans"}, default=np.ndarray.tolist
    )
    catalog.kept.keep("spans", pl.DataFrame(stock.spans, [*_SPAN_COLUMNS]), *asked)
    catalog.kept.keep("availability", pl.DataFrame({"facts": [packed]}), *asked)
    return stock


def _unpacked(facts: str, spans: pl.DataFrame) -> Availability:
    """Make the availability of its parts again: lists of numbers are arrays, others are tuples."""
    known = json.loads(facts)
    for name in ("frames", "usable", "capacity", "excluded"):
        known[name] = np.array(known[name], np.int64)
    for name in ("datasets", "splits", "shares", "rules", "exclude_flags"):
        known[name] = tuple(known[name])
    for name in ("flags", "conventions"):
        known[name] = tuple(map(tuple, known[name]))
    return Availability(spans=spans.to_numpy(), **known)


def _availability(catalog: Catalog, splits: Mapping[str, float], exclude_flags: tuple[str, ...]) -> Availability:
    total = math.fsum(splits.values())
    shares = np.array([share / total for share in splits.values()])
    summary = catalog.datasets()
    names = summary["dataset"].to_list()
    spans, rules = [np.empty((0, 5), np.int64)], []
    for index, (name, recordings) in enumerate(_recordings(catalog.sequences, names)):
        rule, pieces = assign(name, recordings, shares)
        rules.append(rule)
        ordered = pieces[np.lexsort((pieces[:, 2], pieces[:, 1], pieces[:, 0]))]
        spans.append(np.column_stack([np.full(len(ordered), index), ordered]))
    table = np.concatenate(spans)
    excluded, is_out = _excluded(catalog.sequences, names, exclude_flags)
    if len(exclude_flags):
        table = table[~is_out[table[:, 2]]]
    conventions = _conventions(catalog.sequences, is_out)
    capacity = np.zeros((len(names), len(shares)), np.int64)
    np.add.at(capacity, (table[:, 0], table[:, 1]), table[:, 4] - table[:, 3])
    return Availability(
        datasets=tuple(names),
        splits=tuple(splits),
        shares=tuple(shares.tolist()),
        frames=summary["frames"].to_numpy(),
        usable=summary["usable_frames"].to_numpy() - excluded,
        capacity=capacity,
        flags=tuple(tuple(flags) for flags in summary["flags"].to_list()),
        rules=tuple(rules),
        spans=table,
        catalog_fingerprint=catalog.fingerprint,
        excluded=excluded,
        exclude_flags=exclude_flags,
        conventions=tuple(conventions.get(name, ()) for name in names),
        mean_known=catalog.hands_mean is not None,
    )


def _excluded(
    sequences: pl.DataFrame, names: list[str], flags: tuple[str, ...]
) -> tuple[Int64[np.ndarray, "datasets"], Bool[np.ndarray, "sequences"]]:
    """Usable frames that flags keep out of each dataset, and which sequences they keep out."""
    if not flags:
        return np.zeros(len(names), np.int64), np.zeros(len(sequences), bool)
    is_out = sequences["flags"].list.eval(pl.element().is_in(list(flags))).list.any().fill_null(False)
    lost = dict(sequences.filter(is_out).group_by("dataset").agg(pl.col("usable_frames").sum()).iter_rows())
    return np.array([lost.get(name, 0) for name in names], np.int64), is_out.to_numpy()


def _conventions(sequences: pl.DataFrame, is_out: Bool[np.ndarray, "sequences"]) -> dict[str, tuple[str, ...]]:
    """Mean-hand conventions of the usable sequences of each dataset."""
    used = sequences.select("dataset", "hand_mean", use=(pl.col("usable_frames") > 0) & ~pl.lit(pl.Series(is_out)))
    pairs = used.filter("use").select("dataset", "hand_mean").unique().sort("dataset", "hand_mean")
    found: dict[str, tuple[str, ...]] = {}
    for dataset, convention in pairs.iter_rows():
        found[dataset] = (*found.get(dataset, ()), convention)
    return found


def _recordings(sequences: pl.DataFrame, names: list[str]) -> Iterator[tuple[str, Recordings]]:
    """Take the catalog apart by dataset; its rows are ordered by dataset."""
    counts = sequences["usable_spans"].list.len().to_numpy().astype(np.int64) // 2
    spans = sequences["usable_spans"].explode().drop_nulls().to_numpy().reshape(-1, 2)
    live = np.flatnonzero(counts)
    columns = sequences.select("dataset", "sequence", "content_hash", "usable_frames", "fps", "subject")
    table = columns if len(live) == len(columns) else columns[live]
    dataset = table["dataset"].cast(pl.Enum(names)).to_physical().to_numpy()
    hashes = table["content_hash"].str.slice(0, 15).str.to_integer(base=16, strict=False)
    ranks = np.where(hashes.is_null(), -1 - np.arange(len(table)), hashes.fill_null(0))
    usable = table["usable_frames"].to_numpy()
    fps = table["fps"].fill_null(np.nan).to_numpy()
    named_at_all = table["subject"].null_count() < len(table)
    edges = np.searchsorted(dataset, np.arange(len(names) + 1))
    counts = counts[live]
    span_edges = np.append(0, np.cumsum(counts))[edges]
    for index, name in enumerate(names):
        part, inside = slice(edges[index], edges[index + 1]), slice(span_edges[index], span_edges[index + 1])
        people, named = np.empty(0, str), 0
        if named_at_all:
            subjects = table["subject"][part]
            named = subjects.drop_nulls().n_unique()
        if named >= FEWEST_SUBJECTS:
            units = pl.select(pl.coalesce("person " + subjects, "sequence " + table["sequence"][part])).to_series()
            people = units.to_numpy().astype(str)
        yield (
            name,
            Recordings(
                rows=live[part],
                usable=usable[part],
                ranks=ranks[part],
                people=people,
                named=named,
                fps=fps[part],
                counts=counts[part],
                spans=spans[inside],
            ),
        )
