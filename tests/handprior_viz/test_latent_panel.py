"""The latent explorer: every control moves one state, and the hands show what the state says."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from handprior_viz import LatentExplorer
from handprior_viz.panel import _family
from training import load_prior
from training.priors.global_flow import GlobalFlow, GlobalFlowSettings
from training.run_folder import RunFolder


@pytest.fixture(scope="module")
def shared(vae_run, store):
    made = LatentExplorer(vae_run, store)
    assert made.settle(60)
    yield made
    made.close()


@pytest.fixture
def explorer(shared: LatentExplorer) -> LatentExplorer:
    """One explorer for all tests, put back to the start."""
    shared._state = type(shared._state).start(shared.prior.latent_dim)
    shared._show(shared._state)
    return shared


def drag(explorer: LatentExplorer, rank: int, value: float, gesture: int = 1) -> None:
    explorer._axes.rack._hear(explorer._axes.rack, {"moves": [[rank, value]], "gesture": gesture}, [])


def drawn(explorer: LatentExplorer) -> np.ndarray:
    assert explorer.settle(60)
    return explorer.view._pose


def test_the_axes_that_move_most_come_first(explorer: LatentExplorer) -> None:
    effects = [axis.effect for axis in explorer.axes]
    assert effects == sorted(effects, reverse=True)
    assert len(explorer._axes.rack.rows) == 8
    assert explorer._axes.rack.rows[0]["unit"] == "sd"


def test_dragging_a_slider_moves_that_axis_and_draws_its_pose(explorer: LatentExplorer) -> None:
    before = drawn(explorer)
    drag(explorer, 0, 2.0)
    axis = explorer.axes[0].index
    assert explorer.latent[axis] == 2.0
    latent = torch.zeros(explorer.prior.latent_dim)
    latent[axis] = 2.0
    with torch.no_grad():
        expected = explorer.prior.decode(latent).numpy()
    np.testing.assert_allclose(drawn(explorer), expected, atol=1e-6)
    assert np.abs(drawn(explorer) - before).max() > 1e-3


def test_a_drag_is_undone_at_once_and_redone(explorer: LatentExplorer) -> None:
    for value in (0.5, 1.0, 2.0):
        drag(explorer, 0, value)
    explorer._undo.click()
    assert not explorer.latent.any()
    assert explorer._axes.rack.values[0] == 0
    assert explorer._undo.disabled
    explorer._redo.click()
    assert explorer._axes.rack.values[0] == 2.0


def test_sample_step_reset(explorer: LatentExplorer) -> None:
    explorer.sample(seed=3)
    sampled = explorer.latent
    np.testing.assert_array_equal(sampled, np.random.default_rng(3).standard_normal(12))
    explorer.step(seed=3)
    assert 0 < np.abs(explorer.latent - sampled).max() < 3
    explorer.reset()
    assert not explorer.latent.any()


def test_a_real_frame_is_shown_as_the_prior_sees_it_and_named(explorer: LatentExplorer, store) -> None:
    explorer.real_frame(seed=0)
    frame = int(np.random.default_rng(0).integers(len(store.split("test"))))
    with torch.no_grad():
        expected = explorer.prior.encode(torch.from_numpy(store.split("test")[frame].copy()))
    np.testing.assert_allclose(explorer.latent, expected, atol=1e-5)
    assert str(store.split_rows("test")["dataset"][frame]) in explorer._said.markup


def test_a_walk_needs_two_pins_and_leads_from_one_to_the_other(explorer: LatentExplorer) -> None:
    assert "A and B" in explorer._walk.way.disabled
    assert explorer._walk.play.disabled
    explorer.sample(seed=1)
    explorer.pin("a")
    explorer.sample(seed=2)
    explorer.pin("b")
    assert explorer._walk.way.disabled == ""
    explorer._walk.way._hear(explorer._walk.way, {"moves": [[0, 25]], "gesture": 1}, [])
    a, b = (np.random.default_rng(seed).standard_normal(12) for seed in (1, 2))
    np.testing.assert_allclose(explorer.latent, 0.75 * a + 0.25 * b)
    explorer._walk.blend.value = "spherical"
    assert np.linalg.norm(explorer.latent) > np.linalg.norm(0.75 * a + 0.25 * b)
    explorer._walk.blend.value = "linear"


def test_playing_moves_the_hands_until_paused(explorer: LatentExplorer) -> None:
    explorer.sample(seed=1)
    explorer.pin("a")
    explorer.sample(seed=2)
    explorer.pin("b")
    moved = threading.Event()
    explorer._walk.way.observe(lambda change: moved.set() if change["new"][0] > 1 else None, "values")
    explorer._walk.play.click()
    assert explorer._walk.play.description == "Pause"
    assert moved.wait(30)
    explorer._walk.play.click()
    assert explorer._player is None
    assert explorer._walk.play.description == "Play"
    explorer._walk.way.unobserve_all("values")


def test_a_walk_without_pins_is_refused_in_words(explorer: LatentExplorer) -> None:
    with pytest.raises(ValueError, match="pin one as A"):
        explorer.walk(0.5)


def test_all_axes_on_request(explorer: LatentExplorer) -> None:
    explorer._axes.all.value = True
    assert len(explorer._axes.rack.rows) == len(explorer._axes.rack.values) == 12
    drag(explorer, 11, 1.0)
    assert explorer.latent[explorer.axes[11].index] == 1.0
    explorer._axes.all.value = False
    assert len(explorer._axes.rack.rows) == 8


def test_the_pose_is_marked_among_the_datasets_without_drawing_them_again(explorer: LatentExplorer) -> None:
    assert explorer.settle(60)
    markup, marks = explorer._standing.strips.markup, explorer._standing.strips.marks
    assert markup.count('class="hp-strip"') == len(explorer.store.datasets)
    drag(explorer, 0, 2.5)
    assert explorer.settle(60)
    assert explorer._standing.strips.markup is markup
    assert explorer._standing.strips.marks["variables"]["--mark"] != marks["variables"]["--mark"]
    assert "this pose:" in explorer._standing.strips.marks["texts"]["mark"]


def test_another_joint_is_chosen_in_words(explorer: LatentExplorer) -> None:
    explorer._standing._finger.value = "right thumb"
    angles = dict(explorer._standing._motion.options)
    explorer._standing._motion.value = angles["last joint: bend"]
    assert explorer.settle(60)
    assert "right thumb, last joint" in explorer._standing.strips.markup
    explorer._standing._finger.value = "left index finger"


def test_the_plausibility_says_where_the_pose_lies_among_held_out_ones(explorer: LatentExplorer) -> None:
    assert explorer.settle(60)
    assert "held-out pose" in explorer._standing.gauge.marks["texts"]["verdict"]


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
    assert "waiting for the first checkpoint" in explorer._sentence.markup
    with pytest.raises(ValueError, match="no checkpoint yet"):
        _ = explorer.pose
    explorer.sample(seed=1)
    explorer.pin("a")
    adopted = threading.Event()
    explorer._sentence.observe(lambda _: adopted.set(), "markup")
    shutil.copy(gaussian_run.prior_file, run.prior_file)
    assert adopted.wait(60)
    assert explorer.settle(60)
    np.testing.assert_array_equal(explorer.latent, np.random.default_rng(1).standard_normal(90))
    assert explorer.state.now.pin_a == tuple(explorer.latent)
    assert "still training" in explorer._sentence.markup
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
    picker = explorer._like.widget
    assert picker.layout.display is None
    names = [str(label) for label, _ in picker.options]
    assert names == ["all poses", *sorted(store.split_rows("train")["dataset"].cast(str).unique())]
    picker.value = names[3]
    press(explorer, "Sample")
    assert drawn_like == [names[3]]
    np.testing.assert_allclose(explorer.pose, pose, atol=1e-4)
    picker.value = None
    press(explorer, "Sample")
    assert len(drawn_like) == 1  # all poses: the latent itself is drawn
    monkeypatch.undo()
    with pytest.raises(ValueError, match="no condition 'GRAP'"):
        explorer.sample(like="GRAP")
    explorer.close()


def test_a_prior_without_conditions_offers_none(explorer: LatentExplorer) -> None:
    assert explorer._like.widget.layout.display == "none"
    with pytest.raises(ValueError, match="without conditions"):
        explorer.sample(like="GRAB")


def press(explorer: LatentExplorer, label: str) -> None:
    """Press the button of this name."""
    found = [w for w in _family(explorer) if getattr(w, "description", None) == label]
    assert len(found) == 1
    found[0].click()


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
