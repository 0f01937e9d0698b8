"""A clock plays until it is told to stand, and what its button was told is never wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from handprior_viz import play_clock
from handprior_viz.play_clock import PlayClock
from handprior_viz.walk_player import WALK_SECONDS, Player, back_and_forth

PATIENCE = 10.0
"""Seconds after which something that must happen is said not to."""


class Time:
    """Stands in for the module ``time``: goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clockwork(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(play_clock, "time", made)
    return made


def ticking(step: Callable[[], bool], told: list[bool]) -> PlayClock:
    return PlayClock(step, told.append, a_second=1000)


def test_it_goes_on_from_where_it_stands_while_it_plays(clockwork: Time) -> None:
    clock = ticking(lambda: True, [])
    clock.seek(2.0)
    clockwork.now += 5
    assert clock.at == 2.0
    clock.play(4.0)
    clockwork.now += 3
    assert clock.at == 7.0
    clock.seek(1.0)
    clockwork.now += 0.5
    assert clock.at == 1.5
    clock.close()
    clockwork.now += 9
    assert clock.at == 1.5


def test_it_asks_for_pictures_until_there_is_no_more() -> None:
    ended, told, steps = threading.Event(), [], []

    def step() -> bool:
        steps.append(clock.playing)
        return len(steps) < 3

    def tell(playing: bool) -> None:
        told.append(playing)
        if not playing:
            ended.set()

    clock = PlayClock(step, tell, a_second=1000)
    clock.play(0.0)
    assert ended.wait(PATIENCE)
    assert not clock.playing
    clock.close()
    assert steps == [True, True, True]
    assert told == [True, False]


def test_after_a_pause_no_step_comes_and_it_may_play_again() -> None:
    stepped, told = threading.Event(), []
    clock = ticking(lambda: stepped.set() or True, told)
    for _ in range(2):
        clock.play(0.0)
        clock.play(5.0)  # plays already
        assert stepped.wait(PATIENCE)
        clock.close()
        clock.close()
        stepped.clear()
        assert not [thread for thread in threading.enumerate() if thread.name == "play"]
    assert told == [True, False, True, False]


def test_a_pause_that_comes_while_it_is_told_to_play_is_told_after_it() -> None:
    """Whoever presses Pause while Play is still being shown finds the button at Play, not at Pause."""
    told: list[bool] = []
    pausing = threading.Thread(target=lambda: clock.close())

    def tell(playing: bool) -> None:
        if playing:
            pausing.start()
            pausing.join(0.05)  # as long as it would need if it did not wait
        told.append(playing)

    clock = PlayClock(lambda: True, tell, a_second=1000)
    clock.play(0.0)
    pausing.join(PATIENCE)
    assert told == [True, False]
    assert not clock.playing


def test_an_end_that_comes_late_does_not_stop_what_was_begun_anew() -> None:
    """The last step of one playing is under way while another begins."""
    told: list[bool] = []
    clock = ticking(lambda: True, told)
    clock.play(0.0)
    first = clock._pace
    clock.close()
    clock.play(0.0)
    clock._stand(first)
    assert clock.playing
    clock.close()
    assert told == [True, False, True, False]


@pytest.mark.parametrize(("walks", "place"), [(0, 0), (0.25, 0.25), (1, 1), (1.75, 0.25), (2, 0), (3.5, 0.5)])
def test_a_walk_goes_back_and_forth(walks: float, place: float) -> None:
    assert back_and_forth(walks * WALK_SECONDS) == pytest.approx(place)


def test_a_walk_begins_where_it_stands_and_ends_when_it_cannot_go_on(clockwork: Time) -> None:
    ended, places = threading.Event(), []

    def walk(place: float) -> bool:
        places.append(place)
        clockwork.now += WALK_SECONDS / 2
        return len(places) < 3

    player = Player(walk, lambda playing: None if playing else ended.set())
    player.play(0.75)
    assert ended.wait(PATIENCE)
    assert places == pytest.approx([0.75, 0.75, 0.25])
    assert not player.playing
    player.close()
