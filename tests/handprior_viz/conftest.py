"""A small corpus, store and trained priors, made once for all tests of the panels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ipywidgets
import pytest

from data_tools import PoseStore, balance, demo_corpus, pack, scan
from data_tools.catalog import Catalog
from data_tools.mix import Mix
from training import train
from training.run_folder import RunFolder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_corpus.write(tmp_path_factory.mktemp("corpus") / "data", frames=20_000).path


@pytest.fixture(scope="session")
def catalog(corpus: Path) -> Catalog:
    return scan(corpus, cache=False)


@pytest.fixture(scope="session")
def store(corpus: Path, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> PoseStore:
    out = tmp_path_factory.mktemp("store")
    return pack(balance(catalog, replace(Mix.default(), total=2_000), out / "splits"), corpus, out / "store")


@pytest.fixture(scope="session")
def gaussian_run(store: PoseStore, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return train("gaussian", store, out=tmp_path_factory.mktemp("runs"))


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
