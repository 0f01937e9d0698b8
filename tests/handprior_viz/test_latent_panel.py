"""The latent explorer: every control moves one state, and the hands show what the state says."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from handprior_viz import LatentExplorer
from handprior_viz.explorer.shortcuts import Shortcuts
from handprior_viz.explorer.state import ExplorerState
from handprior_viz.joint_angles import JOINT_ANGLES
from handprior_viz.panel import _family


@pytest.fixture(scope="module")
def shared(vae_run, store):
    made = LatentExplorer(vae_run, store)
    assert made.settle(60)
    yield made
    made.close()


@pytest.fixture
def explorer(shared: LatentExplorer) -> LatentExplorer:
    """One explorer for all tests, put back to the start."""
    start = ExplorerState.start(shared.prior.latent_dim)
    shared._exploration.change(lambda _: start, at_once=True)
    shared._view.tabs.open("Axes")
    return shared


def drag(explorer: LatentExplorer, rank: int, value: float, gesture: int = 1) -> None:
    explorer._view.axes.rack._hear(explorer._view.axes.rack, {"moves": [[rank, value]], "gesture": gesture}, [])


def drawn(explorer: LatentExplorer) -> np.ndarray:
    assert explorer.settle(60)
    return explorer.view._pose


def test_the_axes_that_move_most_come_first(explorer: LatentExplorer) -> None:
    effects = [axis.effect for axis in explorer.axes]
    assert effects == sorted(effects, reverse=True)
    assert len(explorer._view.axes.rack.rows) == 8
    assert explorer._view.axes.rack.rows[0]["unit"] == "sd"


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
    explorer._view.toolbar.undo.click()
    assert not explorer.latent.any()
    assert explorer._view.axes.rack.values[0] == 0
    assert explorer._view.toolbar.undo.disabled
    explorer._view.toolbar.redo.click()
    assert explorer._view.axes.rack.values[0] == 2.0


def test_sample_step_reset(explorer: LatentExplorer) -> None:
    explorer.sample(seed=3)
    sampled = explorer.latent
    np.testing.assert_array_equal(sampled, np.random.default_rng(3).standard_normal(12))
    explorer.step(seed=3)
    assert 0 < np.abs(explorer.latent - sampled).max() < 3
    explorer.reset()
    assert not explorer.latent.any()


def test_a_real_frame_is_shown_exactly_and_named(explorer: LatentExplorer, store) -> None:
    explorer.real_frame(seed=0)
    frame = int(np.random.default_rng(0).integers(len(store.split("test"))))
    expected = store.split("test")[frame]
    np.testing.assert_array_equal(explorer.pose, expected)
    np.testing.assert_array_equal(drawn(explorer), expected)
    assert str(store.split_rows("test")["dataset"][frame]) in explorer._said.markup
    with torch.no_grad():
        latent = explorer.prior.encode(torch.from_numpy(expected.copy()))
    np.testing.assert_allclose(explorer.latent, latent, atol=1e-5)
    sliders = [float(latent[axis.index]) for axis in explorer.axes[:8]]
    assert explorer._view.axes.rack.values == pytest.approx(sliders, abs=1e-5)


def test_how_far_the_prior_is_from_a_real_frame_is_said_and_its_version_is_a_click_away(
    explorer: LatentExplorer, store
) -> None:
    explorer.real_frame(seed=0)
    assert explorer.settle(60)
    pose = explorer.pose
    with torch.no_grad():
        version = explorer.prior.decode(explorer.prior.encode(torch.from_numpy(pose))).numpy()
    first, second = (Rotation.from_rotvec(one.reshape(30, 3).astype(float)) for one in (pose, version))
    apart = np.rad2deg((first.inv() * second).magnitude())
    assert f"{apart.mean():.1f}° off per joint" in explorer._view.seen.widget.markup
    assert f"{apart.max():.0f}° at most" in explorer._view.seen.widget.markup
    explorer._view.seen.widget._hear(None, {"event": "as_prior"}, [])
    np.testing.assert_allclose(drawn(explorer), version, atol=1e-5)
    assert "as the prior makes it" in explorer._view.seen.widget.markup
    explorer.undo()
    np.testing.assert_array_equal(drawn(explorer), pose)


def turn(explorer: LatentExplorer, rank: int, degrees: float, gesture: int = 1) -> None:
    rack = explorer._view.joints.rack
    rack._hear(rack, {"moves": [[rank, degrees]], "gesture": gesture}, [])


def test_a_joint_slider_turns_that_joint_alone_and_the_axes_follow(explorer: LatentExplorer) -> None:
    explorer.sample(seed=5)
    before, at = drawn(explorer).copy(), list(explorer._view.axes.rack.values)
    explorer._view.tabs.open("Joints")
    explorer._view.joints.finger.value = "ring"
    explorer._view.joints.hand.value = "right"
    assert explorer.settle(60)
    rows, values = explorer._view.joints.rack.rows, explorer._view.joints.rack.values
    assert [row["label"] for row in rows[:2]] == ["first joint: bend", "first joint: spread"]
    assert tuple(rows[0]["usual"]) == (0.0, 90.0)
    bend = next(a for a in JOINT_ANGLES if a.finger == "right ring finger" and a.words == "first joint: bend")
    assert values[0] == pytest.approx(float(bend.measure(before)), abs=1e-4)
    for degrees in (40.0, 55.0):
        turn(explorer, 0, degrees)
    after = drawn(explorer)
    assert bend.measure(after) == pytest.approx(55, abs=1e-3)
    np.testing.assert_array_equal(np.flatnonzero(after != before) // 3, [15 + bend.joint] * 3)
    assert explorer._view.axes.rack.values != at
    explorer.undo()
    np.testing.assert_array_equal(drawn(explorer), before)  # the whole drag
    assert explorer._view.axes.rack.values == pytest.approx(at)
    assert explorer._view.joints.rack.values == pytest.approx(values)


def test_both_hands_are_turned_alike(explorer: LatentExplorer) -> None:
    explorer.sample(seed=6)
    explorer._view.tabs.open("Joints")
    explorer._view.joints.hand.value = "both"
    explorer._view.joints.finger.value = "thumb"
    turn(explorer, 3, 33.0)
    pose = drawn(explorer)
    turned = [a for a in JOINT_ANGLES if "thumb" in a.finger and a.words == "middle joint: bend"]
    assert [float(angle.measure(pose)) for angle in turned] == pytest.approx([33, 33], abs=1e-3)
    assert explorer._view.joints.rack.values[3] == pytest.approx(33, abs=1e-3)
    explorer._view.joints.hand.value = "left"


def test_an_axis_goes_on_from_a_turned_pose(explorer: LatentExplorer) -> None:
    explorer.turn(JOINT_ANGLES[9], 60.0)
    found = explorer.latent.copy()
    drag(explorer, 0, 1.0)
    assert explorer.settle(60)
    found[explorer.axes[0].index] = 1.0
    np.testing.assert_allclose(explorer.latent, found)
    np.testing.assert_allclose(drawn(explorer), explorer.pose, atol=1e-6)


def test_a_pose_of_another_layout_is_refused(explorer: LatentExplorer) -> None:
    with pytest.raises(ValueError, match="have 90 columns, got shape"):
        explorer.show_pose(np.zeros(45))


def test_a_walk_needs_two_pins_and_leads_from_one_to_the_other(explorer: LatentExplorer) -> None:
    assert "A and B" in explorer._view.walk.way.disabled
    assert explorer._view.walk.play.disabled
    explorer.sample(seed=1)
    explorer.pin("a")
    explorer.sample(seed=2)
    explorer.pin("b")
    assert explorer._view.walk.way.disabled == ""
    explorer._view.walk.way._hear(explorer._view.walk.way, {"moves": [[0, 25]], "gesture": 1}, [])
    a, b = (np.random.default_rng(seed).standard_normal(12) for seed in (1, 2))
    np.testing.assert_allclose(explorer.latent, 0.75 * a + 0.25 * b)
    explorer._view.ways.blend.value = "spherical"
    assert np.linalg.norm(explorer.latent) > np.linalg.norm(0.75 * a + 0.25 * b)
    np.testing.assert_allclose(explorer.walk_poses(5)[1], explorer.pose, atol=1e-5)
    explorer._view.ways.blend.value = "linear"


def test_the_ways_between_the_pins_are_shown_side_by_side_and_clicked(explorer: LatentExplorer) -> None:
    explorer._view.tabs.open("Walk")
    assert explorer.settle(60)
    assert "Pin a pose as A" in explorer._view.ways._about.markup
    explorer.sample(seed=1)
    explorer.pin("a")
    first = drawn(explorer).copy()
    explorer.sample(seed=2)
    explorer.pin("b")
    second = drawn(explorer).copy()
    assert explorer.settle(60)
    shown, cards = explorer._view.ways.grid._shown
    assert [card["title"] for card in cards[::5]] == ["linear", "spherical", "joint slerp"]
    np.testing.assert_allclose(shown[::5], [first] * 3, atol=1e-5)
    np.testing.assert_allclose(shown[4::5], [second] * 3, atol=1e-5)
    explorer._view.ways._stop(12)  # the middle of the last row
    np.testing.assert_allclose(drawn(explorer), shown[12], atol=1e-5)
    assert explorer._view.ways.blend.value == explorer.state.blend == "joint slerp"
    assert explorer._view.walk.way.values == [50.0]
    explorer.blend("linear")


def pinned(explorer: LatentExplorer) -> list[str]:
    """Which pins offer to be taken off."""
    return [name for name, made in explorer._view.walk.unpins.items() if made.layout.display != "none"]


def test_a_pin_is_taken_off_and_that_is_undone(explorer: LatentExplorer) -> None:
    assert pinned(explorer) == []
    explorer.sample(seed=1)
    explorer.pin("a")
    at = explorer.state.now.pin_a
    explorer.pin("b")
    assert pinned(explorer) == ["a", "b"]
    explorer._view.walk.unpins["a"].click()
    assert explorer.state.now.pin_a is None
    assert pinned(explorer) == ["b"]
    assert explorer._view.walk.play.disabled
    explorer._view.toolbar.undo.click()
    assert explorer.state.now.pin_a == at
    assert pinned(explorer) == ["a", "b"]
    explorer.unpin("b")
    assert explorer.state.now.pin_b is None


def test_taking_a_pin_off_ends_the_walk_that_plays(explorer: LatentExplorer) -> None:
    explorer.sample(seed=1)
    explorer.pin("a")
    explorer.pin("b")
    ended = threading.Event()
    explorer._view.walk.play.observe(lambda change: ended.set() if change["new"] == "Play" else None, "description")
    explorer.play()
    explorer.unpin("a")
    assert ended.wait(30)
    assert not explorer._view.player.playing
    explorer._view.walk.play.unobserve_all("description")


def test_playing_moves_the_hands_until_paused(explorer: LatentExplorer) -> None:
    explorer.sample(seed=1)
    explorer.pin("a")
    explorer.sample(seed=2)
    explorer.pin("b")
    moved = threading.Event()
    explorer._view.walk.way.observe(lambda change: moved.set() if change["new"][0] > 1 else None, "values")
    explorer._view.walk.play.click()
    assert explorer._view.walk.play.description == "Pause"
    assert moved.wait(30)
    explorer._view.walk.play.click()
    assert not explorer._view.player.playing
    assert explorer._view.walk.play.description == "Play"
    explorer._view.walk.way.unobserve_all("values")


def test_a_walk_without_pins_is_refused_in_words(explorer: LatentExplorer) -> None:
    with pytest.raises(ValueError, match="pin one as A"):
        explorer.walk(0.5)


def test_ctrl_z_undoes_and_redoes(explorer: LatentExplorer) -> None:
    keys = next(widget for widget in _family(explorer) if isinstance(widget, Shortcuts))
    drag(explorer, 0, 2.0)
    keys._hear(None, {"key": "undo"}, [])
    assert not explorer.latent.any()
    keys._hear(None, {"key": "redo"}, [])
    assert explorer.latent.any()


def test_all_axes_on_request(explorer: LatentExplorer) -> None:
    explorer._view.axes.all.value = True
    assert len(explorer._view.axes.rack.rows) == len(explorer._view.axes.rack.values) == 12
    drag(explorer, 11, 1.0)
    assert explorer.latent[explorer.axes[11].index] == 1.0
    explorer._view.axes.all.value = False
    assert len(explorer._view.axes.rack.rows) == 8


def test_the_pose_is_marked_among_the_datasets_without_drawing_them_again(explorer: LatentExplorer) -> None:
    assert explorer.settle(60)
    markup, marks = explorer._view.standing.figure.markup, explorer._view.standing.figure.marks
    assert markup.count('class="hp-strip"') == len(explorer.store.datasets)
    drag(explorer, 0, 2.5)
    assert explorer.settle(60)
    assert explorer._view.standing.figure.markup is markup
    assert explorer._view.standing.figure.marks["variables"]["--mark"] != marks["variables"]["--mark"]
    assert "this pose:" in explorer._view.standing.figure.marks["texts"]["mark"]


def test_another_joint_is_chosen_in_words(explorer: LatentExplorer) -> None:
    explorer._view.standing._angles.finger.value = "right thumb"
    angles = dict(explorer._view.standing._angles.motion.options)
    explorer._view.standing._angles.motion.value = angles["last joint: bend"]
    assert explorer.settle(60)
    assert "right thumb, last joint" in explorer._view.standing.figure.markup
    explorer._view.standing._angles.finger.value = "left index finger"


def test_the_plausibility_says_where_the_pose_lies_among_held_out_ones(explorer: LatentExplorer) -> None:
    assert explorer.settle(60)
    assert "held-out pose" in explorer._view.standing.gauge.marks["texts"]["verdict"]


def test_a_prior_without_conditions_offers_none(explorer: LatentExplorer) -> None:
    assert explorer._view.like.widget.layout.display == "none"
    with pytest.raises(ValueError, match="without conditions"):
        explorer.sample(like="GRAB")


def test_the_hands_are_coloured_by_how_far_they_are_from_another_pose(explorer: LatentExplorer) -> None:
    colour = explorer._view.look.colour
    explorer.sample(seed=1)
    explorer.pin("a")
    colour.value = "a"
    explorer.sample(seed=2)
    assert explorer.settle(60)
    model = explorer.view.model
    sampled = [explorer.pose, np.array(explorer.state.now.pin_a.pose, np.float32)]
    first, second = (model.hands(pose).vertices for pose in sampled)
    expected = 1000 * np.linalg.norm(first - second, axis=-1)
    np.testing.assert_allclose(explorer.view._colouring.values, expected, atol=0.01)
    colour.value = "prior"
    assert explorer.settle(60)
    assert explorer.view._colouring is None  # the prior made this pose: nothing to compare
    explorer.turn(JOINT_ANGLES[9], 80.0)
    assert explorer.settle(60)
    assert explorer.view._colouring is not None
    colour.value = "skin"
    assert explorer.settle(60)
    assert explorer.view._colouring is None
