"""The training panel shows what the run folders say, and passes on what people press."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from data_tools.pose_layout import hands_of
from handprior_viz import TrainingPanel, jobs
from handprior_viz.trainings import samples as run_samples
from handprior_viz.trainings.device_list import Device
from handprior_viz.trainings.values import read_values, run_values
from training import load_prior
from training.config import resolve
from training.run_folder import RunFolder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """One run under way (this process stands in for the training), one that was stopped."""
    stopped = RunFolder.create(tmp_path, "hand_vae")
    stopped.checkpoint_file("last").parent.mkdir()
    stopped.checkpoint_file("last").touch()
    stopped.update_status(state="stopped", epoch=3, max_epochs=10)
    running = RunFolder.create(tmp_path, "hand_vae")
    running.update_status(state="running", epoch=5, max_epochs=10, eta_seconds=65, **running.claim())
    for epoch, nll in ((1, 5.0), (2, -7.0)):
        running.append_metrics(epoch=epoch, step=epoch, **{"val/nll": nll})
    return tmp_path


@pytest.fixture
def panel(store, runs: Path):
    made = TrainingPanel(store, runs)
    made.look()
    yield made
    made.close()


def press(panel: TrainingPanel, event: str, run: RunFolder) -> None:
    panel._table._hear(panel._table, {"event": event, "target": run.name, "value": ""}, [])
    assert panel._looking.settle(30)


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stopped_run(panel: TrainingPanel) -> RunFolder:
    return next(run for run in panel.runs if not run.is_alive())


def running_run(panel: TrainingPanel) -> RunFolder:
    return next(run for run in panel.runs if run.is_alive())


def test_a_new_panel_finds_the_runs_of_the_folder(panel: TrainingPanel) -> None:
    assert len(panel.runs) == 2
    for words in ("epoch 5/10", "ETA 1:05", "stopped", "kept: last"):
        assert words in panel._table.markup
    assert "≤ \N{MINUS SIGN}7.0" in panel._curves.markup  # a VAE's likelihood is a bound


def test_new_numbers_show_without_being_asked_for(panel: TrainingPanel) -> None:
    shown = threading.Event()
    panel._curves.observe(lambda change: shown.set() if "42.0" in change["new"] else None, "markup")
    running_run(panel).append_metrics(epoch=3, step=3, **{"val/nll": -42.0})
    assert shown.wait(20)


def test_pressing_stop_asks_the_run_to_stop(panel: TrainingPanel) -> None:
    running = running_run(panel)
    press(panel, "stop", running)
    assert running.stop_requested()
    assert "stopping" in panel._table.markup


def test_deleting_asks_once_and_then_deletes(panel: TrainingPanel) -> None:
    stopped = stopped_run(panel)
    press(panel, "delete", stopped)
    assert "Delete for ever?" in panel._table.markup
    press(panel, "log", stopped)  # anything else takes the question back
    assert "Delete for ever?" not in panel._table.markup
    press(panel, "delete-now", stopped)
    assert stopped.path.exists()
    press(panel, "delete", stopped)
    press(panel, "delete-now", stopped)
    wait_until(lambda: not stopped.path.exists())
    assert [run.is_alive() for run in panel.runs] == [True]


def test_a_run_that_trains_is_not_deleted(panel: TrainingPanel) -> None:
    running = running_run(panel)
    press(panel, "delete", running)
    press(panel, "delete-now", running)
    wait_until(lambda: "stop it first" in panel._said.markup)
    assert running.path.exists()


def test_the_log_is_shown_on_request(panel: TrainingPanel) -> None:
    running = running_run(panel)
    running.log_file.write_text("".join(f"line {k}\n" for k in range(40)) + "bar 1\rbar 2\n<b>last</b>\n")
    press(panel, "log", running)
    assert "&lt;b&gt;last&lt;/b&gt;" in panel._table.markup
    assert "bar 2" in panel._table.markup
    assert "bar 1" not in panel._table.markup
    assert "line 3\n" not in panel._table.markup
    press(panel, "log", running)
    assert "last&lt;" not in panel._table.markup


def test_samples_of_the_newest_prior_are_drawn_again_when_it_is_better(
    store, gaussian_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[np.ndarray] = []
    samples = run_samples.RunSamples()
    monkeypatch.setattr(samples._hands, "show", shown.append)
    run = RunFolder(shutil.copytree(gaussian_run.path, tmp_path / gaussian_run.name))
    for _ in range(3):
        samples.look(run, "Gaussian")
        assert samples.settle(60.0)
    assert len(shown) == 1
    expected = load_prior(run).sample(8, generator=torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_array_equal(shown[0], hands_of(expected))
    os.utime(run.prior_file, (1, 1))
    samples.look(run, "Gaussian")
    assert samples.settle(60.0)
    np.testing.assert_array_equal(shown[1], shown[0])  # the same seed
    assert "nats per frame held out" in samples._heading.markup
    shutil.rmtree(run.path)
    samples.look(run, "Gaussian")
    assert samples.settle(60.0)
    assert len(shown[2]) == 0
    assert "as soon as a training has kept" in samples._heading.markup
    samples.close()


def test_pressing_start_starts_what_is_chosen(panel: TrainingPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    for name in ("start", "start_all"):
        monkeypatch.setattr(
            jobs, name, lambda what, store, **options: started.append((what, options["overrides"], options["device"]))
        )
    panel._form.type("max_epochs", "7")
    panel._form.start.click()
    assert panel._starting.settle(20.0)
    panel._form.priors["gaussian"].value = True
    panel._form.use_device("cpu")
    assert panel._form.start.description == "Start 2 trainings"
    panel._form.start.click()
    assert panel._starting.settle(20.0)
    assert started == [("hand_vae", {"max_epochs": 7}, None), (("gaussian", "hand_vae"), {"max_epochs": 7}, "cpu")]


def test_fields_left_empty_keep_each_priors_own_preset(panel: TrainingPanel) -> None:
    panel._form.priors["global_flow"].value = True
    own = [resolve(name, "fast").max_epochs for name in ("global_flow", "hand_vae")]
    assert f'placeholder="{own[0]} or {own[1]}"' in panel._form._first.markup
    assert panel._form.wanted.overrides == {}


def test_a_prior_chosen_alone_shows_its_own_values_with_what_they_do(panel: TrainingPanel) -> None:
    assert "latent axes" not in panel._form._more.markup
    panel._form.more.value = True
    assert "latent axes" in panel._form._more.markup
    assert "Nats of KL per latent axis that cost nothing" in panel._form._more.markup
    panel._form.type("model.z_dim", "32")
    assert panel._form.wanted.overrides == {"model.z_dim": 32}
    panel._form.priors["gaussian"].value = True
    assert "Choose one prior alone" in panel._form._more.markup
    assert panel._form.wanted.overrides == {}


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("max_epochs", "many", "epochs must be a whole number"),
        ("max_epochs", "0", "epochs must be at least 1"),
        ("learning_rate", "-1", "learning rate must be above 0"),
        ("learning_rate", "0,001", "learning rate must be a number"),
        ("model.dropout", "2", "dropout must be at least 0 and below 1"),
    ],
)
def test_a_wrong_value_is_told_in_one_line_and_nothing_can_start(panel: TrainingPanel, key, text, said) -> None:
    panel._form.type(key, text)
    assert said in panel._form._first.markup
    assert panel._form.start.disabled
    assert "red" in panel._form.start.tooltip
    panel._form.type(key, "")
    assert "hp-error" not in panel._form._first.markup
    assert not panel._form.start.disabled


def test_typed_values_have_the_types_of_their_fields() -> None:
    typed = {"batch_size": "4,096", "learning_rate": "1e-3", "gradient_clip": "null", "schedule": "cosine"}
    overrides = read_values(typed, run_values(["joint_flow"]), ["joint_flow"])
    assert overrides == {"batch_size": 4096, "learning_rate": 1e-3, "gradient_clip": None, "schedule": "cosine"}


def test_every_value_of_every_prior_says_what_it_does() -> None:
    for prior in ("gaussian", "joint_flow", "global_flow", "hand_vae", "hand_vae_so3"):
        untold = [value.key for value in run_values([prior]) if not value.about]
        assert untold == []


def test_devices_stand_in_the_menu_with_their_free_memory(panel: TrainingPanel) -> None:
    panel._counting.close()  # or this machine's own devices would come in between
    panel._form.show_devices([Device("cpu", "CPU, 8 cores", 12.34, 32.0), Device("1", "GPU 1, H200", 130.6, 139.7)])
    for words in ("CPU, 8 cores · 12.3 GB free of 32", "GPU 1, H200 · 131 GB free of 140"):
        assert words in panel._form._first.markup
    panel._form.use_device("1")
    assert panel._form.wanted.device == "1"
    panel._form.show_devices([Device("cpu", "CPU, 8 cores", 12.34, 32.0)])  # the card is gone
    assert panel._form.wanted.device is None


def test_with_nothing_chosen_the_button_says_why_it_is_off(panel: TrainingPanel) -> None:
    panel._form.priors["hand_vae"].value = False
    assert panel._form.start.disabled
    assert "Choose at least one" in panel._form.start.tooltip


def test_a_refused_start_is_one_line(panel: TrainingPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(jobs, "start", refuse)
    panel._form.start.click()
    assert panel._starting.settle(20.0)
    assert "no space left on device" in panel._said.markup


def test_mistakes_in_code_raise(panel: TrainingPanel) -> None:
    with pytest.raises(ValueError, match="hand_vae"):
        panel.start("hand_vea")
    with pytest.raises(FileNotFoundError, match="no run folder"):
        panel.stop("nowhere")


@pytest.mark.usefixtures("no_widgets_left")
def test_an_explorer_opens_below_and_closes_with_the_panel(store, gaussian_run: RunFolder, tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    shutil.copytree(gaussian_run.path, tmp_path / gaussian_run.name)
    panel = TrainingPanel(store, tmp_path)
    try:
        press(panel, "explore", panel.runs[0])
        assert panel.settle(120.0)
        assert panel.explorer is not None
        assert panel._below.children == (panel.explorer,)
        assert panel.explorer.run == panel.runs[0]
    finally:
        panel.close()
    assert panel.explorer is None
    assert set(threading.enumerate()) <= threads


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_ends_the_looking(store, tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    panel = TrainingPanel(store, tmp_path)
    panel.close()
    panel.look()  # a last look that was under way does no harm
    assert set(threading.enumerate()) <= threads
