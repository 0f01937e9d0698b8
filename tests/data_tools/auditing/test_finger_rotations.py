"""Fast rotations agree with the slow ones, angle by angle and turn by turn."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.auditing.finger_rotations import anatomical_angles, norms, planes, quaternions, turns
from data_tools.joint_axes import angles_from_pose
from data_tools.pose_layout import mirror_hand
from data_tools.rotations import geodesic_angle, principal_pose


@pytest.fixture
def hands() -> np.ndarray:
    rng = np.random.default_rng(0)
    hands = principal_pose(rng.normal(0, 1.0, (50, 90)))
    hands[0], hands[1, :3] = 0, [np.pi, 0, 0]
    return hands.astype(np.float32)


def rotations(hands: np.ndarray) -> np.ndarray:
    vectors = planes(hands)
    return quaternions(vectors, norms(vectors))


def test_angles_are_those_of_the_joint_axes(hands: np.ndarray) -> None:
    fast = anatomical_angles(rotations(hands)).transpose(1, 2, 0)
    np.testing.assert_allclose(fast[2:, :15], angles_from_pose(hands[2:, :45]), atol=2e-4)
    np.testing.assert_allclose(fast[2:, 15:], angles_from_pose(mirror_hand(hands[2:, 45:])), atol=2e-4)
    assert not fast[0].any()


def test_turns_are_geodesic_angles_also_across_pi(hands: np.ndarray) -> None:
    steps = turns(rotations(hands))
    joints = hands.reshape(-1, 30, 3).astype(np.float64)
    np.testing.assert_allclose(norms(steps), geodesic_angle(joints[:-1], joints[1:]), atol=2e-3)
    near_pi = np.zeros((2, 90), np.float32)
    near_pi[0, 0], near_pi[1, 0] = np.pi - 0.01, 0.01 - np.pi  # 0.02 rad apart, on the two sides of pi
    np.testing.assert_allclose(turns(rotations(near_pi))[:, 0, 0], [0.02, 0, 0], atol=1e-5)


def test_small_turns_keep_their_digits() -> None:
    hands = np.full((3, 90), 0.3, np.float32)
    hands[1] += 1e-4
    angle = norms(turns(rotations(hands)))
    np.testing.assert_allclose(angle[0], 1e-4 * np.sqrt(3), rtol=1e-2)
