"""One training shared by several processes, on the CPU: one run folder, written once, by whoever is first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from training import load_prior, train
from training.advice import TrainingError
from training.config import resolve
from training.processes import Place, place
from training.run_folder import RunFolder

TINY: dict[str, Any] = {
    "devices": "cpu",
    "processes": 2,
    "max_epochs": 3,
    "batch_size": 200,
    "val_frames": 256,
    "val_every_epochs": 1,
    "log_seconds": 1e-6,
    "threads": 1,
    "patience": None,
    "model": {"z_dim": 4, "hidden": 16, "n_layers": 1, "kl_warmup_epochs": 1, "importance_samples": 4},
}
"""A Hand VAE of 3 epochs of 4 steps; two processes take 200 frames each."""


@pytest.fixture(scope="module")
def shared(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A training that two processes of torchrun shared. Without a run folder: the first makes it, tells the other."""
    out = tmp_path_factory.mktemp("shared")
    settings = {key: value for key, value in TINY.items() if key not in ("model", "processes", "patience")}
    settings |= {f"model.{key}": value for key, value in TINY["model"].items()} | {"patience": "null"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "training.run", "--prior", "hand_vae", "--store", str(demo_store), "--out", str(out)]
    done = subprocess.run(
        [*command, "--set", *(f"{key}={value}" for key, value in settings.items())],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = out.iterdir()
    return RunFolder(path)


def test_two_processes_leave_one_whole_run_folder(shared: RunFolder) -> None:
    status, card = shared.status(), shared.card()
    assert card is not None
    assert (status["state"], status["step"], status["epoch"]) == ("finished", 12, 3), shared.log_file.read_text()
    assert [path.name for path in shared.path.parent.iterdir()] == [shared.name]
    assert [line["step"] for line in shared.metrics() if "train/loss" in line] == list(range(1, 13))
    assert [line["epoch"] for line in shared.metrics() if "val/nll" in line] == [1, 2, 3]
    assert card["hardware"]["trained_on"] == "2 processes on the CPU"
    assert shared.checkpoint_file("last").exists()
    assert card["metrics"]["val/nll"] < 1000


def test_statistics_are_those_of_the_whole_store(shared: RunFolder, demo_store: Path) -> None:
    alone = train("hand_vae", demo_store, out=shared.path.parents[1] / "alone", overrides=TINY | {"processes": 1})
    one, two = load_prior(alone), load_prior(shared)
    assert torch.equal(one.mean, two.mean)
    assert torch.equal(one.std, two.std)


def test_each_process_has_batches_and_noise_of_its_own(shared: RunFolder) -> None:
    content = torch.load(shared.checkpoint_file("last"), weights_only=True)
    first, second = content["noise"]["cpu"]
    assert not torch.equal(first, second)
    assert content["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["processed"] == 12


def test_a_shared_training_goes_on_in_one_process_where_it_was(shared: RunFolder, tmp_path: Path) -> None:
    """Alone it takes twice as many batches for an epoch: epochs are not counted by them."""
    run = RunFolder(shutil.copytree(shared.path, tmp_path / shared.name))
    train(None, resume=run, overrides={"processes": 1, "max_epochs": 4})
    status, lines = run.status(), run.metrics()
    assert (status["state"], status["step"], status["epoch"]) == ("finished", 20, 4)
    assert [line["epoch"] for line in lines if "train/loss" in line][12:] == [3 + k / 8 for k in range(1, 9)]
    assert [line["epoch"] for line in lines if "val/nll" in line] == [1, 2, 3, 4]


def test_a_shared_training_goes_on_in_both_and_can_be_stopped(shared: RunFolder) -> None:
    """Started by :func:`train` itself, and taking up where the processes of torchrun left off."""

    def stop(status: dict[str, Any]) -> None:
        if int(status.get("step", 0)) > 12:
            shared.request_stop()

    train(None, resume=shared, overrides={"max_epochs": 100_000}, progress=stop)
    status = shared.status()
    assert status["state"] == "stopped"
    assert status["step"] > 12
    assert [line["step"] for line in shared.metrics() if "train/loss" in line] == list(range(1, status["step"] + 1))
    assert load_prior(shared, "last").name == "hand_vae"


def test_a_failure_of_all_processes_is_one_line(demo_store: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"diverged.*lower learning_rate") as error:
        train("hand_vae", demo_store, out=tmp_path, overrides=TINY | {"learning_rate": 1e30})
    assert "\n" not in str(error.value)
    assert RunFolder(next(tmp_path.iterdir())).status()["state"] == "failed"


def test_where_torchrun_and_slurm_put_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert place() == Place()
    slurm = {"SLURM_PROCID": "5", "SLURM_NTASKS": "8", "SLURM_NNODES": "2"}
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    assert place() == Place(rank=5, world=8, here=4, nodes=2, launched=True)
    elastic = {"TORCHELASTIC_RUN_ID": "x", "RANK": "1", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "2"}
    for name, value in elastic.items():
        monkeypatch.setenv(name, value)
    assert place() == Place(rank=1, world=6, here=2, nodes=3, launched=True)
    adapted = place().adapt(resolve("hand_vae", overrides={"devices": "cpu"}))
    assert (adapted.processes, adapted.num_nodes) == (2, 3)


def test_several_machines_need_somebody_to_start_them(demo_store: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"num_nodes=2 needs torchrun or srun.*training_on_clusters\.md"):
        train("hand_vae", demo_store, out=tmp_path, overrides={"num_nodes": 2})
    assert not list(tmp_path.iterdir())
