"""Who goes next: an order that only the run folders and locks keep."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from training.run_folder import RunFolder
from training.turns import TakenOut, turn


def queued(folder: Path, number: int) -> RunFolder:
    run = RunFolder.create(folder, "gaussian")
    run.update_status(turn=number, message="waiting for its turn", **run.claim())
    return run


def test_turns_are_taken_in_order_and_one_at_a_time(tmp_path: Path) -> None:
    runs = [queued(tmp_path, number) for number in range(3)]
    order: list[int] = []
    together: list[int] = []

    def train(number: int) -> None:
        with turn(runs[number], ["cpu"]):
            together.append(1)
            order.append(number)
            time.sleep(0.05)
            assert sum(together) == 1
            together.pop()
            runs[number].update_status(state="finished")

    threads = [threading.Thread(target=train, args=(number,)) for number in (2, 1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert order == [0, 1, 2]


def test_each_gpu_is_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    first, second, third = (queued(tmp_path, number) for number in range(3))
    with turn(first, ["4", "7"]):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"
        first.update_status(state="running")
        with turn(second, ["4", "7"]):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
            second.update_status(state="running")
    with turn(third, ["4", "7"], wanted=2):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,7"


def test_a_run_whose_process_died_is_not_waited_for(tmp_path: Path) -> None:
    dead, mine = queued(tmp_path, 0), queued(tmp_path, 1)
    dead.update_status(pid=999_999_999)
    with turn(mine, ["cpu"]):
        assert mine.status()["message"] == ""


def test_a_stopped_one_leaves(tmp_path: Path) -> None:
    run = queued(tmp_path, 0)
    run.request_stop()
    with pytest.raises(TakenOut), turn(run, ["cpu"]):
        pytest.fail("it was not its turn")
    assert run.status()["state"] == "stopped"
