"""Angles in words mean what they say, on either hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from data_tools.joint_axes import JOINT_FRAMES, angles_from_pose, pose_from_angles
from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from handprior_viz.joint_angles import JOINT_ANGLES, JOINT_WORDS, by_finger


def both(left: np.ndarray) -> np.ndarray:
    return np.concatenate([left, mirror_hand(left)])


def find(finger: str, words: str):
    return next(angle for angle in by_finger()[finger] if angle.words == words)


@pytest.mark.parametrize("hand", ["left", "right"])
def test_a_fist_is_bent_and_a_flat_hand_is_not(hand: str) -> None:
    poses = named_poses()
    angle = find(f"{hand} index finger", "middle joint: bend")
    assert angle.measure(both(poses["fist"])) > 60
    assert abs(angle.measure(both(poses["flat"]))) < 15


@pytest.mark.parametrize("hand", ["left", "right"])
def test_spread_fingers_are_spread(hand: str) -> None:
    poses = named_poses()
    angle = find(f"{hand} little finger", "first joint: spread")
    assert abs(angle.measure(both(poses["spread"])) - angle.measure(both(poses["flat"]))) > 5


def test_all_angles_agree_with_those_of_a_whole_hand() -> None:
    left = np.random.default_rng(0).normal(scale=0.4, size=(7, 45))
    expected = np.rad2deg(angles_from_pose(left))
    for angle in JOINT_ANGLES:
        found = angle.measure(np.concatenate([left, mirror_hand(left)], axis=-1))
        np.testing.assert_allclose(found, expected[:, angle.joint, angle.motion], atol=1e-6)


def test_a_full_pose_gives_the_same_as_its_hands() -> None:
    pose = np.random.default_rng(1).normal(scale=0.3, size=165)
    angle = find("right thumb", "first joint: towards the palm")
    assert angle.measure(pose) == pytest.approx(angle.measure(pose[75:]))


def test_one_hand_is_measured_as_a_right_one_and_as_its_mirror_image() -> None:
    hands = np.random.default_rng(1).normal(scale=0.3, size=(4, 90))
    for motion in ("first joint: bend", "first joint: spread"):
        right, left = (find(f"{side} index finger", motion) for side in ("right", "left"))
        np.testing.assert_allclose(right.measure(hands[:, 45:]), right.measure(hands))
        np.testing.assert_allclose(left.measure(mirror_hand(hands[:, :45])), left.measure(hands))


def test_every_angle_has_its_own_words() -> None:
    assert len({(angle.finger, angle.words) for angle in JOINT_ANGLES}) == 90


def test_a_wrong_width_is_named() -> None:
    with pytest.raises(ValueError, match="got 12"):
        JOINT_ANGLES[0].measure(np.zeros(12))


@given(st.sampled_from(JOINT_ANGLES), st.integers(0, 2**32 - 1), st.floats(-80, 80))
def test_putting_an_angle_keeps_the_joints_other_two_and_every_other_joint(angle, seed: int, degrees: float) -> None:
    left = np.deg2rad(np.random.default_rng(seed).uniform(-60, 60, (15, 3)))
    pose = both(pose_from_angles(left))
    found = angle.put(pose, degrees)
    expected = np.rad2deg(np.stack([left, left]))
    expected[1 if angle.hand == "right" else 0, angle.joint, angle.motion] = degrees
    measured = [angles_from_pose(found[:45]), angles_from_pose(mirror_hand(found[45:]))]
    np.testing.assert_allclose(np.rad2deg(measured), expected, atol=1e-6)
    np.testing.assert_array_equal(np.flatnonzero(found != pose) // 3, angle.joint + 15 * (angle.hand == "right"))


@given(st.sampled_from(JOINT_ANGLES[:45]), st.tuples(*[st.floats(-80, 80)] * 3), st.floats(-80, 80))
def test_a_put_joint_turns_as_scipy_says(angle, start: tuple[float, float, float], degrees: float) -> None:
    """Three turns about the joint's own axes, one after the other, are the rotation that the pose holds."""
    wanted = list(start)
    wanted[angle.motion] = degrees

    def composed(angles: tuple[float, ...] | list[float]) -> Rotation:
        axes = JOINT_FRAMES[angle.joint]
        flexion, abduction, twist = (Rotation.from_rotvec(np.deg2rad(a) * axes[k]) for k, a in enumerate(angles))
        return flexion * abduction * twist

    pose = np.zeros(90)
    joint = slice(3 * angle.joint, 3 * angle.joint + 3)
    pose[joint] = composed(start).as_rotvec()
    found = Rotation.from_rotvec(angle.put(pose, degrees)[joint])
    assert (found.inv() * composed(wanted)).magnitude() < 1e-7


@pytest.mark.parametrize("angle", [JOINT_ANGLES[3], JOINT_ANGLES[60]])
def test_an_angle_is_put_into_any_layout(angle) -> None:
    full = np.random.default_rng(2).normal(scale=0.3, size=(4, 165))
    found = angle.put(full, 20.0)
    np.testing.assert_array_equal(found[:, :75], full[:, :75])
    np.testing.assert_allclose(found[:, 75:], angle.put(full[:, 75:], 20.0))
    one_hand = full[:, 120:]
    np.testing.assert_allclose(angle.measure(angle.put(one_hand, 20.0)), 20.0)


def test_putting_into_a_wrong_width_is_named() -> None:
    with pytest.raises(ValueError, match="got 12"):
        JOINT_ANGLES[0].put(np.zeros(12), 10.0)


def test_named_poses_lie_about_where_hands_usually_go() -> None:
    for name in ("flat", "fist", "spread"):
        pose = both(named_poses()[name])
        for angle in JOINT_ANGLES:
            low, high = angle.usual
            assert low - 20 <= angle.measure(pose) <= high + 20, (name, angle)


def test_joints_have_words() -> None:
    assert JOINT_WORDS[0] == "left index finger, first joint"
    assert JOINT_WORDS[29] == "right thumb, last joint"
    assert len(set(JOINT_WORDS)) == 30
