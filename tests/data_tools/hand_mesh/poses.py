"""Hand poses to try a model with."""

from __future__ import annotations

import numpy as np

from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand


def random_poses(*batch: int, seed: int = 0) -> np.ndarray:
    """Hands far from rest: about 45 degrees at every joint."""
    return (0.45 * np.random.default_rng(seed).normal(size=(*batch, 90))).astype(np.float32)


def pair(name: str) -> np.ndarray:
    """Both hands in one of the named poses."""
    left = named_poses()[name]
    return np.concatenate([left, mirror_hand(left)])
