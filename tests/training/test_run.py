"""Training end to end on the small store: what a run leaves behind, how it stops, resumes and fails."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from data_tools.store import PoseStore
from training import load_prior, train
from training.advice import TrainingError
from training.config import read
from training.evaluation import held_out_frames, score
from training.run import main
from training.run_folder import METRICS, RunFolder

TINY = {
    "max_epochs": 3,
    "batch_size": 400,
    "val_frames": 4096,
    "log_seconds": 1e-6,
    "threads": 1,
    "schedule": "constant",
    "warmup_epochs": 0,
    "val_every_epochs": 1,
    "patience": None,
    "ema": None,
    "model": {"z_dim": 4, "hidden": 16, "n_layers": 1, "kl_warmup_epochs": 1, "importance_samples": 4},
}
"""A Hand VAE of 3 epochs of 4 batches."""


@pytest.fixture
def tiny(demo_store: Path, tmp_path: Path) -> Callable[..., RunFolder]:
    """Trains a tiny Hand VAE on the small store."""

    def run(overrides: dict[str, Any] | None = None, **options: Any) -> RunFolder:
        return train("hand_vae", demo_store, out=tmp_path, overrides=TINY | (overrides or {}), **options)

    return run


def stop_once(run: list[RunFolder], folder: Path) -> Callable[[dict[str, Any]], None]:
    """A watcher that asks the only run in a folder to stop after its sixth step."""

    def watch(status: dict[str, Any]) -> None:
        if status.get("step") == 6 and not run:
            run.append(RunFolder(next(path for path in folder.iterdir() if path.is_dir())))
            run[0].request_stop()

    return watch


def test_closed_form_leaves_a_whole_run_folder(demo_run: Path, demo_store: Path) -> None:
    run = RunFolder.open(demo_run)
    status = run.status()
    assert (status["state"], status["prior"]) == ("finished", "gaussian")
    assert status["store_hash"] == PoseStore(demo_store).hash
    (line,) = run.metrics()
    card = run.card()
    assert card is not None
    assert card["metrics"]["val/nll"] == pytest.approx(line["val/nll"])
    assert card["store"]["synthetic"] is True
    assert card["versions"]["torch"] == torch.__version__
    assert card["parameters"] == 90 + 90 * 91 // 2
    assert "held-out" in run.log_file.read_text()
    assert read(run.config_file).store == str(demo_store)


MIXTURE = {"model.components": 3, "model.max_rounds": 4, "log_seconds": 1e-6}


def test_a_mixture_has_a_heartbeat_and_metrics_of_each_round(demo_store: Path, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    run = train("gaussian", demo_store, out=tmp_path, overrides=MIXTURE, progress=seen.append)
    status, lines = run.status(), run.metrics()
    assert (status["state"], status["max_epochs"]) == ("finished", 4)
    *rounds, last = lines
    assert [line["epoch"] for line in rounds] == list(range(len(rounds)))
    assert all({"train/loss", "val/nll"} <= set(line) for line in rounds)
    assert last["val/nll"] == pytest.approx(min(line["val/nll"] for line in rounds), abs=1e-3)
    assert last["samples_per_second"] > 0
    assert len(seen) > len(rounds)  # in the middle of rounds too
    assert all(one["state"] == "running" and one["max_epochs"] == 4 for one in seen)
    assert any(one["eta_seconds"] for one in seen)


def test_a_mixture_obeys_a_stop_and_keeps_its_best_round(demo_store: Path, tmp_path: Path) -> None:
    def watch(status: dict[str, Any]) -> None:
        if status["epoch"] == 1:
            RunFolder(next(tmp_path.iterdir())).request_stop()

    run = train("gaussian", demo_store, out=tmp_path, overrides=MIXTURE, progress=watch)
    assert run.status()["state"] == "stopped"
    assert max(line["epoch"] for line in run.metrics()) < 4
    card = run.card()
    assert card is not None
    assert card["metrics"]["val/nll"] == pytest.approx(min(line["val/nll"] for line in run.metrics()), abs=1e-3)
    assert load_prior(run).size == 3 * (1 + 90 + 90 * 91 // 2) - 1


def test_a_mixture_follows_the_seed_of_its_run(demo_store: Path, tmp_path: Path) -> None:
    poses = torch.from_numpy(PoseStore(demo_store).split("val")[:5].copy())
    first, second, other = (
        load_prior(train("gaussian", demo_store, out=tmp_path, overrides=MIXTURE | {"seed": seed})).log_prob(poses)
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_gradient_run_streams_metrics_and_keeps_its_best(tiny: Callable[..., RunFolder], demo_store: Path) -> None:
    seen: list[dict[str, Any]] = []
    run = tiny(progress=seen.append)
    status, lines, card = run.status(), run.metrics(), run.card()
    assert status["state"] == "finished"
    assert (status["epoch"], status["step"], status["max_epochs"]) == (3, 12, 3)
    assert [line["step"] for line in lines if "train/loss" in line] == list(range(1, 13))
    val = [line for line in lines if "val/nll" in line]
    assert [line["epoch"] for line in val] == [1, 2, 3]
    assert set().union(*lines) - {"time", "epoch", "step", "train/elbo"} <= set(METRICS)
    assert {"val/bpd", "val/kl", "val/reconstruction", "val/reconstruction_degrees", "val/active_units"} <= set(val[0])
    assert any(s["eta_seconds"] for s in seen)
    assert seen[-1]["samples_per_second"] > 0
    assert card is not None
    best = load_prior(run)
    again = score(best, held_out_frames(best, PoseStore(demo_store), "val"))
    assert again["val/nll"] == pytest.approx(min(line["val/nll"] for line in val), rel=1e-5)
    assert card["metrics"]["val/nll"] == pytest.approx(again["val/nll"], rel=1e-5)
    assert run.checkpoint_file("best").exists()
    assert load_prior(run, "last").name == "hand_vae"


def test_training_lowers_the_loss(tiny: Callable[..., RunFolder]) -> None:
    losses = [line["val/nll"] for line in tiny({"learning_rate": 0.01}).metrics() if "val/nll" in line]
    assert losses[-1] < losses[0] - 5


def test_learning_rate_warms_up_and_follows_the_cosine(tiny: Callable[..., RunFolder]) -> None:
    run = tiny({"learning_rate": 0.01, "schedule": "cosine", "warmup_epochs": 1})
    rates = {line["step"]: line["learning_rate"] for line in run.metrics()}
    assert 0 < rates[1] < rates[2] < rates[3] < rates[4] == pytest.approx(0.01)
    assert rates[8] == pytest.approx(0.005)  # halfway between the end of the warm-up and the end
    assert rates[12] == pytest.approx(0, abs=1e-9)


def test_same_seed_gives_the_same_prior(tiny: Callable[..., RunFolder], demo_store: Path) -> None:
    poses = torch.from_numpy(PoseStore(demo_store).split("val")[:5].copy())
    first, second, other = (load_prior(tiny({"seed": seed})).log_prob(poses) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_stop_keeps_a_checkpoint_and_resume_goes_on(
    tiny: Callable[..., RunFolder], demo_store: Path, tmp_path: Path
) -> None:
    asked: list[RunFolder] = []
    run = tiny(progress=stop_once(asked, tmp_path))
    assert asked
    status = run.status()
    assert status["state"] == "stopped"
    assert 6 <= status["step"] < 12
    assert load_prior(run).name == "hand_vae"
    assert run.card()["state"] == "stopped"  # type: ignore[index]
    before = run.metrics()

    resumed = train(None, resume=run)
    assert resumed.path == run.path
    assert not run.stop_requested()
    assert run.status()["state"] == "finished"
    lines = run.metrics()
    assert lines[: len(before)] == before
    steps = [line["step"] for line in lines if "train/loss" in line]
    assert steps == list(range(1, 13))
    assert lines[-1]["epoch"] == 3

    with pytest.raises(ValueError, match="has had all its 3 epochs: set a larger max_epochs"):
        train(None, resume=run)
    assert run.status()["state"] == "finished"
    train(None, resume=run, overrides={"max_epochs": 4})
    assert run.metrics()[-1]["epoch"] == 4


def test_stop_asked_for_before_it_began(tiny: Callable[..., RunFolder], tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "hand_vae")
    run.request_stop()
    tiny(run_dir=run.path)
    assert (run.status()["state"], run.status()["step"]) == ("stopped", 1)
    assert load_prior(run).name == "hand_vae"


def test_signals_are_given_back(tiny: Callable[..., RunFolder]) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    tiny({"max_epochs": 1})
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_half_precision_with_clipped_gradients(tiny: Callable[..., RunFolder]) -> None:
    run = tiny({"max_epochs": 1, "precision": "bf16", "gradient_clip": 1.0})
    assert run.metrics()[-1]["val/nll"] < 1000


def test_tensorboard_events_are_written_on_request(tiny: Callable[..., RunFolder]) -> None:
    run = tiny({"max_epochs": 1, "logger": "tensorboard"})
    assert list(run.path.rglob("events.out.tfevents.*"))


def test_divergence_ends_with_advice(
    tiny: Callable[..., RunFolder], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TrainingError, match=r"diverged.*lower learning_rate \(now 1e\+30\)"):
        tiny({"learning_rate": 1e30})
    (path,) = tmp_path.iterdir()
    status = RunFolder(path).status()
    assert status["state"] == "failed"
    assert "lower learning_rate" in status["message"]
    assert "\n" not in status["message"]
    assert "Traceback" in (path / "log.txt").read_text()
    shown = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert shown == []  # a command shows warnings on standard error, and says its one line itself


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_missing_gpu_is_said(tiny: Callable[..., RunFolder]) -> None:
    with pytest.raises(TrainingError, match="devices=cuda needs 1 GPU, torch sees 0: set devices=cpu"):
        tiny({"devices": "cuda"})


def test_mistakes_start_nothing(demo_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    with pytest.raises(ValueError, match="did you mean batch_size"):
        train("hand_vae", demo_store, out=out, overrides={"batchsize": 3})
    with pytest.raises(ValueError, match="did you mean gaussian"):
        train("gausian", demo_store, out=out)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        train("gaussian", tmp_path / "nowhere", out=out)
    with pytest.raises(ValueError, match="no store given"):
        train("gaussian", out=out)
    assert not out.exists()


def test_a_run_folder_is_not_trained_in_twice(demo_run: Path, demo_store: Path) -> None:
    with pytest.raises(ValueError, match="holds a run already"):
        train("gaussian", demo_store, run_dir=demo_run)
    with pytest.raises(ValueError, match="has no checkpoint to go on from"):
        train(None, resume=demo_run)


def test_resume_on_other_data_is_refused(tiny: Callable[..., RunFolder]) -> None:
    run = tiny()
    run.update_status(store_hash="another")
    with pytest.raises(ValueError, match=r"is not the one run .* was trained on"):
        train(None, resume=run, overrides={"max_epochs": 9})


def test_a_mistake_in_a_queued_run_is_told_in_its_folder(demo_store: Path, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "hand_vae")
    with pytest.raises(ValueError, match="did you mean"):
        train("hand_vae", demo_store, run_dir=run.path, overrides={"model.zdim": 3})
    assert run.status()["state"] == "failed"
    assert "did you mean model.z_dim" in run.status()["message"]


def test_sigterm_stops_a_detached_run_and_keeps_its_work(demo_store: Path, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "hand_vae")
    settings = ["max_epochs=100000", "log_seconds=0.05", "val_frames=64", "model.hidden=16"]
    command = [sys.executable, "-m", "training.run", "--prior", "hand_vae", "--store", str(demo_store)]
    child = subprocess.Popen(
        [*command, "--run-dir", str(run.path), "--set", *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )
    deadline = time.monotonic() + 120
    while not run.metrics() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert run.is_alive()
    child.terminate()
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert out.strip() == str(run.path)
    assert run.status()["state"] == "stopped"
    assert not run.is_alive()
    assert load_prior(run, "last").name == "hand_vae"


def test_a_command_that_fails_says_one_line_and_exits_with_an_error(
    demo_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--prior", "hand_vae", "--store", str(demo_store), "--out", str(tmp_path), "--set", "model.zdim=3"]
    assert main(arguments) == 1
    assert capsys.readouterr().err.splitlines() == ["error: unknown key model.zdim; did you mean model.z_dim?"]
    assert not list(tmp_path.iterdir())


def test_a_resumed_run_learns_as_its_overrides_say(tiny: Callable[..., RunFolder]) -> None:
    """The checkpoint holds the old rate and decay; what does not fit it any more is refused by name."""
    run = tiny({"learning_rate": 1e-3, "weight_decay": 0.5})
    train(None, resume=run, overrides={"max_epochs": 4, "learning_rate": 3e-5, "weight_decay": 0.25})
    rates = {line["step"]: line["learning_rate"] for line in run.metrics()}
    assert [rates[step] for step in (12, 13, 16)] == pytest.approx([1e-3, 3e-5, 3e-5])
    groups = torch.load(run.checkpoint_file("last"), weights_only=True)["optimizer_states"][0]["param_groups"]
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(3e-5, 0.25), (3e-5, 0.0)]
    with pytest.raises(ValueError, match=r"batch_size, ema cannot change when run .* goes on"):
        train(None, resume=run, overrides={"max_epochs": 5, "batch_size": 300, "ema": 0.9})


def test_any_seed_will_do(tiny: Callable[..., RunFolder]) -> None:
    """A date as a seed is longer than what batches are shuffled by."""
    assert tiny({"max_epochs": 1, "seed": 20_261_121}).status()["state"] == "finished"
    with pytest.raises(ValueError, match="seed must be within"):
        tiny({"seed": 2**60})
