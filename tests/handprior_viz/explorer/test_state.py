"""The explorer's state: undo brings back what was, pins hold, walks end at their pins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import geometric_slerp

from handprior_viz.explorer.state import STEPS_KEPT, ExplorerState, interpolate

numbers = st.floats(-4, 4, allow_nan=False)
latents = st.lists(numbers, min_size=5, max_size=5)
actions = st.one_of(
    st.tuples(st.just("moved"), st.integers(0, 4), numbers),
    st.tuples(st.just("placed"), latents),
    st.tuples(st.just("reset")),
    st.tuples(st.just("pinned"), st.sampled_from("ab")),
    st.tuples(st.just("unpinned"), st.sampled_from("ab")),
)


def act(state: ExplorerState, action: tuple) -> ExplorerState:
    name, *arguments = action
    return getattr(state, name)(*arguments)


@given(st.lists(actions, max_size=30))
def test_undoing_everything_leads_back_to_the_start_and_redoing_to_the_end(steps: list[tuple]) -> None:
    start = state = ExplorerState.start(5)
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
    state = ExplorerState.start(5).moved(0, 1.0)
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
    assert state.now.pin_a == (1.0, 0.0)


@pytest.mark.parametrize("blend", ["linear", "spherical"])
def test_a_walk_begins_and_ends_at_its_pins(blend) -> None:
    state = ExplorerState.start(2).placed([1.0, 0.5]).pinned("a").placed([-1.0, 2.0]).pinned("b").blended(blend)
    assert state.walked(0).latent == state.now.pin_a
    assert state.walked(1).latent == state.now.pin_b


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


directions = st.lists(st.floats(-3, 3), min_size=4, max_size=4).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(directions, directions, st.floats(0.01, 0.99))
def test_spherical_directions_are_those_of_scipy(a: list[float], b: list[float], position: float) -> None:
    ua, ub = np.array(a) / np.linalg.norm(a), np.array(b) / np.linalg.norm(b)
    if abs(ua @ ub) > 0.999:
        return
    found = np.array(interpolate(a, b, position, "spherical"))
    expected_length = (1 - position) * np.linalg.norm(a) + position * np.linalg.norm(b)
    assert np.linalg.norm(found) == pytest.approx(expected_length, rel=1e-9)
    np.testing.assert_allclose(found / np.linalg.norm(found), geometric_slerp(ua, ub, position), atol=1e-7)


@pytest.mark.parametrize("b", [[0.0, 0.0], [2.0, 0.0], [-1.0, 0.0]])
def test_spherical_falls_back_to_the_straight_line_where_the_angle_says_nothing(b: list[float]) -> None:
    assert interpolate([1.0, 0.0], b, 0.25, "spherical") == pytest.approx([0.75 + 0.25 * b[0], 0.0])
