"""Mean and spread of rows that come a block at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32


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
        apart = rows.astype(np.float64)
        mean = apart.mean(axis=0)
        apart -= mean
        return cls(len(rows), mean, np.einsum("nd,nd->d", apart, apart))

    def add(self, other: Moments) -> None:
        """Take in further rows."""
        total = self.count + other.count
        if not total:
            return
        apart = other.mean - self.mean
        self.mean = self.mean + apart * (other.count / total)
        self.squares = self.squares + other.squares + np.square(apart) * (self.count * other.count / total)
        self.count = total
