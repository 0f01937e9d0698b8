"""Which frames are taken: spread over time, one from each of as many equal stretches as frames are wanted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt32

from data_tools.catalog import Catalog
from data_tools.mix import MixPlan
from data_tools.splits import availability


@dataclass(frozen=True, eq=False)
class Drawn:
    """The frames that were drawn, by number: ordered by split (as in the mix), dataset, sequence (file order), frame.

    Attributes:
        rows: Row of the catalog that each frame belongs to.
        frames: Number of each frame in its file.
        catalog: What was drawn from.
        plan: How many frames were asked from where.
    """

    rows: UInt32[np.ndarray, "frames"]
    frames: UInt32[np.ndarray, "frames"]
    catalog: Catalog
    plan: MixPlan

    def __len__(self) -> int:
        return len(self.frames)

    def table(self) -> pl.DataFrame:
        """One row per frame: dataset, sequence, path, frame (number in the file), tier, split, subject."""
        plan, counts = self.plan, self.plan.given.T.ravel()
        split, dataset = (codes.astype(np.uint32) for codes in np.divmod(np.arange(len(counts)), len(plan.datasets)))
        sequences, sequence = self.catalog.sequences, pl.Series(self.rows)

        # Names as codes, of four bytes in a row: strings would take hundreds.
        def named(names: pl.Series | tuple[str, ...], codes: pl.Series) -> pl.Series:
            return pl.Series(names, dtype=pl.String).cast(pl.Categorical).gather(codes)

        def by_cell(names: tuple[str, ...], codes: UInt32[np.ndarray, "cells"]) -> pl.Series:
            return named(names, pl.Series(np.repeat(codes, counts)))

        return pl.DataFrame(
            {
                "dataset": by_cell(plan.datasets, dataset),
                "sequence": named(sequences["sequence"], sequence),
                "path": named(sequences["path"], sequence),
                "frame": pl.Series(self.frames).cast(pl.Int64),
                "tier": by_cell(plan.tiers, dataset),
                "split": by_cell(plan.splits, split),
                "subject": named(sequences["subject"], sequence),
            }
        )


def draw(catalog: Catalog, plan: MixPlan, seed: int | None = None) -> Drawn:
    """Choose the frames that a plan asks for.

    Every dataset and split is drawn by itself, from the seed and its names, so that a change elsewhere does not
    touch it.

    Args:
        catalog: What the plan was made for.
        plan: How many frames from where.
        seed: Of the draw; the mix's own if not given.

    Raises:
        ValueError: The plan was made for another catalog, or takes nothing.
    """
    if plan.catalog_fingerprint != catalog.fingerprint:
        raise ValueError("the plan was made for another catalog; plan again")
    if not plan.given.any():
        raise ValueError("the mix takes no frames: " + ("; ".join(plan.shortfalls) or "nothing is asked for"))
    seed = plan.mix.seed if seed is None else seed
    stock = availability(catalog, plan.mix.splits, plan.mix.exclude_flags)
    cell = stock.spans[:, 0] * len(stock.splits) + stock.spans[:, 1]
    edges = np.searchsorted(cell, np.arange(len(stock.datasets) * len(stock.splits) + 1))
    # In the order of the table: split by split, and in each dataset by dataset.
    counts = plan.given.T.ravel()
    stops = np.cumsum(counts)
    rows, frames = np.empty(stops[-1], np.uint32), np.empty(stops[-1], np.uint32)
    for place in np.flatnonzero(counts).tolist():
        split, dataset = divmod(place, len(stock.datasets))
        index = dataset * len(stock.splits) + split
        spans = stock.spans[edges[index] : edges[index + 1], 2:]
        part = slice(int(stops[place] - counts[place]), int(stops[place]))
        generator = _generator(seed, stock.datasets[dataset], stock.splits[split])
        _draw_spans(spans, generator, rows[part], frames[part])
    return Drawn(rows, frames, catalog, plan)


def spread(available: int, wanted: int, generator: np.random.Generator) -> Int64[np.ndarray, "wanted"]:
    """Choose ``wanted`` of ``available`` positions in ascending order, one at random from each equal stretch.

    If more are wanted than there are, every position comes as often as it fits, and the rest is spread.
    """
    whole, rest = divmod(wanted, available)
    edges = np.arange(rest + 1, dtype=np.int64)
    edges *= available
    edges //= max(rest, 1)
    widths, places = np.diff(edges), generator.random(rest)
    places *= widths
    chosen = places.astype(np.int64)
    widths -= 1
    np.minimum(chosen, widths, out=chosen)
    chosen += edges[:-1]
    if not whole:
        return chosen
    return np.sort(np.concatenate([np.repeat(np.arange(available, dtype=np.int64), whole), chosen]))


def _generator(seed: int, dataset: str, split: str) -> np.random.Generator:
    text = f"{seed}\0{dataset}\0{split}".encode()
    return np.random.Generator(
        np.random.PCG64(int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little"))
    )


def _draw_spans(
    spans: Int64[np.ndarray, "spans 3"],
    generator: np.random.Generator,
    rows: UInt32[np.ndarray, "count"],
    frames: UInt32[np.ndarray, "count"],
) -> None:
    """Fill ``rows`` and ``frames`` from spans: row of the catalog, first frame, frame after the last."""
    ends = np.cumsum(spans[:, 2] - spans[:, 1])
    chosen = spread(int(ends[-1]), len(frames), generator)
    per_span = np.diff(np.searchsorted(chosen, ends), prepend=0)
    chosen += np.repeat(spans[:, 2] - ends, per_span)
    frames[:] = chosen
    rows[:] = np.repeat(spans[:, 0].astype(np.uint32), per_span)
