"""Long work says how far it is, ends when it is cancelled, and tells its errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from handprior_viz.long_work import Cancelled, LongWork, Report, progress_markup


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def work(errors: list[Exception]) -> Iterator[LongWork]:
    made = LongWork(errors.append)
    yield made
    made.close()
    made.widget.close()


def test_it_runs_in_the_background_and_says_that_it_is_over(work: LongWork) -> None:
    threads: list[threading.Thread] = []
    ended: list[bool] = []
    work.start("Counting", lambda _: threads.append(threading.current_thread()), on_end=ended.append)
    assert work.settle(10)
    assert threads[0] is not threading.main_thread()
    assert ended == [False]
    assert work.widget.markup == ""


def test_cancelling_ends_it_at_its_next_word(work: LongWork, errors: list[Exception]) -> None:
    begun, go_on = threading.Event(), threading.Event()
    reached: list[str] = []
    ended: list[bool] = []

    def slow(report: Report) -> None:
        begun.set()
        go_on.wait(10)
        report(1, 2, "GRAB")
        reached.append("the end")

    work.start("Counting", slow, on_end=ended.append)
    assert begun.wait(10)
    assert "Counting" in work.widget.markup
    work.widget._on_event("cancel", "", None)
    go_on.set()
    assert work.settle(10)
    assert (reached, ended, errors) == ([], [True], [])


def test_cancelling_what_has_just_ended_leaves_nothing_behind(work: LongWork) -> None:
    work.start("Counting", lambda _: None, on_end=lambda _: work.cancel())  # its thread still runs
    assert work.settle(10)
    assert work.widget.markup == ""


def test_that_it_is_being_cancelled_stays_to_be_read(work: LongWork) -> None:
    report: list[Report] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(given: Report) -> None:
        report.append(given)
        begun.set()
        go_on.wait(10)

    work.start("Counting", slow)
    assert begun.wait(10)
    work.cancel()
    report[0]._show("a word that was on its way")
    assert "Cancelling" in work.widget.markup
    go_on.set()
    assert work.settle(10)


def test_an_error_is_told(work: LongWork, errors: list[Exception]) -> None:
    def broken(_: Report) -> None:
        raise ValueError("the disk is full")

    work.start("Counting", broken)
    assert work.settle(10)
    assert [str(error) for error in errors] == ["the disk is full"]


def test_two_works_at_once_are_refused(work: LongWork) -> None:
    go_on = threading.Event()
    work.start("Counting", lambda _: go_on.wait(10))
    with pytest.raises(RuntimeError, match="busy"):
        work.start("Counting again", lambda _: None)
    go_on.set()
    assert work.settle(10)


def test_closing_cancels_and_what_ends_late_shows_nothing(errors: list[Exception]) -> None:
    work = LongWork(errors.append)
    go_on = threading.Event()

    def late(_: Report) -> None:
        go_on.wait(10)
        raise ValueError("nobody is there any more")

    work.start("Counting", late)
    work.close(timeout=0.01)
    go_on.set()
    assert work.settle(10)
    assert errors == []
    work.widget.close()


def test_a_report_raises_once_it_is_cancelled() -> None:
    report = Report(lambda _: None)
    report(1, 2, "GRAB")
    report.cancel()
    with pytest.raises(Cancelled):
        report(2, 2, "GRAB")
    with pytest.raises(Cancelled):
        report.stage("next")


def test_progress_says_share_and_time_left() -> None:
    markup = progress_markup("Packing", 25, 100, "<GRAB>", seconds=20.0)
    assert "25 %, about 1:00 left" in markup
    assert "&lt;GRAB&gt;" in markup
    assert 'aria-valuenow="25"' in markup
