"""Rotation vectors against scipy's independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from data_tools.rotations import geodesic_angle, principal_pose, principal_rotvec, rotvec_to_quaternion

COMPONENT = st.floats(-9.0, 9.0, allow_nan=False)
VECTOR = st.tuples(COMPONENT, COMPONENT, COMPONENT).map(np.array)


@given(VECTOR)
def test_principal_rotvec_is_the_same_rotation_and_short(rotvec: np.ndarray) -> None:
    principal = principal_rotvec(rotvec)
    assert np.linalg.norm(principal) <= np.pi + 1e-12
    np.testing.assert_allclose(
        Rotation.from_rotvec(principal).as_matrix(), Rotation.from_rotvec(rotvec).as_matrix(), atol=1e-12
    )


def test_principal_rotvec_is_not_component_wise_wrapping() -> None:
    rotvec = np.array([3.3, 0.6, 0.2])
    wrapped = (rotvec + np.pi) % (2 * np.pi) - np.pi
    assert np.degrees(geodesic_angle(rotvec, wrapped)) > 40
    assert geodesic_angle(rotvec, principal_rotvec(rotvec)) < 1e-12


def test_principal_vectors_come_back_bit_for_bit() -> None:
    rotvec = np.random.default_rng(0).uniform(-1.8, 1.8, (1000, 3)).astype(np.float32)
    assert principal_rotvec(rotvec).tobytes() == rotvec.tobytes()


def test_principal_pose_works_joint_by_joint() -> None:
    pose = np.random.default_rng(0).normal(size=(4, 165)) * 4
    np.testing.assert_array_equal(principal_pose(pose)[2, 30:33], principal_rotvec(pose[2, 30:33]))


@given(VECTOR, VECTOR)
def test_geodesic_angle_against_scipy(first: np.ndarray, second: np.ndarray) -> None:
    expected = (Rotation.from_rotvec(first).inv() * Rotation.from_rotvec(second)).magnitude()
    assert geodesic_angle(first, second) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-5, np.pi - 1e-9, np.pi])
def test_geodesic_angle_is_exact_at_zero_and_at_pi(angle: float) -> None:
    assert geodesic_angle(np.zeros(3), np.array([0.0, angle, 0.0])) == pytest.approx(angle, abs=1e-12)


@given(VECTOR)
def test_quaternion_against_scipy(rotvec: np.ndarray) -> None:
    ours, theirs = rotvec_to_quaternion(rotvec), Rotation.from_rotvec(rotvec).as_quat(scalar_first=True)
    assert abs(abs(ours @ theirs) - 1) < 1e-12
