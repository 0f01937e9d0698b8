"""What can be explored: a prior alone, a run that still trains, one that knows kinds of poses, one of whole bodies."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data_tools import balance, pack
from data_tools.mixing.mix_settings import Mix
from handprior_viz import LatentExplorer
from handprior_viz.explorer.explored import Explored
from handprior_viz.joint_angles import JOINT_ANGLES
from handprior_viz.panel import _family
from training import load_prior
from training.priors.gaussian import Gaussian
from training.priors.global_flow import GlobalFlow, GlobalFlowSettings
from training.run_folder import RunFolder


def press(explorer: LatentExplorer, label: str) -> None:
    """Press the button of this name."""
    found = [w for w in _family(explorer) if getattr(w, "description", None) == label]
    assert len(found) == 1
    found[0].click()


def test_a_prior_alone_will_do_and_says_what_is_missing(gaussian_run) -> None:
    explorer = LatentExplorer(load_prior(gaussian_run))
    assert "Give a store" in explorer.children[-2].markup
    with pytest.raises(ValueError, match="needs a store"):
        explorer.real_frame()
    explorer.close()


def test_a_run_is_waited_for_and_then_shows_what_was_asked_for(gaussian_run, store, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "gaussian")
    run.update_status(state="running", **run.claim())  # this process stands in for the training
    explorer = LatentExplorer(run, store)
    assert "waiting for the first checkpoint" in explorer._view.sentence.markup
    with pytest.raises(ValueError, match="no checkpoint yet"):
        _ = explorer.pose
    explorer.sample(seed=1)
    explorer.pin("a")
    adopted = threading.Event()
    explorer._view.sentence.observe(lambda _: adopted.set(), "markup")
    shutil.copy(gaussian_run.prior_file, run.prior_file)
    assert adopted.wait(60)
    assert explorer.settle(60)
    np.testing.assert_array_equal(explorer.latent, np.random.default_rng(1).standard_normal(90))
    assert explorer.state.now.pin_a == explorer.state.shown
    assert "still training" in explorer._view.sentence.markup
    explorer.close()


def test_a_run_that_ended_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "gaussian")
    run.update_status(state="failed")
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        LatentExplorer(run)


def test_samples_are_like_the_chosen_dataset_where_the_prior_has_learnt_datasets_apart(store, monkeypatch) -> None:
    prior = GlobalFlow.for_store(store, GlobalFlowSettings(K=2, hidden=8, condition="dataset"))
    prior.begin(store)
    drawn_like, pose = [], torch.from_numpy(store.split("test")[5].copy())
    monkeypatch.setattr(
        type(prior), "sample", lambda _, n, *, generator, condition: drawn_like.append(condition) or pose[None]
    )
    explorer = LatentExplorer(prior, store)
    picker = explorer._view.like.widget
    assert picker.layout.display is None
    beside = [box.children for box in _family(explorer) if picker in getattr(box, "children", ())]
    assert [w.description for w in beside[0]] == ["Sample", "like"]  # and nothing between: the row may break there
    names = [str(label) for label, _ in picker.options]
    assert names == ["all poses", *sorted(store.split_rows("train")["dataset"].cast(str).unique())]
    picker.value = names[3]
    press(explorer, "Sample")
    assert explorer.settle(60)
    assert drawn_like == [names[3]]
    np.testing.assert_array_equal(explorer.pose, pose)
    picker.value = None
    press(explorer, "Sample")
    assert explorer.settle(60)
    assert len(drawn_like) == 1  # all poses: the latent itself is drawn
    monkeypatch.undo()
    with pytest.raises(ValueError, match="no condition 'GRAP'"):
        explorer.sample(like="GRAP")
    explorer.close()


def test_a_whole_body_prior_moves_hands_and_shows_the_body_on_request(catalog, demo_data: Path, tmp_path: Path) -> None:
    balance(catalog, replace(Mix.default(), total=400), tmp_path / "splits")
    full = pack(tmp_path / "splits", demo_data, tmp_path / "store", pose="full")
    prior = Gaussian.for_store(full)
    prior.fit(full)
    explorer = LatentExplorer(prior, full)
    explorer.turn(JOINT_ANGLES[9], 44.0)
    assert explorer.settle(60)
    assert JOINT_ANGLES[9].measure(explorer.pose) == pytest.approx(44, abs=1e-3)
    assert explorer.pose.shape == (165,)
    assert explorer._view.look.body.layout.display is None
    hands = len(explorer.view.positions)
    explorer._view.look.body.value = True
    assert explorer.settle(60)
    assert len(explorer.view.positions) > hands
    explorer.close()


def test_explorers_of_one_store_read_it_once(gaussian_run, store) -> None:
    first, second = (Explored(gaussian_run, str(store.path)) for _ in range(2))
    assert first.store is second.store
    assert first.store is not store  # one that was given is left alone


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_frees_everything_even_while_playing(gaussian_run, store) -> None:
    threads = set(threading.enumerate())
    explorer = LatentExplorer(gaussian_run, store)
    explorer.sample(seed=1)
    explorer.pin("a")
    explorer.pin("b")
    explorer.play()
    explorer.close()
    for thread in set(threading.enumerate()) - threads:  # a cancelled timer takes a moment to wake up and go
        thread.join(10)
        assert not thread.is_alive(), thread
