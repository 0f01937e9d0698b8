"""The run folder: what a watcher may rely on, whatever happens to the writer."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from training.run_folder import METRICS, RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "runs", "hand_vae")


def test_names_do_not_clash(tmp_path: Path) -> None:
    names = {RunFolder.create(tmp_path, "gaussian").name for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("gaussian-2") for name in names)


def test_new_run_is_queued_and_not_alive(run: RunFolder) -> None:
    assert run.status()["state"] == "queued"
    assert not run.is_alive()
    assert run.card() is None
    assert run.metrics() == []


def test_metrics_are_appended_and_always_json(run: RunFolder) -> None:
    run.append_metrics(epoch=1, step=10, **{"val/nll": float("nan"), "train/loss": 2.5})
    (line,) = (run.path / "metrics.jsonl").read_text().splitlines()
    read = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert read["val/nll"] is None
    assert read["train/loss"] == 2.5
    assert read["time"] == pytest.approx(time.time(), abs=60)


def test_torn_last_line_is_skipped_and_then_written_past(run: RunFolder) -> None:
    run.append_metrics(epoch=1, step=1)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"time": 1, "epo')
    assert [line["step"] for line in run.metrics()] == [1]
    run.append_metrics(epoch=2, step=2)
    assert [line["step"] for line in run.metrics()] == [1, 2]


def test_one_metric_is_read_without_the_lines_that_lack_it(run: RunFolder) -> None:
    for step in (10, 20, 30):
        run.append_metrics(step=step, **({"train/loss": 1.0} if step == 20 else {"val/nll": float(step)}))
    run.append_metrics(step=31, words="val/nll, in words")
    assert [line["val/nll"] for line in run.metrics("val/nll")] == [10, 30]
    run.append_metrics(resumed_from_step=20)
    assert [line["val/nll"] for line in run.metrics("val/nll")] == [10]


def test_steps_taken_again_after_a_resume_show_once(run: RunFolder) -> None:
    for step in (10, 20, 30):
        run.append_metrics(epoch=step / 10, step=step)
    run.append_metrics(resumed_from_step=20)
    run.append_metrics(epoch=3, step=30, again=True)
    assert [(line["step"], "again" in line) for line in run.metrics()] == [(10, False), (20, False), (30, True)]


def test_status_is_never_seen_half_written(run: RunFolder) -> None:
    ended = threading.Event()

    def write() -> None:
        for k in range(300):
            run.update_status(message="x" * (k * 20))
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not ended.is_set():
        assert json.loads((run.path / "status.json").read_text())["prior"] == "hand_vae"
        seen += 1
    writer.join()
    assert seen > 10
    assert sorted(path.name for path in run.path.iterdir()) == ["status.json"]


def test_failed_write_leaves_the_old_file_and_nothing_beside_it(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        run.update_status(state="running")
    assert run.status()["state"] == "queued"
    assert [path.name for path in run.path.iterdir()] == ["status.json"]


def test_alive_means_that_very_process(run: RunFolder) -> None:
    run.update_status(state="running", **run.claim())
    assert run.is_alive()
    assert run.status()["state"] == "running"
    run.update_status(pid_started=run.claim()["pid_started"] - 500)  # the id was given to another process since
    assert not run.is_alive()


def test_dead_process_is_reported_with_advice(run: RunFolder) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    run.update_status(state="running", **(run.claim() | {"pid": process.pid}))
    assert not run.is_alive()
    assert run.status()["state"] == "failed"
    assert "resume" in run.status()["message"]


def test_run_on_another_machine_lives_by_its_heartbeat(run: RunFolder) -> None:
    run.update_status(state="running", pid=os.getpid(), host="elsewhere")
    assert run.is_alive()
    status = json.loads((run.path / "status.json").read_text())
    (run.path / "status.json").write_text(json.dumps(status | {"heartbeat": time.time() - 3600}))
    assert not run.is_alive()


def test_stop_request(run: RunFolder) -> None:
    assert not run.stop_requested()
    run.request_stop()
    assert run.stop_requested()
    run.forget_stop(before=time.time() - 100)
    assert run.stop_requested()
    run.forget_stop(before=time.time() + 100)
    assert not run.stop_requested()


def test_card_reads_back(run: RunFolder) -> None:
    run.write_card({"metrics": {"val/nll": float("inf")}, "path": Path("/x")})
    assert run.card() == {"metrics": {"val/nll": None}, "path": "/x"}


def test_opening_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run folder at"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="is not a run folder"):
        RunFolder.open(tmp_path)


def test_metrics_are_named_in_words() -> None:
    assert all(words and "_" not in words for words, _ in METRICS.values())
