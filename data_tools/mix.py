"""The plan: how many frames come from each dataset, exact and explained. Pure, and fast enough for a slider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int64

from data_tools.catalog import Catalog
from data_tools.mixing.apportion import fill, fill_between, largest_remainder, table_with_margins
from data_tools.mixing.mix_settings import EXCLUDE, Mix
from data_tools.mixing.plan_words import explain, missing_members, shortfalls, unknown_means
from data_tools.splits import Availability, availability

__all__ = ["Mix", "MixPlan", "plan"]

_UNLIMITED = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, eq=False)
class MixPlan:
    """How many frames each dataset gives to each split.

    Attributes:
        mix: What was asked for.
        datasets: Names, in alphabetical order; all arrays follow it.
        splits: Names of the splits.
        tiers: Tier of each dataset; ``exclude`` for one that is left out.
        available: Frames on disk.
        usable: Frames whose hands can be used.
        capacity: Usable frames by split; guard gaps are in none.
        asked: What the shares ask of each dataset, by split.
        given: What it gives, by split.
        cells: What each tier is asked for, by split, in the order of ``mix.shares``.
        why: Each dataset's row in words.
        shortfalls: What is missing in which tier, in words; empty if everything asked is given.
        warnings: Datasets that the mix does not know, and those that the data do not have.
        catalog_fingerprint: What the plan was made for.
    """

    mix: Mix
    datasets: tuple[str, ...]
    splits: tuple[str, ...]
    tiers: tuple[str, ...]
    available: Int64[np.ndarray, "datasets"]
    usable: Int64[np.ndarray, "datasets"]
    capacity: Int64[np.ndarray, "datasets splits"]
    asked: Int64[np.ndarray, "datasets splits"]
    given: Int64[np.ndarray, "datasets splits"]
    cells: Int64[np.ndarray, "tiers splits"]
    why: tuple[str, ...]
    shortfalls: tuple[str, ...]
    warnings: tuple[str, ...]
    catalog_fingerprint: str

    @property
    def totals(self) -> dict[str, Any]:
        """Frames asked and given: in all, by tier and by split."""
        tiers = np.array(self.tiers)
        asked_splits = largest_remainder(self.mix.total, self.mix.split_weights)
        asked_tiers = largest_remainder(self.mix.total, self.mix.tier_weights)
        return {
            "asked": self.mix.total,
            "given": int(self.given.sum()),
            "tiers": {tier: int(self.given[tiers == tier].sum()) for tier in self.mix.shares},
            "splits": dict(zip(self.splits, self.given.sum(axis=0).tolist(), strict=True)),
            "asked_tiers": dict(zip(self.mix.shares, asked_tiers.tolist(), strict=True)),
            "asked_splits": dict(zip(self.splits, asked_splits.tolist(), strict=True)),
        }

    def table(self) -> pl.DataFrame:
        """One row per dataset: tier, available, usable, asked, given, rate (of the usable), each split, why."""
        given = self.given.sum(axis=1)
        return pl.DataFrame(
            {
                "dataset": self.datasets,
                "tier": self.tiers,
                "available": self.available,
                "usable": self.usable,
                "asked": self.asked.sum(axis=1),
                "given": given,
                "rate": given / np.maximum(self.usable, 1),
                **{split: self.given[:, k] for k, split in enumerate(self.splits)},
                "why": self.why,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return {
            "totals": self.totals,
            "rows": self.table().to_dicts(),
            "shortfalls": list(self.shortfalls),
            "warnings": list(self.warnings),
            "mix_hash": self.mix.hash,
            "catalog_fingerprint": self.catalog_fingerprint,
        }


def plan(catalog: Catalog | Availability, mix: Mix | None = None) -> MixPlan:
    """Decide how many frames each dataset gives to each split.

    The total is divided among tiers and splits by largest remainders, so that both add up exactly; inside each
    tier and split the datasets share by ``mix.weighting``, and what a dataset cannot give comes from the others
    of its tier. What a whole tier cannot give is treated as ``mix.shortfall`` says, and stated.

    Args:
        catalog: A catalog, or its :class:`~data_tools.splits.Availability` (computed once per catalog, so that
            planning again is instant).
        mix: What is asked for; the project's own mix if not given.

    Raises:
        ValueError: Nothing usable; or a shortfall where the mix says ``fail``, or ``shrink`` and nothing remains.
    """
    mix = Mix.default() if mix is None else mix
    stock = availability(catalog, mix.splits) if isinstance(catalog, Catalog) else catalog
    if tuple(mix.splits) != stock.splits:
        raise ValueError(f"the availability is for the splits {stock.splits}, the mix has {tuple(mix.splits)}")
    if not stock.usable.sum():
        raise ValueError(
            f"no usable frames in any of {len(stock.datasets)} datasets ({', '.join(stock.datasets[:5])}): every hand "
            "is dead, invalid or NaN; `handprior scan` says which"
        )
    named = [mix.tier_of(dataset) for dataset in stock.datasets]
    tiers = tuple(mix.unknown_tier if tier is None else tier for tier in named)
    limits = _capped(stock, mix)
    asked, given, cells = _allocate(stock, mix, tiers, limits, mix.total)
    missing = cells - _by_tier(given, mix, tiers)
    if missing.any() and mix.shortfall == "shrink":
        asked, given, cells = _shrunk(stock, mix, tiers, limits)
    lines = shortfalls(stock, mix, tiers, limits, given)
    if lines and mix.shortfall == "fail":
        raise ValueError("the mix cannot be filled (shortfall: fail): " + "; ".join(lines))
    unknown = [name for name, tier in zip(stock.datasets, named, strict=True) if tier is None]
    fate = "left out" if mix.unknown_tier == EXCLUDE else f"taken as {mix.unknown_tier}"
    return MixPlan(
        mix=mix,
        datasets=stock.datasets,
        splits=stock.splits,
        tiers=tiers,
        available=stock.frames,
        usable=stock.usable,
        capacity=stock.capacity,
        asked=asked,
        given=given,
        cells=cells,
        why=explain(stock, mix, tiers, limits, asked, given),
        shortfalls=lines,
        warnings=(
            *(f"{name} stands in no tier of the mix: {fate}" for name in unknown),
            *unknown_means(stock),
            *missing_members(stock, mix),
        ),
        catalog_fingerprint=stock.catalog_fingerprint,
    )


def _capped(stock: Availability, mix: Mix) -> Int64[np.ndarray, "datasets splits"]:
    """What each dataset may give to each split: what it has, or its cap divided as the splits are."""
    limits = stock.capacity.copy()
    for row, dataset in enumerate(stock.datasets):
        cap = mix.limits(dataset)[1]
        if cap is not None:
            limits[row] = np.minimum(limits[row], largest_remainder(cap, np.array(stock.shares)))
    return limits


def _allocate(
    stock: Availability,
    mix: Mix,
    tiers: tuple[str, ...],
    limits: Int64[np.ndarray, "datasets splits"],
    total: int,
) -> tuple[
    Int64[np.ndarray, "datasets splits"], Int64[np.ndarray, "datasets splits"], Int64[np.ndarray, "tiers splits"]
]:
    """Divide ``total`` among tiers, splits and datasets: what is asked, what is given, what each cell asks."""
    cells = table_with_margins(
        largest_remainder(total, mix.tier_weights), largest_remainder(total, np.array(stock.shares))
    )
    asked, given = np.zeros_like(stock.capacity), np.zeros_like(stock.capacity)
    weights = _weights(stock, mix)
    least = np.array([mix.limits(dataset)[0] for dataset in stock.datasets], dtype=np.int64)
    for cell, tier in zip(cells, mix.shares, strict=True):
        rows = np.flatnonzero([name == tier for name in tiers])
        if not len(rows) or not weights[rows].any():
            continue
        by_dataset = fill_between(int(cell.sum()), weights[rows], np.minimum(least, stock.usable)[rows])
        asked[rows] = table_with_margins(by_dataset, cell)
        for split, wanted in enumerate(cell.tolist()):
            room = limits[rows, split]
            if mix.shortfall == "repeat":
                room = np.where(room > 0, _UNLIMITED, 0)
            # In proportion to what was asked; the small second term lets in those that were asked for nothing.
            pull = asked[rows, split] + 1e-9 * weights[rows] / weights[rows].max()
            given[rows, split] = fill(wanted, pull, room)
    return asked, given, cells


def _weights(stock: Availability, mix: Mix) -> Float[np.ndarray, "datasets"]:
    frames = stock.frames.astype(np.float64)
    return {"frames": frames, "sqrt": np.sqrt(frames), "equal": (frames > 0).astype(np.float64)}[mix.weighting]


def _by_tier(
    values: Int64[np.ndarray, "datasets splits"], mix: Mix, tiers: tuple[str, ...]
) -> Int64[np.ndarray, "tiers splits"]:
    names = np.array(tiers)
    return np.stack([values[names == tier].sum(axis=0) for tier in mix.shares])


def _shrunk(
    stock: Availability, mix: Mix, tiers: tuple[str, ...], limits: Int64[np.ndarray, "datasets splits"]
) -> tuple[
    Int64[np.ndarray, "datasets splits"], Int64[np.ndarray, "datasets splits"], Int64[np.ndarray, "tiers splits"]
]:
    """Find the largest total that every tier and split can fill, all shares kept."""
    room = _by_tier(limits, mix, tiers)
    shares = np.outer(mix.tier_weights, stock.shares)
    shares /= shares.sum()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        fits = int(min(mix.total, np.floor(np.where(shares > 0, room / shares, np.inf).min())))
    # Rounding can let a frame or two more in, or a few less.
    for total in range(min(mix.total, fits + 2), 0, -1):
        asked, given, cells = _allocate(stock, mix, tiers, limits, total)
        if not (cells - _by_tier(given, mix, tiers)).any():
            return asked, given, cells
    empty = [tier for tier, row in zip(mix.shares, room, strict=True) if mix.shares[tier] > 0 and not row.all()]
    raise ValueError(
        f"nothing is left when the selection shrinks to what tier {', '.join(empty)} can give to every split; set that "
        "share to 0, or choose another shortfall policy"
    )
