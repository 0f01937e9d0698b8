"""K-means as matrix products: some ten times as fast as scipy's ``kmeans2`` on the audit's samples, and no warnings."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64
from scipy.sparse import csr_matrix

_ROWS = 4_096  # points whose distances to all centres are in memory at a time


def k_means(
    points: Float32[np.ndarray, "points axes"], begin: Float32[np.ndarray, "centres axes"], rounds: int
) -> tuple[Float32[np.ndarray, "centres axes"], Int64[np.ndarray, "points"]]:
    """Lloyd's algorithm (1982). A centre that loses all of its points stays where it is.

    Args:
        points: What to group.
        begin: Where the centres begin; as many are found.
        rounds: How often they move.

    Returns:
        The centres, and the number of each point's nearest.
    """
    centres, label = begin.astype(np.float32), _nearest(points, begin)
    for _ in range(rounds):
        sizes = np.bincount(label, minlength=len(centres))
        belongs = csr_matrix(
            (np.ones(len(points), np.float32), (label, np.arange(len(points)))), (len(centres), len(points))
        )
        sums = belongs @ points
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres).astype(np.float32)
        label = _nearest(points, centres)
    return centres, label


def _nearest(
    points: Float32[np.ndarray, "points axes"], centres: Float32[np.ndarray, "centres axes"]
) -> Int64[np.ndarray, "points"]:
    # Without the square of the point itself, which changes no order.
    sizes, across = np.square(centres).sum(axis=1), -2 * centres.T
    parts = [points[low : low + _ROWS] @ across + sizes for low in range(0, len(points), _ROWS)]
    return np.concatenate([np.zeros(0, np.int64), *(part.argmin(axis=1) for part in parts)])
