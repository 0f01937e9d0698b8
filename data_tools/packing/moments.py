"""Mean and spread of rows that come a block at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

_CACHED_ROWS = 256
"""Rows that are summed together: in double precision they stay in the processor's cache."""


@dataclass
class Moments:
    """Count, mean and summed squared deviation of rows, merged exactly as they come in (Chan et al. 1979)."""

    count: int
    mean: Float[np.ndarray, "dim"]
    squares: Float[np.ndarray, "dim"]

    @classmethod
    def none(cls, dim: int) -> Moments:
        """No rows yet."""
        return cls(0, np.zeros(dim), np.zeros(dim))

    @classmethod
    def of(cls, rows: Float32[np.ndarray, "rows dim"]) -> Moments:
        """Of at least one row, in one pass: deviations are taken from the first row, which is as near as any."""
        near = rows[0].astype(np.float64)
        total, squares = np.zeros_like(near), np.zeros_like(near)
        for low in range(0, len(rows), _CACHED_ROWS):
            apart = rows[low : low + _CACHED_ROWS].astype(np.float64)
            apart -= near
            total += apart.sum(axis=0)
            squares += np.einsum("nd,nd->d", apart, apart)
        mean = total / len(rows)
        return cls(len(rows), near + mean, np.maximum(squares - len(rows) * np.square(mean), 0))

    def add(self, other: Moments) -> None:
        """Take in further rows."""
        total = self.count + other.count
        if not total:
            return
        apart = other.mean - self.mean
        self.mean = self.mean + apart * (other.count / total)
        self.squares = self.squares + other.squares + np.square(apart) * (self.count * other.count / total)
        self.count = total
