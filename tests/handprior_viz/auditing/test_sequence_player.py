"""A sequence plays at its own speed, can be scrubbed, and says where it cannot be drawn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_tools.catalog import Catalog
from handprior_viz.auditing.flagged_sequences import FoundSequence, find_sequences, found_sequences
from handprior_viz.auditing.sequence_player import SequencePlayer, fault_bar
from tests.handprior_viz.made_up_audit import made_up_audit


@pytest.fixture(scope="module")
def grab(catalog: Catalog) -> FoundSequence:
    """The longest sequence of a dataset of healthy hands."""
    rows = find_sequences(catalog.sequences, "GRAB", "frames")
    return found_sequences(rows, made_up_audit([]).examples)[0]


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def player(demo_data: Path, errors: list[Exception]) -> Iterator[SequencePlayer]:
    made = SequencePlayer(demo_data, on_error=errors.append)
    yield made
    made.close()
    made.widget.close()


def test_it_is_not_seen_before_something_is_opened(player: SequencePlayer, grab: FoundSequence) -> None:
    assert player.widget.layout.display == "none"
    player.open(grab)
    assert player.settle()
    assert player.widget.layout.display == ""
    assert grab.place.name in player._title.markup
    assert player._rack.rows[0]["high"] == len(player.clip) - 1


def test_scrubbing_shows_that_frame(player: SequencePlayer, grab: FoundSequence) -> None:
    player.open(grab)
    player.settle()
    player._rack._hear(player._rack, {"moves": [[0, 7]], "gesture": 1}, [])
    assert player.settle()
    np.testing.assert_array_equal(player._view._pose, player.clip.poses[7])
    assert f"frame {player.clip.frames[7]:,} of the file" in player._now.markup


def test_it_plays_to_the_end_and_stops_there(player: SequencePlayer, grab: FoundSequence) -> None:
    player.open(replace(grab, place=replace(grab.place, stop=grab.place.start + 20)))
    player.settle()
    ended = threading.Event()
    player._button.observe(lambda change: ended.set() if change["new"] == "Play" else None, "description")
    player.play()
    assert player._button.description == "Pause"
    assert ended.wait(30)
    assert not player.is_playing
    assert player.position == len(player.clip) - 1
    assert player.settle()
    np.testing.assert_array_equal(player._view._pose, player.clip.poses[-1])
    assert player._rack.values == [player.position]


def test_pausing_stays_and_playing_goes_on_from_there(player: SequencePlayer, grab: FoundSequence) -> None:
    player.open(grab)
    player.settle()
    player.seek(5)
    player.toggle()
    assert player._button.description == "Pause"
    player.toggle()
    assert not player.is_playing
    assert player._button.description == "Play"
    assert player.position >= 5
    assert not [thread for thread in threading.enumerate() if thread.name == "player-play"]
    assert player.settle()
    np.testing.assert_array_equal(player._view._pose, player.clip.poses[player.position])
    assert player._rack.values == [player.position]


def test_playing_goes_on_at_the_frame_that_was_scrubbed_to(player: SequencePlayer, grab: FoundSequence) -> None:
    player.open(grab)
    player.settle()
    shown = threading.Event()
    player._rack.observe(lambda change: shown.set() if change["new"][0] > 60 else None, "values")
    player.play()
    player.seek(60)  # two seconds on
    assert shown.wait(30)
    player.pause()
    assert player.position > 60


def test_every_frame_begins_at_its_own_second(player: SequencePlayer, grab: FoundSequence) -> None:
    """Frame k at k / fps seconds, though that quotient times fps may come out below k."""
    player.open(grab)
    player.settle()
    for frame in range(len(player.clip)):
        player.clip = replace(player.clip, fps=29.97)
        player._clock.seek(frame / 29.97)
        player._show_next()
        assert player.position == frame


def test_a_frame_that_is_not_a_number_leaves_the_hands_and_says_so(player: SequencePlayer, grab) -> None:
    player.open(grab)
    player.settle()
    player.clip.poses[3] = np.nan
    player.seek(2)
    player.settle()
    player.seek(3)
    assert player.settle()
    np.testing.assert_array_equal(player._view._pose, player.clip.poses[2])
    assert "not a number here" in player._now.markup


def test_a_file_that_is_gone_is_told_and_the_next_one_plays(player: SequencePlayer, grab, errors) -> None:
    player.open(replace(grab, place=replace(grab.place, path="gone.npz")))
    assert player.settle()
    assert "gone.npz: not there any more" in str(errors[0])
    assert "cannot be played" in player._title.markup
    player.open(grab)
    assert player.settle()
    assert player.clip.place == grab.place


def test_the_bar_marks_faulty_frames_where_they_are(player: SequencePlayer, grab: FoundSequence) -> None:
    player.open(replace(grab, place=replace(grab.place, start=0, stop=100, fps=30.0, at=0)))
    player.settle()
    markup = fault_bar(player.clip, ((25, 50), (90, 200)))
    assert "left:25.00%;width:25.00%" in markup
    assert "left:90.00%;width:10.00%" in markup
    assert fault_bar(player.clip, ()) == ""


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_in_the_middle_of_playing_leaves_nothing(demo_data: Path, grab: FoundSequence) -> None:
    from handprior_viz.panel import Panel

    panel = Panel()
    player = SequencePlayer(demo_data)
    panel.ends_with(player)
    panel.arrange(player.widget)
    player.open(grab)
    player.settle()
    player.play()
    panel.close()
    assert not player.is_playing
