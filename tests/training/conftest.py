"""Small statistics to build priors on without a store."""

from __future__ import annotations

import numpy as np
import pytest

from training.prior import PoseStatistics


def _statistics_of(active: list[int]) -> PoseStatistics:
    rng = np.random.default_rng(0)
    moves = np.zeros(90, bool)
    moves[active] = True
    mean = rng.normal(0, 0.2, 90).astype(np.float32)
    return PoseStatistics(
        pose="hands",
        mean=mean,
        std=np.where(moves, rng.uniform(0.05, 0.4, 90), 2e-5).astype(np.float32),
        active=moves,
        constants=np.where(moves, 0, mean).astype(np.float32),
    )


@pytest.fixture
def statistics() -> PoseStatistics:
    """Hands whose last joint's three columns never move."""
    return _statistics_of(list(range(87)))


@pytest.fixture(scope="session")
def two_columns() -> PoseStatistics:
    """Hands of which only columns 4 and 40 move, so that integrals over poses can be taken on a grid."""
    return _statistics_of([4, 40])
