"""Runs that end by themselves, keep an average, and go on exactly where they were stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch

from training import load_prior, train
from training.callbacks import EndWhenWorse
from training.gradient_training import unseen
from training.run_folder import RunFolder

TINY = {
    "max_epochs": 4,
    "batch_size": 400,
    "val_frames": 256,
    "val_every_epochs": 1,
    "log_seconds": 1e-6,
    "threads": 1,
    "patience": None,
    "ema": None,
    "model": {"z_dim": 4, "hidden": 16, "n_layers": 1, "dropout": 0.2, "kl_warmup_epochs": 1, "importance_samples": 4},
}
"""A Hand VAE of 4 epochs of 4 batches, with noise in its latents and dropout."""


def stop_at(step: int, folder: Path) -> Callable[[dict[str, Any]], None]:
    """A watcher that asks the only run in a folder to stop after a step."""

    def watch(status: dict[str, Any]) -> None:
        if status.get("step") == step:
            RunFolder(next(path for path in folder.iterdir() if path.is_dir())).request_stop()

    return watch


@pytest.mark.parametrize(("step", "ema"), [(5, None), (7, None), (5, 0.9)])
def test_a_resumed_run_equals_an_uninterrupted_one(
    demo_store: Path, tmp_path: Path, step: int, ema: float | None
) -> None:
    """Bit for bit: same batches, noise and state of the optimiser; stopped inside an epoch and after its last batch."""
    overrides = TINY | {"ema": ema}
    whole = train("hand_vae", demo_store, out=tmp_path / "whole", overrides=overrides)
    parted = train(
        "hand_vae",
        demo_store,
        out=tmp_path / "parted",
        overrides=overrides,
        progress=stop_at(step, tmp_path / "parted"),
    )
    assert parted.status()["state"] == "stopped"
    torch.manual_seed(99)
    train(None, resume=parted)
    assert parted.status()["state"] == "finished"
    states = [load_prior(run, "last").state_dict() for run in (whole, parted)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    looks = [
        [line["val/nll"] for line in run.metrics() if line.get("val/nll") and line["epoch"] == 4]
        for run in (whole, parted)
    ]
    assert looks[0] == looks[1]
    assert parted.card()["seconds"] > 0  # type: ignore[index]


def ending(patience: int, scores: list[float], max_epochs: int = 80) -> tuple[EndWhenWorse, int]:
    """How a sequence of looks, one an epoch, ends: the callback and the number of looks."""
    callback = EndWhenWorse(patience, "people")
    trainer: Any = SimpleNamespace(should_stop=False, current_epoch=0, max_epochs=max_epochs)
    for epoch, nll in enumerate(scores):
        trainer.current_epoch = epoch
        callback.on_validation_end(trainer, SimpleNamespace(val_metrics={"val/nll": nll}))  # type: ignore[arg-type]
        if trainer.should_stop:
            return callback, epoch + 1
    return callback, len(scores)


def test_training_ends_after_so_many_looks_without_a_better_one() -> None:
    callback, looks = ending(3, [5.0, 4.0, 4.5, 3.0, 3.1, 3.0, 3.2, 1.0])
    assert looks == 7
    assert callback.message == (
        "stopped at epoch 7 of 80: unseen people got worse since epoch 4; the prior of epoch 4 is kept"
    )


def test_training_goes_on_while_it_gets_better_now_and_then() -> None:
    callback, looks = ending(2, [5.0, 6.0, 4.0, 6.0, 3.0, 6.0])
    assert (looks, callback.message) == (6, "")
    assert ending(1, [1.0, 2.0], max_epochs=2)[0].message == ""  # it was the last epoch anyway


def test_the_count_of_looks_is_kept_in_checkpoints() -> None:
    callback, _ = ending(5, [5.0, 6.0, 7.0])
    again = EndWhenWorse(5, "people")
    again.load_state_dict(callback.state_dict())
    assert (again.best, again.best_epoch, again.worse) == (5.0, 1, 2)


def test_a_run_that_gets_worse_says_so_and_keeps_its_best(demo_store: Path, tmp_path: Path) -> None:
    """With a learning rate that is far too high, the first look is soon the best."""
    overrides = TINY | {"max_epochs": 60, "patience": 2, "learning_rate": 0.05}
    run = train("hand_vae", demo_store, out=tmp_path, overrides=overrides)
    status, card = run.status(), run.card()
    assert card is not None
    assert status["state"] == card["state"] == "finished"
    looks = [line for line in run.metrics() if "val/nll" in line]
    best = min(range(len(looks)), key=lambda at: looks[at]["val/nll"]) + 1
    assert len(looks) == best + 2 < 60
    said = (
        f"stopped at epoch {best + 2} of 60: unseen sequences got worse since epoch {best}; the prior of epoch {best}"
    )
    assert status["message"] == card["message"] == f"{said} is kept"
    assert said in run.log_file.read_text()
    assert status["best_nll"] == looks[best - 1]["val/nll"]
    with pytest.raises(ValueError, match=r"unseen sequences got worse .* set a larger patience, or patience=null"):
        train(None, resume=run)
    assert train(None, resume=run, overrides={"patience": None, "max_epochs": best + 3}).status()["message"] == ""


@pytest.mark.parametrize(
    ("train_people", "val_people", "expected"),
    [
        (["a", "b"], ["c"], "people"),
        (["a", "b"], ["b"], "sequences"),
        (["a", None], ["c"], "sequences"),
    ],
)
def test_what_is_unseen(train_people: list[str | None], val_people: list[str], expected: str) -> None:
    rows = {"train": train_people, "val": val_people}
    store: Any = SimpleNamespace(
        split_rows=lambda split: pl.DataFrame({"dataset": ["x"] * len(rows[split]), "subject": rows[split]})
    )
    assert unseen(store) == expected


def test_an_average_is_scored_and_kept_instead_of_the_weights(demo_store: Path, tmp_path: Path) -> None:
    """Against the recurrence a <- d a + (1 - d) w, d = min(0.9, t / (10 + t)), over the weights after every step."""
    from training.module import PriorModule

    weights: list[torch.Tensor] = []

    class Seeing(PriorModule):
        def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
            super().optimizer_step(*args, **kwargs)
            weights.append(next(self.prior.parameters()).detach().clone())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.gradient_training.PriorModule", Seeing)
        run = train("hand_vae", demo_store, out=tmp_path, overrides=TINY | {"ema": 0.9, "learning_rate": 0.01})
    average = torch.zeros_like(weights[0])
    for t, weight in enumerate(weights, start=1):
        decay = min(0.9, (t - 1) / (9 + t))
        average = decay * average + (1 - decay) * weight
    torch.testing.assert_close(next(load_prior(run, "last").parameters()), average, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(average, weights[-1], atol=1e-4)
