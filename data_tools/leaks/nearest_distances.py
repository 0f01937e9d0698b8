"""How far frames lie from the nearest of others: exact, in blocks of bounded memory."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

_BLOCK = 512
_COMPARED = 2_000_000  # distances in memory at a time, 8 MB


def nearest_distances(
    of: Float32[np.ndarray, "queries columns"],
    to: Float32[np.ndarray, "known columns"],
    apart: list[tuple[np.ndarray, np.ndarray]] | None = None,
) -> list[Float[np.ndarray, "found"]]:
    """Exact distance of each frame to the nearest known one, in blocks of bounded memory.

    Args:
        of: Frames.
        to: Known frames.
        apart: For each result, groups of the frames and of the known ones: a frame looks only at other groups.

    Returns:
        Distances for each entry of ``apart``; a frame with no other group is left out.
    """
    rules = apart or [(np.empty(0), np.empty(0))]
    results: list[list[np.ndarray]] = [[] for _ in rules]
    squares = np.einsum("nc,nc->n", to, to)
    width = max(1, _COMPARED // _BLOCK)
    for first in range(0, len(of), _BLOCK):
        block = of[first : first + _BLOCK]
        best = np.full((len(rules), len(block)), np.inf, np.float32)
        nearest = np.zeros((len(rules), len(block)), np.int64)
        for low in range(0, len(to), width):
            part = slice(low, low + width)
            # Without the frame's own square, which changes no order.
            distances = squares[part] - 2 * (block @ to[part].T)
            for rule, (own, groups) in enumerate(rules):
                if len(groups):
                    masked = np.where(own[first : first + _BLOCK, None] == groups[part], np.inf, distances)
                else:
                    masked = distances
                place = masked.argmin(axis=1)
                value = masked[np.arange(len(block)), place]
                is_better = value < best[rule]
                best[rule, is_better], nearest[rule, is_better] = value[is_better], place[is_better] + low
        for rule, result in enumerate(results):
            has_any = np.isfinite(best[rule])
            # Differences are exact where the expanded square would cancel.
            result.append(np.linalg.norm(block[has_any].astype(np.float64) - to[nearest[rule, has_any]], axis=1))
    return [np.concatenate(result) if result else np.empty(0) for result in results]
