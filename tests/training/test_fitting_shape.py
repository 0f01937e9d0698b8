"""Fits of hands of another shape, given or found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_tools.hand_model import HandModel
from tests.training.known_priors import correlated, drawn
from training.fitting import fit
from training.fitting_errors import fit_errors


def test_shape_coefficients_are_those_of_the_model() -> None:
    mano = HandModel(kind="mano")
    prior, betas = correlated(90)[0], np.array([1.5, -1.0], np.float32)
    truth = drawn(prior, 3)
    joints = mano.hands(truth, torch.from_numpy(betas), arrange="model").joints.flatten(1, 2)
    fitted = fit(joints, prior, model=mano, betas=betas, wrist="fixed", noise_mm=0.1)
    assert fit_errors(fitted, truth, joints=joints, model=mano, betas=betas).all_mm.mean < 0.1


@pytest.fixture(scope="module")
def hands() -> HandModel:
    return HandModel(kind="mano")


def right_points(hands: HandModel, pose: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
    """(frames, 21, 3) of right hands, by the whole hand model."""
    return hands.hands(torch.cat([torch.zeros_like(pose), pose], 1), betas, arrange="model").joints[:, 1]


def test_an_unknown_shape_is_found(hands: HandModel) -> None:
    """Errors are little more than with the true shape, and far below those with the mean one."""
    prior, betas = correlated(45)[0], np.array([1.5, -1.0, 0.8], np.float32)
    truth = drawn(prior, 8)
    joints = right_points(hands, truth, torch.from_numpy(betas))
    noisy = joints + 0.0005 * torch.randn(joints.shape, generator=torch.Generator().manual_seed(0))
    options = {"model": hands, "noise_mm": 0.5, "iterations": 40}
    fits = [fit(noisy, prior, **(options | given)) for given in ({}, {"shape": 3}, {"betas": betas})]
    mean, found, known = (fit_errors(one, truth, joints=joints, model=hands, betas=betas) for one in fits)
    assert found.all_mm.mean < 0.5 * mean.all_mm.mean
    assert found.vertices_mm.mean < 0.2 * mean.vertices_mm.mean
    assert found.all_mm.mean < 1.1 * known.all_mm.mean
    np.testing.assert_allclose(fits[1].betas, betas, atol=0.1)
    torch.testing.assert_close(fits[2].betas, torch.from_numpy(betas))


def test_a_shape_is_the_most_probable_one(hands: HandModel) -> None:
    """The slope by the shape of all frames' sum with its penalty, by autograd through the whole hand model."""
    prior = correlated(45)[0]
    truth = drawn(prior, 4)
    joints = right_points(hands, truth, torch.tensor([1.0, -0.5]))
    joints = joints + 0.003 * torch.randn(joints.shape, generator=torch.Generator().manual_seed(0))
    options = {"model": hands, "wrist": "fixed", "noise_mm": 3.0, "tolerance": 1e-6}
    fitted = fit(joints, prior, shape=4, **options)  # type: ignore[arg-type]
    again = fit(joints, prior, betas=fitted.betas.numpy(), **options)  # type: ignore[arg-type]
    torch.testing.assert_close(again.pose, fitted.pose, rtol=0, atol=1e-4)

    def slope(betas: torch.Tensor) -> torch.Tensor:
        at = betas.clone().requires_grad_(True)
        squares = (right_points(hands, fitted.pose, at) - joints).square().sum()
        return torch.autograd.grad(squares / (2 * 0.003**2) + 0.5 * at.square().sum(), at)[0]

    assert float(slope(fitted.betas).norm()) < 5e-3 * float(slope(torch.zeros(4)).norm())


def test_nothing_seen_is_the_mean_shape(hands: HandModel) -> None:
    fitted = fit(np.full((2, 21, 3), np.nan), model=hands, shape=3, iterations=3)
    assert fitted.betas.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shape": 11}, "shape must be 0 to 10, the coefficients of this hand model, got 11"),
        ({"shape": -1}, "shape must be 0 to 10"),
        ({"shape": 2, "betas": np.zeros(2)}, "leave betas out"),
    ],
)
def test_a_shape_that_makes_no_sense(hands: HandModel, given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(np.zeros((2, 21, 3)), model=hands, **given)
