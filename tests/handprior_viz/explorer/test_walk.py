"""Ways between poses: they begin and end where they should, and are those of scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import geometric_slerp
from scipy.spatial.transform import Rotation, Slerp

from handprior_viz.explorer.shown import NotFoundYet, Shown
from handprior_viz.explorer.walk import BLENDS, between, interpolate, slerp_joints, walk_poses
from training.prior import Prior

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


turns = st.lists(st.floats(-1.7, 1.7), min_size=6, max_size=6)  # two joints, at most 170 degrees each


@given(turns, turns, st.floats(0, 1))
def test_joints_turn_as_scipy_says(a: list[float], b: list[float], position: float) -> None:
    found = Rotation.from_rotvec(np.reshape(slerp_joints(a, b, position), (2, 3)))
    for joint in (slice(0, 3), slice(3, 6)):
        ends = Rotation.from_rotvec([a[joint], b[joint]])
        if (ends[0].inv() * ends[1]).magnitude() > 3.0:
            return  # which way round is shorter is anyone's guess
        expected = Slerp([0, 1], ends)(position)
        assert (found[joint.start // 3].inv() * expected).magnitude() < 1e-6


def test_joints_begin_and_end_exactly() -> None:
    a, b = [0.1, 0.2, 0.3], [1.0, -0.5, 0.25]
    assert slerp_joints(a, b, 0) == tuple(a)
    assert slerp_joints(a, b, 1) == tuple(b)


@pytest.fixture(scope="module")
def gaussian(store) -> Prior:
    from training.priors.gaussian import Gaussian

    prior = Gaussian.for_store(store)
    prior.fit(store)
    return prior


@pytest.mark.parametrize("blend", BLENDS)
def test_a_walk_is_what_stands_at_each_of_its_positions(gaussian: Prior, store, blend) -> None:
    """A pose set as such and a latent: the one is encoded, the other decoded where the way needs it."""
    pose, latent = store.split("test")[3], np.random.default_rng(0).standard_normal(gaussian.latent_dim)
    a, b = Shown.exactly(pose.tolist()), Shown.at(latent.tolist())
    found = walk_poses(gaussian, a, b, [0.0, 0.3, 1.0], blend)
    encoded = gaussian.encode(torch.from_numpy(pose.copy()))
    decoded = gaussian.decode(torch.from_numpy(latent).float())
    np.testing.assert_allclose(found[0], pose, atol=1e-5)
    np.testing.assert_allclose(found[2], decoded, atol=1e-5)
    if blend == "joint slerp":
        expected = slerp_joints(pose.tolist(), decoded.tolist(), 0.3)
    else:
        between_latents = interpolate(encoded.tolist(), latent.tolist(), 0.3, blend)
        expected = gaussian.decode(torch.tensor(between_latents))
    np.testing.assert_allclose(found[1], expected, atol=1e-5)


def test_no_steps_are_no_poses(gaussian: Prior) -> None:
    a = Shown.at([0.0] * gaussian.latent_dim)
    assert walk_poses(gaussian, a, a, [], "linear").shape == (0, 90)


def test_wrong_ways_and_positions_are_named(gaussian: Prior) -> None:
    a = Shown.at([0.0] * gaussian.latent_dim)
    with pytest.raises(ValueError, match="'joint slerp', got 'cubic'"):
        walk_poses(gaussian, a, a, [0.5], "cubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"0 \(pin A\) to 1"):
        walk_poses(gaussian, a, a, [1.5])


def test_a_way_through_what_nobody_knows_yet_has_to_wait() -> None:
    a, b = Shown.at([0.0]), Shown.exactly([0.0, 0.0, 1.0])
    with pytest.raises(NotFoundYet):
        between(a, b, 0.5, "linear")
    with pytest.raises(NotFoundYet):
        between(a, b, 0.5, "joint slerp")
