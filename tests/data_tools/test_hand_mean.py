"""Mean-hand conventions: the order of adding and wrapping, and the refusal to guess."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_tools.hand_mean import equals_mean, to_model_pose
from data_tools.sequence import PoseSequence


def test_rel_adds_the_mean_before_wrapping() -> None:
    rng = np.random.default_rng(0)
    poses, mean = rng.normal(size=(50, 165)) * 2.5, rng.normal(size=90) * 0.5
    converted = to_model_pose(poses, "rel", mean)
    raw = poses.copy()
    raw[:, 75:] += mean
    np.testing.assert_allclose(
        Rotation.from_rotvec(converted.reshape(-1, 3)).as_matrix(),
        Rotation.from_rotvec(raw.reshape(-1, 3)).as_matrix(),
        atol=1e-12,
    )
    assert np.linalg.norm(converted.reshape(-1, 3), axis=1).max() <= np.pi + 1e-9


@pytest.mark.parametrize("convention", ["incl", "unknown"])
def test_other_conventions_only_wrap(convention: str) -> None:
    poses = np.random.default_rng(0).uniform(-1, 1, (5, 165))
    np.testing.assert_array_equal(to_model_pose(poses, convention, np.ones(90)), poses)


def test_rel_without_a_mean_is_refused() -> None:
    with pytest.raises(ValueError, match="SMPLX_MODEL_PATH"):
        to_model_pose(np.zeros((1, 165)), "rel")


def test_equals_mean_frame_by_frame() -> None:
    mean = np.linspace(-1, 1, 45)
    hands = np.stack([mean, mean + 5e-8, mean + 1e-2])
    np.testing.assert_array_equal(equals_mean(hands, mean), [True, True, False])


def test_a_sequence_refuses_wrong_shapes() -> None:
    poses, index = np.zeros((3, 165), np.float32), np.arange(3)
    assert len(PoseSequence("a", "b", "c.npz", poses, index)) == 3
    with pytest.raises(ValueError, match=r"c\.npz: left_valid has 2 entries for 3 frames"):
        PoseSequence("a", "b", "c.npz", poses, index, left_valid=np.ones(2, bool))
