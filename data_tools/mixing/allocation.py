"""How many frames each dataset is asked for and gives, by split: shares, targets, caps and shortfalls worked out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int64

from data_tools.mixing.apportion import fill, fill_between, largest_remainder, table_with_margins
from data_tools.mixing.mix_settings import Mix
from data_tools.splits import Availability

_UNLIMITED = 2**40  # frames; the sum over a million datasets still fits


@dataclass(frozen=True, eq=False)
class Allotment:
    """A total divided among datasets and splits.

    Attributes:
        asked: What is asked of each dataset.
        given: What it gives.
        cells: What is asked of each tier.
    """

    asked: Int64[np.ndarray, "datasets splits"]
    given: Int64[np.ndarray, "datasets splits"]
    cells: Int64[np.ndarray, "tiers splits"]


@dataclass(frozen=True, eq=False)
class Allocation:
    """What a mix makes of what there is.

    Attributes:
        stock: What there is.
        mix: What is asked for.
        tiers: Tier of each dataset.
    """

    stock: Availability
    mix: Mix
    tiers: tuple[str, ...]

    def of(self, total: int) -> Allotment:
        """Divide ``total`` among tiers, splits and datasets."""
        shares = np.array(self.stock.shares)
        cells = table_with_margins(largest_remainder(total, self.mix.tier_weights), largest_remainder(total, shares))
        asked, given = np.zeros_like(self.stock.capacity), np.zeros_like(self.stock.capacity)
        for cell, rows in zip(cells, self._rows, strict=True):
            weights = self._weights[rows]
            if not weights.any():
                continue
            parts = self._parts(int(cell.sum()), rows)
            # Where every dataset of a tier has a target, less may be asked than the tier's share.
            whole = parts.sum() == cell.sum()
            asked[rows] = table_with_margins(parts, cell if whole else largest_remainder(int(parts.sum()), cell * 1.0))
            room = np.where(self._has_target[rows, None], np.minimum(self._room, asked)[rows], self._room[rows])
            for split, wanted in enumerate(cell.tolist()):
                # In proportion to what was asked; the small second term lets in those that were asked for nothing.
                pull = asked[rows, split] + 1e-9 * weights / weights.max()
                given[rows, split] = fill(wanted, pull, room[:, split])
        return Allotment(asked, given, cells)

    def shrunk(self) -> Allotment:
        """Divide the largest total that every tier and split can fill, all shares kept.

        Raises:
            ValueError: Nothing remains.
        """
        room = self.by_tier(self.limits)
        shares = np.outer(self.mix.tier_weights, self.stock.shares)
        shares /= shares.sum()
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            fits = int(min(self.mix.total, np.floor(np.where(shares > 0, room / shares, np.inf).min())))
        # Rounding can let a frame or two more in, or a few less.
        for total in range(min(self.mix.total, fits + 2), 0, -1):
            allotment = self.of(total)
            if not (allotment.cells - self.by_tier(allotment.given)).any():
                return allotment
        wanting = [
            tier for tier, row in zip(self.mix.shares, room, strict=True) if self.mix.shares[tier] and not row.all()
        ]
        raise ValueError(
            f"nothing is left when the selection shrinks to what tier {', '.join(wanting)} can give to every split; "
            "set that share to 0, or choose another shortfall policy"
        )

    def by_tier(self, values: Int64[np.ndarray, "datasets splits"]) -> Int64[np.ndarray, "tiers splits"]:
        """Sum over the datasets of each tier."""
        return np.stack([values[rows].sum(axis=0) for rows in self._rows])

    @cached_property
    def limits(self) -> Int64[np.ndarray, "datasets splits"]:
        """What each dataset may give to each split: what it has, or its cap or target divided as the splits are."""
        limits, shares = self.stock.capacity.copy(), np.array(self.stock.shares)
        for row, dataset in enumerate(self.stock.datasets):
            most = int(self._targets[row]) if self._has_target[row] else self.mix.limits(dataset)[1]
            if most is not None:
                limits[row] = np.minimum(limits[row], largest_remainder(most, shares))
        return limits

    @cached_property
    def _room(self) -> Int64[np.ndarray, "datasets splits"]:
        """What each dataset can give, targets apart: without end if it may repeat what it has."""
        limits = np.where(self._has_target[:, None], self.stock.capacity, self.limits)
        return np.where(limits > 0, _UNLIMITED, 0) if self.mix.shortfall == "repeat" else limits

    @cached_property
    def _rows(self) -> list[Int64[np.ndarray, "rows"]]:
        names = np.array(self.tiers)
        return [np.flatnonzero(names == tier) for tier in self.mix.shares]

    @cached_property
    def _least(self) -> Int64[np.ndarray, "datasets"]:
        wanted = np.array([self.mix.limits(dataset)[0] for dataset in self.stock.datasets], np.int64)
        return np.minimum(wanted, self.stock.usable)

    @cached_property
    def _has_target(self) -> Bool[np.ndarray, "datasets"]:
        return np.array([self.mix.target(dataset) is not None for dataset in self.stock.datasets])

    @cached_property
    def _targets(self) -> Int64[np.ndarray, "datasets"]:
        return np.array([self.mix.target(dataset) or 0 for dataset in self.stock.datasets], np.int64)

    @cached_property
    def _weights(self) -> Float[np.ndarray, "datasets"]:
        frames = self.stock.frames.astype(np.float64)
        weighting = self.mix.weighting
        if weighting == "equal":
            return (frames > 0).astype(np.float64)
        temperature = {"frames": 1.0, "sqrt": 2.0}[weighting] if isinstance(weighting, str) else float(weighting)
        # Not to the power of one half: that can differ from the square root in the last digit.
        return np.sqrt(frames) if temperature == 2 else frames ** (1 / temperature)

    def _parts(self, total: int, rows: Int64[np.ndarray, "rows"]) -> Int64[np.ndarray, "rows"]:
        """Divide a tier's frames among its datasets: targets first, lowered together if too many, then the rest."""
        held, targets = self._has_target[rows], self._targets[rows]
        parts = np.zeros(len(rows), np.int64)
        parts[held] = fill(total, targets[held].astype(np.float64), targets[held])
        others = rows[~held]
        if self._weights[others].any():
            parts[~held] = fill_between(total - int(parts.sum()), self._weights[others], self._least[others])
        return parts
