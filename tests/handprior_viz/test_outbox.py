"""What waits to be sent: the newest of it goes out, and nothing after the end."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from handprior_viz.outbox import Alarm, Outbox

PATIENCE = 20.0


def test_the_first_goes_out_at_once_and_the_newest_of_the_others_when_its_time_has_come() -> None:
    sent: list[Mapping[str, Any]] = []
    both = threading.Event()

    def send(traits: Mapping[str, Any]) -> None:
        sent.append(dict(traits))
        if len(sent) == 2:
            both.set()

    outbox = Outbox(send, 0.05, threading.RLock())
    outbox.offer(a=1)
    assert sent == [{"a": 1}]
    with outbox._lock:  # its timer cannot come between
        outbox.offer(a=2)
        outbox.offer(a=3, b=4)
    assert both.wait(PATIENCE)
    assert sent[1] == {"a": 3, "b": 4}


def test_a_closed_outbox_sends_nothing_more() -> None:
    sent: list[Mapping[str, Any]] = []
    outbox = Outbox(sent.append, 3600, threading.RLock())
    outbox.offer(a=1)
    outbox.offer(a=2)
    outbox.close()
    outbox.offer(a=3)
    outbox.flush()
    assert sent == [{"a": 1}]


def test_an_alarm_that_is_set_twice_goes_off_once_and_a_closed_one_is_not_set() -> None:
    calls: list[int] = []
    gone_off = threading.Event()

    def act() -> None:
        calls.append(1)
        gone_off.set()

    alarm = Alarm(act)
    alarm.set(0.01)
    alarm.set(0.0)
    assert gone_off.wait(PATIENCE)
    alarm.close()
    alarm.set(0.0)
    assert not alarm.is_set
    assert calls == [1]


def test_an_alarm_keeps_its_thread_while_it_is_needed_and_ends_it_after_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Alarm, "REST", 0.05)
    threads: list[threading.Thread] = []
    gone_off = threading.Event()

    def act() -> None:
        threads.append(threading.current_thread())
        alarm.stop()
        if len(threads) < 3:
            alarm.set(0.0)
        else:
            gone_off.set()

    alarm = Alarm(act)
    alarm.set(0.0)
    assert gone_off.wait(PATIENCE)
    assert len(set(threads)) == 1
    threads[0].join(PATIENCE)
    assert not threads[0].is_alive()
    gone_off.clear()
    alarm.set(0.0)  # and a new one comes when it is needed again
    assert gone_off.wait(PATIENCE)
    assert threads[3] is not threads[0]
    alarm.close()
    threads[3].join(PATIENCE)
    assert not threads[3].is_alive()


def test_an_alarm_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    gone_off = threading.Event()

    def act() -> None:
        alarm.stop()
        if not caplog.records:
            alarm.set(0.0)
            raise ValueError("once")
        gone_off.set()

    alarm = Alarm(act)
    alarm.set(0.0)
    assert gone_off.wait(PATIENCE)
    alarm.close()
    assert "once" in caplog.text
