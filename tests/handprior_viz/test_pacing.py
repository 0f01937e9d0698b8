"""Newest first, nothing queues, nothing stays behind."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from handprior_viz.pacing import Every, LatestWins

PATIENCE = 20.0


def test_items_overtaken_while_busy_are_dropped_and_the_last_is_done() -> None:
    done: list[int] = []
    entered, go_on = threading.Event(), threading.Event()

    def work(item: int) -> None:
        done.append(item)
        entered.set()
        assert go_on.wait(PATIENCE)

    pace = LatestWins(work)
    pace.submit(0)
    assert entered.wait(PATIENCE)
    for item in range(1, 100):
        pace.submit(item)
    go_on.set()
    assert pace.settle(PATIENCE)
    assert done == [0, 99]
    pace.close()


def test_submit_does_not_wait_for_the_work() -> None:
    go_on = threading.Event()
    pace = LatestWins(lambda _: go_on.wait(PATIENCE))
    pace.submit(0)
    pace.submit(1)  # would deadlock here if it waited
    assert not pace.settle(0.01)
    go_on.set()
    assert pace.settle(PATIENCE)
    pace.close()


def test_an_error_is_told_and_the_next_item_is_still_done() -> None:
    told: list[Exception] = []
    done: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise ValueError("broken pose")
        done.append(item)

    pace = LatestWins(work, on_error=told.append)
    pace.submit(0)
    assert pace.settle(PATIENCE)
    pace.submit(1)
    assert pace.settle(PATIENCE)
    assert [str(error) for error in told] == ["broken pose"]
    assert done == [1]
    pace.close()


@pytest.mark.parametrize("make", [lambda: LatestWins(lambda _: None), lambda: Every(0.01, lambda: None)])
def test_closing_ends_the_thread_even_twice(make) -> None:
    before = set(threading.enumerate())
    pace = make()
    assert set(threading.enumerate()) - before
    pace.close()
    pace.close()
    assert set(threading.enumerate()) <= before


def test_nothing_is_done_after_closing() -> None:
    done: list[int] = []
    pace = LatestWins(done.append)
    pace.close()
    pace.submit(1)
    assert done == []


def test_closing_from_the_work_itself_does_not_hang() -> None:
    closed = threading.Event()

    def work(_: int) -> None:
        pace.close()
        closed.set()

    pace = LatestWins(work)
    pace.submit(0)
    assert closed.wait(PATIENCE)


def test_every_calls_until_told_to_end() -> None:
    count = 0
    enough = threading.Event()

    def work() -> bool:
        nonlocal count
        count += 1
        if count == 3:
            enough.set()
        return count < 3

    every = Every(0.001, work)
    assert enough.wait(PATIENCE)
    every.close()
    assert count == 3
    assert not every.running


def test_every_survives_an_error() -> None:
    calls: list[int] = []
    enough = threading.Event()

    def work() -> None:
        calls.append(1)
        if len(calls) >= 2:
            enough.set()
        raise OSError("disk full")

    every = Every(0.001, work)
    assert enough.wait(PATIENCE)
    every.close()


def test_every_refuses_a_pace_of_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Every(0, lambda: None)


def test_a_script_that_ends_lets_the_present_call_finish() -> None:
    script = """
import threading, time
from handprior_viz.pacing import Every, LatestWins
begun = threading.Event()
def work(item):
    begun.set()
    time.sleep(0.3)
    print("finished", flush=True)
pace = LatestWins(work)
every = Every(3600, lambda: None)
pace.submit(1)
begun.wait()
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert ended.stdout == "finished\n"
