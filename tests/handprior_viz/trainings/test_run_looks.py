"""A run keeps its colour and stroke, whatever is deleted or started beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from handprior_viz.trainings.run_looks import FILE, look_numbers
from handprior_viz.trainings.watch import RunWatch
from training.run_folder import RunFolder


def looks(folder: Path) -> dict[str, object]:
    return {watched.run.name: watched.row.look for watched in RunWatch(folder).look()}


def test_deleting_a_run_changes_no_other_and_its_look_is_given_to_the_next(tmp_path: Path) -> None:
    first, second, third = (RunFolder.create(tmp_path, "gaussian") for _ in range(3))
    before = looks(tmp_path)
    assert len(set(before.values())) == 3
    shutil.rmtree(first.path)
    after = looks(tmp_path)
    assert after == {run.name: before[run.name] for run in (second, third)}
    new = RunFolder.create(tmp_path, "gaussian")
    assert looks(tmp_path) == after | {new.name: before[first.name]}


def test_a_curve_has_the_look_of_its_row(tmp_path: Path) -> None:
    runs = [RunFolder.create(tmp_path, "gaussian") for _ in range(2)]
    watch = RunWatch(tmp_path)
    watch.look()
    shutil.rmtree(runs[0].path)
    (left,) = watch.look()
    assert left.curve.look == left.row.look


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 1, "b": 1}', '{"a": "x"}', '{"a": -1}'])
def test_damaged_notes_count_as_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    assert look_numbers(tmp_path, ["a", "b"]) == {"a": 0, "b": 1}
    assert look_numbers(tmp_path, ["b"]) == {"b": 1}


def test_a_folder_that_cannot_be_written_numbers_runs_in_their_order(tmp_path: Path) -> None:
    assert look_numbers(tmp_path / "nowhere", ["a", "b"]) == {"a": 0, "b": 1}
    assert look_numbers(tmp_path / "nowhere", []) == {}
