"""The plan: how many frames come from each dataset, exact and explained. Pure, and fast enough for a slider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64

from data_tools.catalog import Catalog
from data_tools.mixing.allocation import Allocation
from data_tools.mixing.apportion import largest_remainder
from data_tools.mixing.mix_settings import EXCLUDE, Mix
from data_tools.mixing.plan_words import (
    explain,
    in_no_tier,
    missing_members,
    missing_targets,
    mixed_means,
    nothing_usable,
    shortfalls,
    unknown_means,
)
from data_tools.splits import Availability, availability

__all__ = ["Mix", "MixPlan", "plan"]


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
        asked: What the shares, or its target, ask of each dataset, by split.
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
    stock = availability(catalog, mix.splits, mix.exclude_flags) if isinstance(catalog, Catalog) else catalog
    if tuple(mix.splits) != stock.splits:
        raise ValueError(f"the availability is for the splits {stock.splits}, the mix has {tuple(mix.splits)}")
    if stock.exclude_flags != tuple(mix.exclude_flags):
        raise ValueError(f"the availability leaves out {stock.exclude_flags}, the mix {tuple(mix.exclude_flags)}")
    if not stock.usable.sum():
        raise ValueError(nothing_usable(stock))
    named = [mix.tier_of(dataset) for dataset in stock.datasets]
    tiers = tuple(mix.unknown_tier if tier is None else tier for tier in named)
    allocation = Allocation(stock, mix, tiers)
    allotment = allocation.of(mix.total)
    if mix.shortfall == "shrink" and (allotment.cells - allocation.by_tier(allotment.given)).any():
        allotment = allocation.shrunk()
    limits, asked, given = allocation.limits, allotment.asked, allotment.given
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
        cells=allotment.cells,
        why=explain(stock, mix, tiers, limits, asked, given),
        shortfalls=lines,
        warnings=(
            *in_no_tier(unknown, fate),
            *mixed_means(stock, given),
            *unknown_means(stock),
            *missing_members(stock, mix),
            *missing_targets(stock, mix, tiers),
        ),
        catalog_fingerprint=stock.catalog_fingerprint,
    )
