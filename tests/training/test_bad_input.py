"""What people get wrong about a run's files: one clear line each, and nothing is overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from data_tools.store import PoseStore
from training import load_prior, train
from training.advice import TrainingError
from training.evaluation import held_out_frames
from training.run_folder import RunFolder

TINY = {
    "max_epochs": 1,
    "batch_size": 400,
    "val_frames": 256,
    "threads": 1,
    "model": {"z_dim": 4, "hidden": 16, "n_layers": 1, "kl_warmup_epochs": 1, "importance_samples": 4},
}


@pytest.fixture(scope="module")
def trained(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return train("hand_vae", demo_store, out=tmp_path_factory.mktemp("runs"), overrides=TINY)


@pytest.fixture
def run(trained: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of a trained run, to be spoilt."""
    shutil.copytree(trained.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


@pytest.fixture
def other_store(demo_store: Path, tmp_path: Path) -> Path:
    """A copy of the store, to be spoilt."""
    shutil.copytree(demo_store, tmp_path / "store")
    return tmp_path / "store"


def test_a_checkpoint_of_another_prior(run: RunFolder) -> None:
    config = run.config_file.read_text()
    run.config_file.write_text(config[: config.index("model:")].replace("hand_vae", "gaussian"))
    with pytest.raises(ValueError, match=r"last\.ckpt is a checkpoint of a hand_vae prior, run run trains a gaussian"):
        train(None, resume=run, overrides={"max_epochs": 2})


def test_other_settings_of_the_model(run: RunFolder) -> None:
    with pytest.raises(ValueError, match=r"model\.z_dim cannot change when run run goes on"):
        train(None, resume=run, overrides={"max_epochs": 2, "model.z_dim": 5})


def test_a_run_of_an_older_version(run: RunFolder) -> None:
    text = run.config_file.read_text()
    run.config_file.write_text(text.replace("version: 1", "version: 0"))
    with pytest.raises(ValueError, match=r"config\.yaml is a configuration of version 0"):
        train(None, resume=run, overrides={"max_epochs": 2})


def test_a_damaged_checkpoint(run: RunFolder) -> None:
    run.checkpoint_file("last").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"last\.ckpt is damaged or not a checkpoint"):
        train(None, resume=run, overrides={"max_epochs": 2})


def test_a_store_of_another_layout(trained: RunFolder, other_store: Path) -> None:
    store = PoseStore(other_store)
    store.pose, store.dim = "full", 165
    with pytest.raises(
        ValueError, match=r"trained on hands poses of 90 columns, the store at .* holds full poses of 165"
    ):
        held_out_frames(load_prior(trained), store, "val")


def test_other_active_columns(trained: RunFolder, other_store: Path) -> None:
    about = json.loads((other_store / "store.json").read_text())
    about["active"][3] = not about["active"][3]
    (other_store / "store.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="1 columns move in only one of the two"):
        held_out_frames(load_prior(trained), PoseStore(other_store), "val")


@pytest.mark.parametrize("prior", ["hand_vae", "gaussian"])
def test_poses_that_are_not_numbers(prior: str, other_store: Path, tmp_path: Path) -> None:
    (poses,) = other_store.glob("*.npy")
    frames = np.load(poses, mmap_mode="r+")
    frames[5, 7] = np.nan
    frames.flush()
    overrides = TINY if prior == "hand_vae" else {}
    with pytest.raises(TrainingError, match=r"not a number.*pack it again") as error:
        train(prior, other_store, out=tmp_path / "runs", overrides=overrides)
    assert "\n" not in str(error.value)


def test_a_full_disk(demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "prior.pt")

    monkeypatch.setattr("training.callbacks.save_prior", full)
    with pytest.raises(TrainingError, match=r"the disk is full \(prior\.pt\): free some space, then resume the run"):
        train("hand_vae", demo_store, out=tmp_path, overrides=TINY)
