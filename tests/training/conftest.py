"""Small statistics to build priors on without a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
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


@pytest.fixture(scope="session")
def store(demo_store: Path) -> PoseStore:
    return PoseStore(demo_store)


@pytest.fixture(scope="session")
def model() -> HandModel:
    return HandModel()


@pytest.fixture(scope="session")
def plain(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same frames as train.npz, val.npz and test.npz."""
    folder = tmp_path_factory.mktemp("plain")
    PoseStore(demo_store).write_npz(folder)
    return folder
