"""Trained runs in one folder, as the compare panel and its parts take them: fixtures to import."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from handprior_viz.comparing.runs import ComparedRun, compared_runs
from training import load_prior
from training.prior import Prior
from training.reference_poses import ScoredFrames
from training.run_folder import RunFolder

FEW = ScoredFrames(samples=200, overlap=60, nearest=10, known=60, spread=20, reconstructed=20, decoded=20, shown=3)


@pytest.fixture(scope="session")
def folder(gaussian_run: RunFolder, vae_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Gaussian, a Hand VAE, and a run without a prior."""
    out = tmp_path_factory.mktemp("compared")
    for run, name in ((gaussian_run, "gaussian-20250131-142501-k3f"), (vae_run, "hand_vae-20250131-142502-k3f")):
        shutil.copytree(run.path, out / name)  # which of the two was trained first depends on the tests before
    RunFolder.create(out, "joint_flow")
    return out


@pytest.fixture(scope="session")
def runs(folder: Path) -> tuple[ComparedRun, ...]:
    return compared_runs(folder)


@pytest.fixture(scope="session")
def priors(runs) -> list[tuple[ComparedRun, Prior]]:
    return [(run, load_prior(run.run)) for run in runs]
