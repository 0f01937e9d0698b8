"""Trainings as processes of their own: started, found again, stopped with their work kept, gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from handprior_viz import jobs
from handprior_viz.trainings.launching import gpu_names
from training import load_prior
from training.run_folder import RunFolder

PATIENCE = 180.0
CPU = {"devices": "cpu", "threads": 1}
ENDLESS = {
    "max_epochs": 100_000,
    "patience": None,
    "batch_size": 256,
    "model.hidden": 16,
    "model.importance_samples": 2,
    "threads": 1,
}


def wait_until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.05)


def process_of(run: RunFolder) -> psutil.Process:
    return psutil.Process(run.status()["pid"])


@pytest.fixture
def out(tmp_path: Path):
    """A folder for runs; whatever still trains in it at the end is ended."""
    yield tmp_path / "runs"
    for run in jobs.runs(tmp_path / "runs"):
        if run.is_alive():
            process_of(run).kill()


def test_runs_that_were_queued_in_one_second_stand_in_their_turns(tmp_path: Path) -> None:
    for turn, name in enumerate(["joint_flow-20250131-142501-zzz", "gaussian-20250131-142501-aaa"]):
        (tmp_path / name).mkdir()
        RunFolder(tmp_path / name).update_status(state="queued", turn=100.0 + turn)
    (tmp_path / "hand_vae-20250131-142500-mmm").mkdir()
    RunFolder(tmp_path / "hand_vae-20250131-142500-mmm").update_status(state="queued")
    assert [run.name.partition("-")[0] for run in jobs.runs(tmp_path)] == ["hand_vae", "joint_flow", "gaussian"]


def test_a_training_is_stopped_with_its_work_kept_and_goes_on(store, out: Path) -> None:
    run = jobs.start("hand_vae", store, out=out, overrides=ENDLESS)
    assert run.is_alive()
    process = process_of(run)
    assert process.pid != psutil.Process().pid
    assert jobs.start("hand_vae", store, out=out, overrides=ENDLESS) == run  # no twin
    wait_until(run.prior_file.exists, "a first checkpoint")
    jobs.stop(run)
    wait_until(lambda: jobs.state_of(run)["state"] == "stopped", "the stop")
    wait_until(lambda: not process.is_running(), "the process to be gone and not a zombie")
    assert run.checkpoint_file("last").exists()
    assert load_prior(run).latent_dim == 24
    epoch = run.status()["epoch"]
    jobs.resume(run)
    wait_until(lambda: run.status()["epoch"] > epoch, "the resumed training to go on")
    jobs.stop(run)
    wait_until(lambda: jobs.state_of(run)["state"] == "stopped", "the second stop")


def test_a_queue_trains_one_after_the_other(store, out: Path) -> None:
    """The first holds the only place; the second leaves the queue, the third follows when the first is stopped."""
    first, second = jobs.start_all(["hand_vae", "gaussian"], store, out=out, overrides={**CPU, "max_epochs": 100_000})
    (third,) = jobs.start_all(["gaussian"], store, out=out, overrides={**CPU, "seed": 1})
    wait_until(lambda: first.status()["state"] == "running", "the first to train")
    wait_until(lambda: "waiting" in third.status()["message"], "the third to wait")
    for run in (second, third):
        assert jobs.state_of(run)["state"] == "queued"
        assert run.is_alive()
    jobs.stop(second)
    wait_until(lambda: jobs.state_of(second)["state"] == "stopped", "the second to leave the queue")
    assert second.status()["message"] == "taken out of the queue before it began"
    assert not second.prior_file.exists()
    assert third.status()["state"] == "queued"
    wait_until(lambda: first.status().get("step"), "the first step")
    jobs.stop(first)
    wait_until(lambda: jobs.state_of(third)["state"] == "finished", "the third to train")
    assert first.status()["state"] == "stopped"


def test_a_failed_training_does_not_keep_the_rest_and_a_closed_form_fit_ends_by_itself(store, out: Path) -> None:
    overrides = {**CPU, "learning_rate": 1e30, "max_epochs": 3}
    failing, next_one = jobs.start_all(["hand_vae", "gaussian"], store, out=out, overrides=overrides)
    assert jobs.wait_for(next_one, PATIENCE) == next_one
    wait_until(lambda: jobs.state_of(next_one)["state"] == "finished", "the second to train")
    assert failing.status()["state"] == "failed"
    assert "diverged" in failing.status()["message"]
    assert load_prior(next_one).latent_dim == 90
    assert jobs.runs(out) == [failing, next_one]
    assert jobs.newest(out) == jobs.newest(out, "gaussian") == next_one
    with pytest.raises(ValueError, match="no checkpoint to go on from"):
        jobs.resume(next_one)


def test_a_queue_with_a_mistake_starts_nothing(store, out: Path) -> None:
    with pytest.raises(ValueError, match="did you mean hand_vae"):
        jobs.start_all(["gaussian", "hand_vea"], store, out=out)
    with pytest.raises(ValueError, match=r"unknown key model\.z_dim"):
        jobs.start_all(["hand_vae", "gaussian"], store, out=out, overrides={"model.z_dim": 3})
    with pytest.raises(ValueError, match="named twice"):
        jobs.start_all(["gaussian", "gaussian"], store, out=out)
    assert jobs.runs(out) == []


def test_gpus_are_called_as_the_machine_lends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert gpu_names(2) == ["2", "5"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpu_names(3) == ["0", "1", "2"]


def test_a_training_put_on_a_card_sees_that_card_only(store, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launched = []
    monkeypatch.setattr(jobs, "launch", lambda run, arguments: launched.append(arguments))
    jobs.start("gaussian", store, out=out, device="3")
    jobs.start_all(["gaussian", "hand_vae"], store, out=out, overrides={"seed": 1}, device="3")
    for arguments in launched:
        assert arguments[-2:] == ["--turn", "3"]
        assert "devices=cuda" in arguments
    jobs.start("gaussian", store, out=out, overrides={"seed": 2}, device="cpu")
    assert "--turn" not in launched[-1]
    assert "devices=cpu" in launched[-1]
    assert len(launched) == 4


def made_run(folder: Path, **status: object) -> RunFolder:
    run = RunFolder.create(folder, "gaussian")
    run.update_status(state="finished", **status)
    run.checkpoint_file("last").parent.mkdir()
    run.checkpoint_file("last").write_bytes(b"weights")
    return run


def test_a_deleted_run_is_gone_with_all_its_files_and_the_others_stay(out: Path) -> None:
    run, other = made_run(out), made_run(out)
    jobs.delete(run, out)
    assert list(out.iterdir()) == [other.path]
    assert other.checkpoint_file("last").read_bytes() == b"weights"


def test_deleting_a_run_leaves_what_its_links_lead_to(out: Path, tmp_path: Path) -> None:
    run = made_run(out)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("kept")
    (run.path / "link").symlink_to(tmp_path / "precious")
    jobs.delete(run, out)
    assert not run.path.exists()
    assert (tmp_path / "precious" / "file").read_text() == "kept"


def test_what_is_no_run_of_the_folder_is_never_deleted(out: Path, tmp_path: Path) -> None:
    elsewhere = made_run(tmp_path / "elsewhere")
    out.mkdir()
    with pytest.raises(ValueError, match="does not lie in"):
        jobs.delete(elsewhere, out)
    with pytest.raises(ValueError, match="does not lie in"):
        jobs.delete(out / ".." / "elsewhere" / elsewhere.name, out)
    (out / "link").symlink_to(elsewhere.path)
    with pytest.raises(ValueError, match="is a link"):
        jobs.delete(out / "link", out)
    with pytest.raises(FileNotFoundError):
        jobs.delete(out, out)  # no run folder
    assert elsewhere.checkpoint_file("last").exists()


def test_a_run_that_trains_is_not_deleted(out: Path) -> None:
    run = made_run(out)
    run.update_status(state="running", **run.claim())
    with pytest.raises(ValueError, match="stop it first"):
        jobs.delete(run, out)
    assert run.checkpoint_file("last").exists()
    run.update_status(state="finished")


@pytest.mark.parametrize(
    ("prior", "overrides", "message"),
    [("hand_vea", {}, "did you mean hand_vae"), ("hand_vae", {"max_epoch": 3}, "max_epochs")],
)
def test_mistakes_are_named_before_anything_starts(store, out: Path, prior, overrides, message) -> None:
    with pytest.raises(ValueError, match=message):
        jobs.start(prior, store, out=out, overrides=overrides)
    assert jobs.runs(out) == []


def test_a_missing_store_is_named(tmp_path: Path, out: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not a packed store"):
        jobs.start("gaussian", tmp_path, out=out)


def test_a_process_that_died_at_once_counts_as_failed(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "gaussian")
    (run.path / "status.json").write_text('{"state": "queued", "pid": 999999999, "heartbeat": 1.0}')
    assert jobs.state_of(run)["state"] == "failed"
    with pytest.raises(RuntimeError, match=r"log\.txt"):
        jobs.wait_for(run, 1)


def test_waiting_too_long_says_that_it_goes_on(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "gaussian")
    with pytest.raises(TimeoutError, match="it goes on"):
        jobs.wait_for(run, 0)


def test_no_runs_yet(tmp_path: Path) -> None:
    assert jobs.runs(tmp_path / "nowhere") == []
    with pytest.raises(FileNotFoundError, match="train one first"):
        jobs.newest(tmp_path / "nowhere")
