"""Which frames of one split stand in another bit by bit, whatever their number: found by a hash of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float32, Int64, UInt64

Poses = Callable[[Int64[np.ndarray, "picked"]], Float32[np.ndarray, "picked columns"]]
"""Gives the poses of some frames, by number in ascending order."""

_HASHED = 16_384  # frames in memory at a time


def copied_shares(poses: Poses, places: Mapping[str, Int64[np.ndarray, "_"]]) -> dict[str, float]:
    """Share of all test and val frames that stand in train as well.

    Args:
        poses: Of all frames.
        places: Numbers of the frames of ``train`` and of other splits, ascending.

    Returns:
        By split, of those other than train that have frames.
    """
    hashes = {name: _hashes(poses, rows) for name, rows in places.items()}
    known = np.unique(hashes.pop("train"))
    return {name: float(np.isin(values, known).mean()) for name, values in hashes.items() if len(values)}


def _hashes(poses: Poses, rows: Int64[np.ndarray, "frames"]) -> UInt64[np.ndarray, "frames"]:
    """A number for each frame: the bits of two columns each, times a random factor of their own, summed up."""
    parts = [np.empty(0, np.uint64)]
    for first in range(0, len(rows), _HASHED):
        block = poses(rows[first : first + _HASHED]) + np.float32(0)  # which makes -0 the same as 0
        words = np.pad(block, ((0, 0), (0, block.shape[1] % 2))).view(np.uint64)
        factors = np.random.default_rng(0).integers(1 << 63, size=words.shape[1], dtype=np.uint64) | np.uint64(1)
        mixed = words ^ (words >> np.uint64(29))
        parts.append(np.einsum("nc,c->n", mixed, factors))
    return np.concatenate(parts)
