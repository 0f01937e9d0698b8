"""Which runs are compared, what each is called, and that its prior fits the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data_tools.store import PoseStore
from handprior_viz.comparing.runs import LoadedPriors, compared_runs, first_choice
from handprior_viz.trainings.learning_curves import RunLook
from tests.handprior_viz.comparing.made_runs import folder as folder
from tests.handprior_viz.comparing.made_runs import runs as runs
from training.run_folder import RunFolder


def test_runs_without_a_prior_are_left_out_and_the_others_told_apart(runs) -> None:
    assert [run.title for run in runs] == ["Gaussian 31 Jan 14:25:01", "Hand VAE 31 Jan 14:25:02"]
    assert len({run.look for run in runs}) == 2
    assert [run.is_bound for run in runs] == [False, True]


def test_a_run_can_be_named_alone_and_several_in_any_order(folder: Path, runs) -> None:
    assert [run.name for run in compared_runs(runs[1].run.path)] == [runs[1].name]
    assert [run.name for run in compared_runs([runs[1].run.path, runs[0].run])] == [runs[1].name, runs[0].name]


def test_where_nothing_was_trained_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train one first"):
        compared_runs(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder of runs"):
        compared_runs(tmp_path / "nowhere")


def test_of_many_runs_the_newest_of_each_prior_is_ticked(runs) -> None:
    many = [replace(runs[k % 2], run=RunFolder(Path(f"/runs/{k}"))) for k in range(10)]
    assert first_choice(many) == ("8", "9")
    assert first_choice(many[:3]) == ("0", "1", "2")


def test_a_prior_of_another_store_is_refused_by_its_columns(runs, store: PoseStore) -> None:
    other = type("store", (), {"pose": "hand", "dim": 45, "path": Path("right")})()
    with pytest.raises(ValueError, match="45"):
        LoadedPriors(other).prior(runs[0])
    assert LoadedPriors(store).prior(runs[0]).dim == 90


def test_looks_are_the_same_as_in_the_training_panel(folder: Path) -> None:
    only = compared_runs([compared_runs(folder)[1].run.path])
    assert only[0].look == RunLook.of(1)
