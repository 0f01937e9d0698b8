"""The training panel shows what the run folders say, and passes on what people press."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from handprior_viz import TrainingPanel, jobs
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


def test_a_new_panel_finds_the_runs_of_the_folder(panel: TrainingPanel) -> None:
    assert len(panel.runs) == 2
    for words in ("epoch 5/10", "ETA 1:05", "stopped", "kept: last"):
        assert words in panel._table.markup
    assert "\N{MINUS SIGN}7.0" in panel._curves.markup


def test_new_numbers_show_without_being_asked_for(panel: TrainingPanel, runs: Path) -> None:
    shown = threading.Event()
    panel._curves.observe(lambda change: shown.set() if "42.0" in change["new"] else None, "markup")
    running = next(run for run in panel.runs if run.is_alive())
    running.append_metrics(epoch=3, step=3, **{"val/nll": -42.0})
    assert shown.wait(20)


def test_pressing_stop_asks_the_run_to_stop(panel: TrainingPanel) -> None:
    running = next(run for run in panel.runs if run.is_alive())
    panel._table._hear(panel._table, {"event": "stop", "target": running.name, "value": ""}, [])
    assert running.stop_requested()
    assert "stopping" in panel._table.markup


def test_pressing_start_starts_what_is_chosen(panel: TrainingPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    for name in ("start", "start_all"):
        monkeypatch.setattr(jobs, name, lambda what, store, **options: started.append((what, options["overrides"])))
    panel._epochs.value = 7
    panel._button.click()
    assert panel._starting.settle(20)
    panel._priors["gaussian"].value = True
    assert panel._button.description == "Start 2 trainings"
    panel._button.click()
    assert panel._starting.settle(20)
    assert started == [("hand_vae", {"max_epochs": 7}), (["gaussian", "hand_vae"], {"max_epochs": 7})]


def test_priors_keep_the_epochs_of_their_own_presets(panel: TrainingPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(jobs, "start_all", lambda what, store, **options: started.append((what, options["overrides"])))
    panel._priors["global_flow"].value = True
    assert panel._epochs.value == resolve("hand_vae", "fast").max_epochs  # the longest of the two
    panel._button.click()
    assert panel._starting.settle(20)
    assert started == [(["global_flow", "hand_vae"], {})]
    panel._priors["hand_vae"].value = False
    assert panel._epochs.value == resolve("global_flow", "fast").max_epochs


def test_with_nothing_chosen_the_button_says_why_it_is_off(panel: TrainingPanel) -> None:
    panel._priors["hand_vae"].value = False
    assert panel._button.disabled
    assert "Choose at least one" in panel._button.tooltip


def test_a_refused_start_is_one_line(panel: TrainingPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(jobs, "start", refuse)
    panel._button.click()
    assert panel._starting.settle(20)
    assert "no space left on device" in panel._said.markup


def test_mistakes_in_code_raise(panel: TrainingPanel) -> None:
    with pytest.raises(ValueError, match="hand_vae"):
        panel.start("hand_vea")
    with pytest.raises(FileNotFoundError, match="no run folder"):
        panel.stop("nowhere")


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_ends_the_looking(store, tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    panel = TrainingPanel(store, tmp_path)
    panel.close()
    panel.look()  # a last look that was under way does no harm
    assert set(threading.enumerate()) <= threads
