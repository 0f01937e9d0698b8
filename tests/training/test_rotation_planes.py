"""Rotations as planes of numbers, against scipy and autograd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from training.rotation_planes import (
    angle_of,
    dot,
    half_sinc,
    log_volume,
    rotation_of,
    rotation_of_columns,
    seen_from,
)


def planes(vectors: np.ndarray | torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.as_tensor(vectors).movedim(-1, 0).contiguous().unbind()


def matrix(rotation: tuple[tuple[torch.Tensor, ...], ...]) -> torch.Tensor:
    return torch.stack([torch.stack(column, -1) for column in rotation], -1)


def relative(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Angle between the rotations of two sets of rotation vectors."""
    found, other = rotation_of(planes(first)), rotation_of(planes(second))
    return angle_of(rotation_of_columns(seen_from(found, other[0]), seen_from(found, other[1])))


@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.09, 0.11, 1.0, 3.0, math.pi])
def test_matrices_are_those_of_scipy(size: float) -> None:
    vectors = np.random.default_rng(0).normal(size=(200, 3))
    vectors *= size / np.linalg.norm(vectors, axis=1, keepdims=True)
    made = matrix(rotation_of(planes(vectors)))
    np.testing.assert_allclose(made.numpy(), Rotation.from_rotvec(vectors).as_matrix(), atol=1e-14)


def test_six_numbers_and_back_is_the_same_rotation() -> None:
    rotations = Rotation.random(5000, random_state=0)
    six = torch.from_numpy(rotations.as_matrix()[:, :, :2].astype(np.float32))
    made = matrix(rotation_of_columns(planes(six[..., 0]), planes(six[..., 1]))).double().numpy()
    assert (Rotation.from_matrix(made) * rotations.inv()).magnitude().max() < 1e-5


def test_nearly_columns_become_orthonormal() -> None:
    rng = np.random.default_rng(0)
    made = matrix(rotation_of_columns(planes(rng.normal(size=(500, 3))), planes(rng.normal(size=(500, 3)))))
    eye = torch.eye(3, dtype=torch.float64).expand_as(made)
    torch.testing.assert_close(made.mT @ made, eye, rtol=0, atol=1e-12)
    assert torch.linalg.det(made).min() > 0.999


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_angles_are_those_of_scipy_from_zero_to_pi(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(0)
    base = Rotation.random(2000, random_state=1)
    axes = rng.normal(size=(2000, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    size = np.concatenate([np.geomspace(1e-7, 1, 1000), math.pi - np.geomspace(1e-7, 2, 1000)])
    other = base * Rotation.from_rotvec(size[:, None] * axes)
    vectors = (torch.from_numpy(r.as_rotvec()).to(dtype) for r in (base, other))
    tolerance = 2e-6 if dtype == torch.float32 else 1e-14
    np.testing.assert_allclose(relative(*vectors).numpy(), size, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [0.0, 1e-20, 1e-9, 1e-4, 1.0, math.pi - 1e-4, math.pi])
def test_gradient_of_the_squared_angle_is_finite_and_right(size: float, dtype: torch.dtype) -> None:
    """At the identity it is twice the rotation vector between the two, turned round."""
    step = torch.tensor([[0.6, 0.0, 0.8]], dtype=dtype) * size
    at = torch.zeros(1, 3, dtype=dtype, requires_grad=True)
    relative(step, at).square().sum().backward()
    assert at.grad is not None
    assert torch.isfinite(at.grad).all()
    if size < math.pi:
        torch.testing.assert_close(at.grad, -2 * step, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("size", [0.0, 1e-20, 1e-9, 0.1, 3.0, math.pi])
def test_gradient_by_the_pose_is_finite(size: float) -> None:
    vectors = (torch.tensor([[0.6, 0.0, 0.8]]) * size).requires_grad_()
    square = dot(planes(vectors), planes(vectors))
    (relative(vectors, torch.zeros(1, 3)).square().sum() + log_volume(square).sum()).backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: relative(a, b).square(), (first.detach().requires_grad_(), second))
    squares = torch.tensor([1e-3, 0.0099, 0.0101, 1.0, 9.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(half_sinc, (squares,))


def test_columns_that_say_nothing_leave_finite_numbers() -> None:
    for first, second in ((torch.zeros(1, 3), torch.zeros(1, 3)), (torch.ones(1, 3), torch.ones(1, 3))):
        parts = [v.clone().requires_grad_() for v in (first, second)]
        angle_of(rotation_of_columns(*(planes(v) for v in parts))).square().sum().backward()
        assert all(v.grad is not None and torch.isfinite(v.grad).all() for v in parts)


def test_volume_is_the_determinant_of_the_exponential_map() -> None:
    """Against autograd: how far the matrix of a rotation turns, in its own frame, as its rotation vector moves."""
    for size in (1e-3, 0.5, 2.0, 3.1):
        at = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64) * size

        def turn(vector: torch.Tensor, base: torch.Tensor = at) -> torch.Tensor:
            change = matrix(rotation_of(planes(base))).mT @ matrix(rotation_of(planes(vector)))
            return torch.stack([change[2, 1] - change[1, 2], change[0, 2] - change[2, 0], change[1, 0] - change[0, 1]])

        jacobian = torch.autograd.functional.jacobian(turn, at) / 2
        expected = float(torch.linalg.slogdet(jacobian).logabsdet)
        assert log_volume(torch.tensor(size**2)).item() == pytest.approx(expected, abs=1e-6)
