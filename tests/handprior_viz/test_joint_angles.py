"""Angles in words mean what they say, on either hand."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.joint_axes import angles_from_pose
from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from handprior_viz.joint_angles import JOINT_ANGLES, by_finger


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
