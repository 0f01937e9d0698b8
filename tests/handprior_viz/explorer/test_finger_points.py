"""Finger joints and tips are where the hand model has them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from data_tools.hand_model import HandModel
from data_tools.pose_layout import mirror_hand
from handprior_viz.explorer.finger_points import POINTS, FingerPoints, apart


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture(scope="module")
def points(model: HandModel) -> FingerPoints:
    return FingerPoints(model)


def model_points(model: HandModel, poses: np.ndarray) -> np.ndarray:
    """Middle joint, last joint and tip of each finger from the wrist, millimetres, by the model's own skinning."""
    joints = 1000 * model.hands(poses.astype(np.float32), arrange="model").joints
    joints = joints - joints[:, :, :1]
    return np.stack([joints[:, :, 2:16:3], joints[:, :, 3:16:3], joints[:, :, 16:]], axis=3)


def test_points_are_those_of_the_model(points: FingerPoints, model: HandModel) -> None:
    poses = 0.6 * np.random.default_rng(0).standard_normal((50, 90))
    mine = points.of(poses).reshape(50, 2, 5, 3, 3)
    np.testing.assert_allclose(mine, model_points(model, poses), atol=0.05)


def test_more_frames_than_are_worked_on_at_once(points: FingerPoints, monkeypatch: pytest.MonkeyPatch) -> None:
    poses = 0.3 * np.random.default_rng(1).standard_normal((23, 90))
    whole = points.of(poses)
    monkeypatch.setattr("handprior_viz.explorer.finger_points.FRAMES_AT_ONCE", 5)
    np.testing.assert_allclose(points.of(poses), whole, atol=1e-4)


def test_every_layout_of_poses(points: FingerPoints) -> None:
    random = np.random.default_rng(2)
    right = 0.3 * random.standard_normal(45)
    both = np.concatenate([mirror_hand(right), right])
    full = np.concatenate([random.standard_normal(75), both])
    np.testing.assert_allclose(points.of(right), points.of(both), atol=1e-4)
    np.testing.assert_allclose(points.of(full), points.of(both), atol=1e-4)


def test_the_distance_is_a_root_mean_square_over_the_points(points: FingerPoints, model: HandModel) -> None:
    poses = 0.4 * np.random.default_rng(3).standard_normal((6, 90))
    flat = model_points(model, poses).reshape(6, -1)
    expected = cdist(flat[:1], flat)[0] / np.sqrt(POINTS)
    where = points.of(poses)
    np.testing.assert_allclose(apart(where[0], where), expected, atol=0.05)
