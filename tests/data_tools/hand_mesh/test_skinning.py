"""Posing: the fast path against the real smplx library, for all kinds of input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_tools.hand_model import HandModel
from tests.data_tools.hand_mesh.poses import random_poses

WRISTS = (20, 21)


@pytest.mark.parametrize("which", ["body", "mano", "licensed"])
def test_fast_path_equals_smplx(which: str, request: pytest.FixtureRequest) -> None:
    """Pose correctives and shape included, within 1e-4 m."""
    model = (
        HandModel(request.getfixturevalue("licensed_file")) if which == "licensed" else request.getfixturevalue(which)
    )
    poses = random_poses(3)
    betas = (1.5 * np.random.default_rng(1).normal(size=(3, 10))).astype(np.float32)
    for shape in (None, betas, betas[0]):
        hands, full = model.hands(poses, shape, arrange="model"), model.full(poses, shape)
        np.testing.assert_allclose(hands.vertices, full.vertices[:, model.vertex_ids], atol=1e-5)
        for side, wrist in enumerate(WRISTS):
            first = 16 * side if model.kind == "mano" else 25 + 15 * side
            ids = range(first, first + 16) if model.kind == "mano" else [wrist, *range(first, first + 15)]
            np.testing.assert_allclose(hands.joints[:, side, :16], full.joints[:, ids], atol=1e-5)
    if model.kind == "smplx":
        smplx_tips = full.joints[:, 66:76].reshape(3, 2, 5, 3)[:, :, [1, 2, 4, 3, 0]]
        np.testing.assert_allclose(hands.joints[:, :, 16:], smplx_tips, atol=1e-5)


def test_full_takes_whole_poses(body: HandModel) -> None:
    pose = np.zeros(165, np.float32)
    pose[75:] = random_poses()
    np.testing.assert_allclose(body.full(pose).vertices, body.full(pose[75:]).vertices, atol=1e-6)
    pose[3 * 18 + 1] = -1.0  # bend the left elbow
    assert np.abs(body.full(pose).joints[20] - body.full(pose[75:]).joints[20]).max() > 0.1


def test_gradients_equal_those_of_smplx(body: HandModel) -> None:
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(len(body.side), 3, generator=generator)
    gradients = []
    for path in ("fast", "full"):
        pose = torch.from_numpy(random_poses(2)).requires_grad_()
        betas = torch.full((10,), 0.3, requires_grad=True)
        if path == "fast":
            vertices = body.hands(pose, betas, arrange="model").vertices
        else:
            vertices = body.full(pose, betas).vertices[:, torch.from_numpy(body.vertex_ids)]
        gradients.append(torch.autograd.grad((vertices * direction).sum(), (pose, betas)))
    for fast, full in zip(*gradients, strict=True):
        assert fast.abs().max() > 0.01
        torch.testing.assert_close(fast, full, rtol=1e-3, atol=1e-4)


def test_gradient_at_the_flat_hand_is_finite_and_right(body: HandModel) -> None:
    """Rodrigues' formula divides by the angle; at zero its derivative is the cross product."""
    pose = torch.zeros(90, requires_grad=True)
    joints = body.hands(pose, arrange="model").joints
    (gradient,) = torch.autograd.grad(joints[0, 16, 1], pose)  # height of the left index tip
    arm = (joints[0, 16] - joints[0, 1]).detach()
    expected = torch.linalg.cross(torch.eye(3), arm.expand(3, 3))[:, 1]
    torch.testing.assert_close(gradient[:3], expected, rtol=0.1, atol=2e-3)


@pytest.mark.parametrize("batch", [(), (1,), (5,), (2, 3), (0,), (70,)], ids=str)
def test_any_batch_shape(batch: tuple[int, ...], body: HandModel) -> None:
    poses = random_poses(*batch)
    mesh = body.hands(poses)
    assert mesh.vertices.shape == (*batch, len(body.side), 3)
    assert mesh.joints.shape == (*batch, 2, 21, 3)
    assert mesh.vertices.dtype == np.float32
    for index in list(np.ndindex(*batch))[-2:]:
        np.testing.assert_allclose(mesh.vertices[index], body.hands(poses[index]).vertices, atol=1e-6)


def test_arrays_give_arrays_and_tensors_tensors(body: HandModel) -> None:
    poses = random_poses(2).astype(np.float64)
    from_array, from_tensor = body.hands(poses), body.hands(torch.from_numpy(poses))
    assert isinstance(from_array.vertices, np.ndarray)
    assert isinstance(from_tensor.vertices, torch.Tensor)
    np.testing.assert_array_equal(from_array.vertices, from_tensor.vertices.numpy())


def test_shape_prepared_once_and_shapes_per_frame(body: HandModel) -> None:
    betas = np.random.default_rng(2).normal(size=(70, 10)).astype(np.float32)
    poses = random_poses(70)
    each = body.hands(poses, betas).vertices  # longer than one internal piece
    for k in (0, 69):
        prepared = body.shape(betas[k])
        np.testing.assert_allclose(body.hands(poses[k], prepared).vertices, each[k], atol=1e-6)
        np.testing.assert_allclose(body.hands(poses[k], betas[k, :10]).vertices, each[k], atol=1e-6)
    assert np.abs(body.hands(poses[0]).vertices - each[0]).max() > 1e-3


def test_wrong_input_is_refused_in_words(body: HandModel) -> None:
    with pytest.raises(ValueError, match=r"pose must be \(\.\.\., 90\)"):
        body.full(np.zeros((2, 45), np.float32))
    with pytest.raises(ValueError, match="betas has 301 shape coefficients, the model has 300"):
        body.hands(np.zeros(90, np.float32), np.zeros(301, np.float32))
