"""The layout against smplx, which defines it, and against the geometry of a mirror."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from smplx.joint_names import JOINT_NAMES as SMPLX_JOINT_NAMES

from data_tools import pose_layout as layout


def test_joint_names_are_those_of_smplx() -> None:
    theirs = [name.replace("_smplhf", "") for name in SMPLX_JOINT_NAMES[:55]]
    assert list(layout.JOINT_NAMES) == theirs


def test_the_tree_hangs_together() -> None:
    assert layout.PARENTS[0] == -1
    assert all(parent < joint for joint, parent in enumerate(layout.PARENTS))
    for joint, name in enumerate(layout.JOINT_NAMES):
        if name[-1] in "23" and joint >= 25:
            assert layout.JOINT_NAMES[layout.PARENTS[joint]] == f"{name[:-1]}{int(name[-1]) - 1}"
        if name[-1] == "1" and joint >= 25:
            assert layout.JOINT_NAMES[layout.PARENTS[joint]] == f"{name.split('_')[0]}_wrist"


def test_columns_cover_the_pose_once_in_order() -> None:
    covered = np.concatenate([np.arange(165)[columns] for columns in layout.COLUMNS.values()])
    np.testing.assert_array_equal(covered, np.arange(165))
    assert layout.COLUMN_NAMES[layout.COLUMNS["left_hand_pose"].start] == "left_index1_x"
    assert layout.COLUMN_NAMES[layout.COLUMNS["right_hand_pose"].stop - 1] == "right_thumb3_z"


def test_mirroring_is_conjugation_with_a_reflection() -> None:
    hand = np.random.default_rng(0).normal(size=(7, 45))
    reflection = np.diag([-1.0, 1.0, 1.0])
    expected = reflection @ Rotation.from_rotvec(hand.reshape(-1, 3)).as_matrix() @ reflection
    mirrored = Rotation.from_rotvec(layout.mirror_hand(hand).reshape(-1, 3)).as_matrix()
    np.testing.assert_allclose(mirrored, expected, atol=1e-12)


def test_mirroring_both_hands_twice_changes_nothing() -> None:
    hands = np.random.default_rng(0).normal(size=(7, 90)).astype(np.float32)
    np.testing.assert_array_equal(layout.mirror_hands(layout.mirror_hands(hands)), hands)
    np.testing.assert_array_equal(layout.mirror_hands(hands)[:, :45], layout.mirror_hand(hands[:, 45:]))


def test_53_to_55_and_back() -> None:
    pose = np.random.default_rng(0).normal(size=(5, 159))
    full = layout.expand_53_to_55(pose)
    assert full.shape == (5, 165)
    assert not full[:, 69:75].any()
    np.testing.assert_array_equal(full[:, 66:69], pose[:, 66:69])
    np.testing.assert_array_equal(full[:, 75:], pose[:, 69:])
    np.testing.assert_array_equal(layout.drop_eyes(full), pose)


def test_53_joints_are_all_but_the_eyes() -> None:
    assert len(layout.JOINT_NAMES_53) == 53
    assert set(layout.JOINT_NAMES) - set(layout.JOINT_NAMES_53) == {"left_eye", "right_eye"}


def test_shapes_are_checked_in_tests() -> None:
    with pytest.raises(Exception, match="45"):
        layout.mirror_hand(np.zeros((2, 48)))
