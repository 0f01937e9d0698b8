"""handprior.yaml: what it overrides, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_tools.dataset_notes import DatasetNotes


def write(folder: Path, text: str) -> Path:
    (folder / "handprior.yaml").write_text(text)
    return folder


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    notes = DatasetNotes.read(tmp_path)
    assert notes == DatasetNotes()
    assert notes.convention("GRAB", "incl") == "incl"
    assert notes.rate("GRAB", None) is None


def test_a_named_dataset_overrides_its_files_and_the_default_fills_in(tmp_path: Path) -> None:
    notes = DatasetNotes.read(
        write(tmp_path, "synthetic: true\nhand_mean: {default: incl, GRAB: rel}\nfps: {default: 30, SFU: 59.94}\n")
    )
    assert notes.synthetic
    assert notes.convention("GRAB", "incl") == "rel"
    assert notes.convention("KIT", "rel") == "rel"
    assert notes.convention("KIT", "unknown") == "incl"
    assert (notes.rate("SFU", 30.0), notes.rate("KIT", 120.0), notes.rate("KIT", None)) == (59.94, 120.0, 30.0)


def test_the_nearest_note_says_which_hand(tmp_path: Path) -> None:
    notes = DatasetNotes.read(write(tmp_path, "hand_sides: {A: left, A/one: [right, left], default: right}\n"))
    assert [notes.sides(place) for place in ("A/two/x", "A/one/x", "A/one", "B/one")] == [
        *(("left",), ("right", "left"), ("right", "left"), ("right",))
    ]
    assert notes.with_conventions({"A": "rel"}).sides("A") == ("left",)
    assert DatasetNotes().sides("A") is None


def test_an_argument_overrides_the_file(tmp_path: Path) -> None:
    notes = DatasetNotes.read(write(tmp_path, "hand_mean: {GRAB: rel}\n")).with_conventions({"GRAB": "incl"})
    assert notes.convention("GRAB", "unknown") == "incl"
    with pytest.raises(ValueError, match="hand_mean: GRAB must be one of incl, rel, unknown, got 'flat'"):
        notes.with_conventions({"GRAB": "flat"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hands_man: []", "unknown key 'hands_man'; did you mean 'hand"),
        ("synthetic: 1", "synthetic must be true or false, got 1"),
        ("hand_mean: rel", "hand_mean must map dataset names"),
        ("hand_mean: {GRAB: both}", "GRAB must be one of incl, rel, unknown, got 'both'"),
        ("fps: {GRAB: fast}", "fps: GRAB must be a positive number, got 'fast'"),
        ("fps: {GRAB: 0}", "GRAB must be a positive number"),
        ("hands_mean: [1, 2, 3]", "hands_mean must be 90 finite numbers"),
        ("hands_mean: " + str([float("inf")] * 90).replace("inf", ".inf"), "hands_mean must be 90 finite numbers"),
        ("hands_mean: yes please", "hands_mean must be 90 finite numbers"),
        ("hand_sides: {GRAB: up}", "hand_sides: GRAB must be left, right or a list of both, got 'up'"),
        ("hand_sides: {GRAB: [left, left]}", "GRAB must be left, right or a list of both"),
        ("hand_sides: left", "hand_sides must map dataset names"),
        ("synthetic: true\nsynthetic: false", "'synthetic' is written twice"),
    ],
)
def test_wrong_notes_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        DatasetNotes.read(write(tmp_path, text))
    assert "handprior.yaml" in str(caught.value)
