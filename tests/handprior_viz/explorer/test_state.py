"""The explorer's state: undo brings back what was, pins hold, walks end at their pins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handprior_viz.explorer.shown import NotFoundYet, Shown
from handprior_viz.explorer.state import STEPS_KEPT, ExplorerState

numbers = st.floats(-4, 4, allow_nan=False)
latents = st.lists(numbers, min_size=5, max_size=5)
actions = st.one_of(
    st.tuples(st.just("moved"), st.integers(0, 4), numbers),
    st.tuples(st.just("placed"), latents),
    st.tuples(st.just("posed"), latents),
    st.tuples(st.just("reset")),
    st.tuples(st.just("pinned"), st.sampled_from("ab")),
    st.tuples(st.just("unpinned"), st.sampled_from("ab")),
)


def act(state: ExplorerState, action: tuple) -> ExplorerState:
    """Do something, and find the other side of what is shown as an identity prior would: pose and latent alike."""
    name, *arguments = action
    state = getattr(state, name)(*arguments)
    return state.completed(state.shown, state.shown.values)


@given(st.lists(actions, max_size=30))
def test_undoing_everything_leads_back_to_the_start_and_redoing_to_the_end(steps: list[tuple]) -> None:
    start = state = ExplorerState.start(5)
    state = state.completed(state.shown, [0.0] * 5)
    for step in steps:
        state = act(state, step)
    back = state
    while back.can_undo:
        back = back.undone()
    assert back.now == start.now
    while back.can_redo:
        back = back.redone()
    assert back.now == state.now


@given(st.lists(actions, max_size=10), actions)
def test_a_new_step_forgets_what_was_undone(steps: list[tuple], last: tuple) -> None:
    state = act(ExplorerState.start(5), ("moved", 0, 1.0))
    for step in steps:
        state = act(state, step)
    undone = state.undone()
    after = act(undone, last)
    assert not after.can_redo or after.now == undone.now


def test_a_drag_is_one_step() -> None:
    state = ExplorerState.start(3)
    for value in np.linspace(0, 2, 50):
        state = state.moved(1, float(value), gesture=("slider", 7))
    assert state.latent == (0.0, 2.0, 0.0)
    assert state.undone().latent == (0.0, 0.0, 0.0)


def test_two_drags_are_two_steps() -> None:
    state = ExplorerState.start(3).moved(1, 1.0, gesture=1).moved(1, 2.0, gesture=2)
    assert state.undone().latent == (0.0, 1.0, 0.0)


def test_a_drag_after_an_undo_does_not_swallow_the_step_before() -> None:
    state = ExplorerState.start(1).moved(0, 1.0, gesture=1).moved(0, 2.0, gesture=2).undone()
    state = state.moved(0, 3.0, gesture=1)
    assert state.undone().latent == (1.0,)


def test_states_never_change() -> None:
    state = ExplorerState.start(2)
    state.moved(0, 1.0).pinned("a")
    assert state == ExplorerState.start(2)


def test_only_so_many_steps_are_kept() -> None:
    state = ExplorerState.start(1)
    for k in range(STEPS_KEPT + 50):
        state = state.moved(0, float(k + 1))
    assert len(state.past) == STEPS_KEPT
    assert state.undone().latent == (STEPS_KEPT + 49.0,)


def test_reset_keeps_the_pins() -> None:
    state = ExplorerState.start(2).moved(0, 1.0).pinned("a").reset()
    assert state.latent == (0.0, 0.0)
    assert state.now.pin_a == Shown.at([1.0, 0.0])


@pytest.mark.parametrize("blend", ["linear", "spherical"])
def test_a_walk_begins_and_ends_at_its_pins(blend) -> None:
    state = ExplorerState.start(2).placed([1.0, 0.5]).pinned("a").placed([-1.0, 2.0]).pinned("b").blended(blend)
    assert state.walked(0).latent == state.now.pin_a.latent
    assert state.walked(1).latent == state.now.pin_b.latent


def test_a_walk_is_undone_as_one_step() -> None:
    state = ExplorerState.start(1).moved(0, -1.0).pinned("a").moved(0, 1.0).pinned("b").moved(0, 3.0)
    for position in (0.1, 0.5, 0.9):
        state = state.walked(position)
    assert state.position == 0.9
    assert state.undone().latent == (3.0,)


def test_changing_the_blend_during_a_walk_takes_the_other_road() -> None:
    state = ExplorerState.start(2).placed([2, 0]).pinned("a").placed([0, 2]).pinned("b").walked(0.5)
    assert state.latent == pytest.approx((1, 1))
    assert state.blended("spherical").latent == pytest.approx((math.sqrt(2), math.sqrt(2)))


def test_a_walk_without_pins_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="pin one as A"):
        ExplorerState.start(2).pinned("a").walked(0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.moved(9, 0.0), "axis must be 0 to 2"),
        (lambda s: s.moved(0, math.nan), "finite"),
        (lambda s: s.placed([1.0]), "3 axes"),
        (lambda s: s.blended("cubic"), "linear"),
        (lambda s: s.pinned("c"), '"a" or "b"'),
        (lambda s: s.pinned("a").pinned("b").walked(1.5), "0 .pin A. to 1"),
        (lambda s: ExplorerState.start(0), "at least one"),
    ],
)
def test_wrong_arguments_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(ExplorerState.start(3))


def test_a_pose_that_was_set_is_shown_exactly_and_undone() -> None:
    state = ExplorerState.start(2).placed([1.0, 2.0]).posed([0.1, 0.2, 0.3])
    assert state.pose == (0.1, 0.2, 0.3)
    assert state.undone().latent == (1.0, 2.0)
    assert state.undone().redone().pose == (0.1, 0.2, 0.3)


def test_an_axis_goes_on_from_what_the_prior_finds_for_a_pose() -> None:
    state = ExplorerState.start(2).posed([0.1, 0.2, 0.3])
    with pytest.raises(NotFoundYet):
        state.moved(0, 1.0)
    found = state.completed(state.shown, [0.5, -0.5])
    assert found.shown == state.shown
    assert found.past == state.past  # not a step
    assert found.moved(0, 1.0).latent == (1.0, -0.5)


def test_what_was_found_for_another_pose_is_not_taken_for_this_one() -> None:
    state = ExplorerState.start(2).posed([0.1, 0.2, 0.3])
    later = state.posed([0.4, 0.5, 0.6]).completed(state.shown, [1.0, 1.0])
    with pytest.raises(NotFoundYet):
        _ = later.latent


def test_what_is_found_counts_for_the_pins_too_until_another_prior_comes() -> None:
    state = ExplorerState.start(1).posed([0.1, 0.2, 0.3]).pinned("a").placed([2.0])
    assert state.now.pin_a is not None
    state = state.completed(state.now.pin_a, [0.7])
    assert state.now.pin_a is not None
    assert state.now.pin_a.latent == (0.7,)
    forgotten = state.forgotten()
    assert forgotten.now == state.now
    assert forgotten.now.pin_a is not None
    assert not forgotten.now.pin_a.complete
    assert not any(one.shown.complete for one in forgotten.past)


def test_joints_walk_between_the_poses_themselves() -> None:
    """Two turns about one axis: halfway between them is half the angle."""
    state = ExplorerState.start(1).posed([0.0, 0.0, 0.2]).pinned("a").posed([0.0, 0.0, 1.0]).pinned("b")
    halfway = state.blended("joint slerp").walked(0.5)
    assert halfway.shown.by == "pose"
    assert halfway.pose == pytest.approx((0.0, 0.0, 0.6))
    with pytest.raises(NotFoundYet):
        state.walked(0.5)  # the straight way leads through latents, which nobody has asked for


def test_a_pose_of_numbers_that_are_none_is_refused() -> None:
    with pytest.raises(ValueError, match="pose must be finite"):
        ExplorerState.start(1).posed([0.0, math.nan, 0.0])
