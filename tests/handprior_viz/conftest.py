"""The small corpus, store and trained priors as the panels take them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ipywidgets
import pytest

from data_tools import PoseStore, audit, scan
from data_tools.catalog import Catalog
from data_tools.dataset_audit import Audit
from training import train
from training.run_folder import RunFolder


@pytest.fixture(scope="session")
def catalog(demo_data: Path) -> Catalog:
    return scan(demo_data, cache=False)


@pytest.fixture(scope="session")
def audited(catalog: Catalog) -> Audit:
    return audit(catalog, cache=False)


@pytest.fixture(scope="session")
def store(demo_store: Path) -> PoseStore:
    return PoseStore(demo_store)


@pytest.fixture(scope="session")
def gaussian_run(demo_run: Path) -> RunFolder:
    return RunFolder.open(demo_run)


@pytest.fixture(scope="session")
def vae_run(store: PoseStore, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    tiny = {"max_epochs": 2, "batch_size": 256, "model.hidden": 32, "model.z_dim": 12, "model.importance_samples": 4}
    return train("hand_vae", store, out=tmp_path_factory.mktemp("runs"), overrides=tiny)


@pytest.fixture
def no_widgets_left() -> Iterator[None]:
    """Fails if widgets made in the test are still alive after it."""
    from ipywidgets.widgets.widget import _instances

    assert ipywidgets
    before = set(_instances)
    yield
    left = [type(_instances[key]).__name__ for key in set(_instances) - before]
    assert not left, f"widgets left behind: {left}"
