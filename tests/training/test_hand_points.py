"""Points of the hand against the whole hand model, and their motion against its automatic derivative."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from data_tools.hand_model import HandModel
from training.hand_points import Skeletons, left_jacobian, rotation_matrices


@pytest.fixture(scope="module", params=["smplx", "mano"])
def model(request: pytest.FixtureRequest) -> HandModel:
    return HandModel(kind=request.param)


def poses(count: int) -> torch.Tensor:
    pose = torch.from_numpy(np.random.default_rng(0).normal(0, 0.5, (count, 2, 45)))
    pose[0] = 0  # where formulas divide by the angle
    pose[1] *= 1e-5
    return pose


@pytest.mark.parametrize("betas", [None, np.array([1.0, -2.0, 0.5], np.float32)])
def test_points_are_those_of_the_hand_model(model: HandModel, betas: np.ndarray | None) -> None:
    pose = poses(6)
    shape = None if betas is None else torch.from_numpy(betas)
    expected = model.hands(pose.flatten(1).float(), shape, arrange="model").joints
    for sides in ((0, 1), (1,), (0,)):
        actual = Skeletons.of(model, sides, betas).points(pose[:, list(sides)])
        torch.testing.assert_close(actual.float(), expected[:, list(sides)], rtol=0, atol=2e-6)


def test_motion_is_the_derivative_of_the_hand_model(model: HandModel) -> None:
    pose = poses(3).float()
    _, motion = Skeletons.of(model, (0, 1)).points_and_motion(pose.double())

    def points(flat: torch.Tensor) -> torch.Tensor:
        return model.hands(flat, arrange="model").joints

    for frame in range(3):
        whole = torch.autograd.functional.jacobian(points, pose[frame].flatten()).unflatten(-1, (2, 45))
        for hand in range(2):
            torch.testing.assert_close(motion[frame, hand].float(), whole[hand, :, :, hand], rtol=1e-3, atol=2e-6)


def test_rotations_are_scipys() -> None:
    vectors = np.random.default_rng(1).normal(0, 1.5, (50, 3))
    vectors[0] *= 1e-6
    expected = Rotation.from_rotvec(vectors).as_matrix()
    np.testing.assert_allclose(rotation_matrices(torch.from_numpy(vectors)), expected, atol=1e-12)
    change = 1e-6 * np.random.default_rng(2).normal(size=(50, 3))
    moved = Rotation.from_rotvec(vectors + change) * Rotation.from_rotvec(vectors).inv()
    predicted = (left_jacobian(torch.from_numpy(vectors)) @ torch.from_numpy(change)[..., None])[..., 0]
    np.testing.assert_allclose(predicted, moved.as_rotvec(), atol=1e-11)


def test_too_many_shape_coefficients_are_refused(model: HandModel) -> None:
    with pytest.raises(ValueError, match="betas must be one set of at most"):
        Skeletons.of(model, (0, 1), np.zeros(model.num_betas + 1))
