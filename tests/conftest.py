"""Shared by all tests: array shapes are checked at run time, torch keeps to the machine's cores."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

# Before any import of the project: every jaxtyping annotation in these modules becomes a run-time check.
from jaxtyping import install_import_hook

install_import_hook(
    [
        *(
            f"data_tools.{name}"
            for name in [
                "apportion",
                "boundaries",
                "dealing",
                "dead_hands",
                "drawing",
                "file_scan",
                "hand_mean",
                "hand_model",
                "packing",
                "pose_layout",
                "rotations",
                "sequence_tally",
                "splits",
                "readers.consolidated",
                "readers.npz_members",
                "readers.npz_reader",
                "readers.reader",
                "readers.amass_smplh",
                "readers.amass_smplx",
            ]
        ),
        *(f"handprior_viz.{name}" for name in ("lighting", "occlusion", "smooth_mesh", "soft_raster")),
        "training.prior",
        "training.priors",
    ],
    "beartype.beartype",
)

os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic corpus on disk. Shared by all tests: copy it before changing it."""
    from data_tools import demo_corpus

    return demo_corpus.write(tmp_path_factory.mktemp("corpus") / "data", frames=20_000, seed=0).path


@pytest.fixture(scope="session")
def demo_store(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed store of 2,000 frames drawn from the small corpus."""
    from data_tools import balance, pack, scan
    from data_tools.mix_settings import Mix

    folder = tmp_path_factory.mktemp("store")
    balance(scan(demo_data), replace(Mix.default(), total=2_000), folder / "splits")
    return pack(folder / "splits", demo_data, folder / "store").path


@pytest.fixture(scope="session")
def demo_run(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gaussian trained on the small store."""
    from training import train

    return train("gaussian", demo_store, out=tmp_path_factory.mktemp("runs")).path
