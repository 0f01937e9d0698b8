"""Which frames are taken: spread over time, one from each of as many equal stretches as frames are wanted."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from jaxtyping import Int64

from data_tools.catalog import Catalog
from data_tools.mix import MixPlan
from data_tools.splits import availability


def draw(catalog: Catalog, plan: MixPlan, seed: int | None = None) -> pl.DataFrame:
    """Choose the frames that a plan asks for.

    Every dataset and split is drawn by itself, from the seed and its names, so that a change elsewhere does not
    touch it.

    Args:
        catalog: What the plan was made for.
        plan: How many frames from where.
        seed: Of the draw; the mix's own if not given.

    Returns:
        One row per frame, ordered by split (as in the mix), dataset, sequence (file order) and frame: dataset,
        sequence, path, frame (number in the file), tier, split, subject.

    Raises:
        ValueError: The plan was made for another catalog.
    """
    if plan.catalog_fingerprint != catalog.fingerprint:
        raise ValueError("the plan was made for another catalog; plan again")
    seed = plan.mix.seed if seed is None else seed
    stock = availability(catalog, plan.mix.splits)
    cell = stock.spans[:, 0] * len(stock.splits) + stock.spans[:, 1]
    edges = np.searchsorted(cell, np.arange(len(stock.datasets) * len(stock.splits) + 1))
    rows, frames, cells = [], [], []
    for split in range(len(stock.splits)):
        for dataset, name in enumerate(stock.datasets):
            count = int(plan.given[dataset, split])
            if count:
                index = dataset * len(stock.splits) + split
                spans = stock.spans[edges[index] : edges[index + 1], 2:]
                row, frame = _draw_spans(spans, count, _generator(seed, name, stock.splits[split]))
                rows.append(row)
                frames.append(frame)
                cells.append(np.full(count, index))
    return _table(catalog, plan, np.concatenate(rows), np.concatenate(frames), np.concatenate(cells))


def spread(available: int, wanted: int, generator: np.random.Generator) -> Int64[np.ndarray, "wanted"]:
    """Choose ``wanted`` of ``available`` positions in ascending order, one at random from each equal stretch.

    If more are wanted than there are, every position comes as often as it fits, and the rest is spread.
    """
    whole, rest = divmod(wanted, available)
    edges = np.arange(rest + 1, dtype=np.int64) * available // max(rest, 1)
    widths = np.diff(edges)
    chosen = edges[:-1] + np.minimum((generator.random(rest) * widths).astype(np.int64), widths - 1)
    if not whole:
        return chosen
    return np.sort(np.concatenate([np.repeat(np.arange(available, dtype=np.int64), whole), chosen]))


def _generator(seed: int, dataset: str, split: str) -> np.random.Generator:
    text = f"{seed}\0{dataset}\0{split}".encode()
    return np.random.Generator(
        np.random.PCG64(int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little"))
    )


def _draw_spans(
    spans: Int64[np.ndarray, "spans 3"], count: int, generator: np.random.Generator
) -> tuple[Int64[np.ndarray, "count"], Int64[np.ndarray, "count"]]:
    """Draw from spans (row of the catalog, first frame, frame after the last): the rows and frames chosen."""
    ends = np.cumsum(spans[:, 2] - spans[:, 1])
    chosen = spread(int(ends[-1]), count, generator)
    per_span = np.diff(np.searchsorted(chosen, ends), prepend=0)
    shift = spans[:, 2] - ends
    return np.repeat(spans[:, 0], per_span), chosen + np.repeat(shift, per_span)


def _table(
    catalog: Catalog,
    plan: MixPlan,
    rows: Int64[np.ndarray, "frames"],
    frames: Int64[np.ndarray, "frames"],
    cells: Int64[np.ndarray, "frames"],
) -> pl.DataFrame:
    dataset, split = np.divmod(cells, len(plan.splits))
    sequences = catalog.sequences

    # Names as codes: a row then takes bytes where strings would take hundreds.
    def named(names: pl.Series | tuple[str, ...], codes: np.ndarray) -> pl.Series:
        return pl.Series(names, dtype=pl.String).cast(pl.Categorical).gather(codes)

    return pl.DataFrame(
        {
            "dataset": named(plan.datasets, dataset),
            "sequence": named(sequences["sequence"], rows),
            "path": named(sequences["path"], rows),
            "frame": frames,
            "tier": named(plan.tiers, dataset),
            "split": named(plan.splits, split),
            "subject": named(sequences["subject"], rows),
        }
    )
