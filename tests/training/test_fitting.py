"""Fits against scipy, autograd, closed forms, and poses that are known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roma
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from scipy.stats import multivariate_normal
from torch import Tensor

from data_tools.hand_model import HandModel
from data_tools.pose_layout import HANDS_COLUMNS, mirror_hand
from tests.training.known_priors import TIPS, correlated, drawn, placed
from training.checkpoints import load_prior
from training.fitting import Fitted, fit
from training.fitting_errors import fit_errors
from training.metrics import hand_points
from training.prior import PoseStatistics, Prior
from training.priors.gaussian import Gaussian
from training.priors.global_flow import GlobalFlow, GlobalFlowSettings
from training.priors.hand_vae import HandVAE, HandVAESettings


def test_full_joints_are_met_without_a_prior(model: HandModel) -> None:
    truth = drawn(correlated(90)[0], 12)
    joints = hand_points(truth, model)
    fitted = fit(joints, model=model, wrist="fixed")
    assert fitted.converged.all()
    assert float(torch.linalg.vector_norm(fitted.points - joints, dim=-1).max()) < 1e-5
    errors = fit_errors(fitted, truth, model=model)
    assert errors.hidden_mm is None
    assert errors.all_mm.mean < 0.01


def test_turned_and_moved_wrists_are_found(model: HandModel) -> None:
    truth = drawn(correlated(90)[0], 8)
    joints, turn, place = placed(hand_points(truth, model))
    fitted = fit(joints, model=model)
    assert float(torch.linalg.vector_norm(fitted.points - joints, dim=-1).max()) < 1e-5
    np.testing.assert_allclose(fitted.wrist_position.reshape(-1, 1, 3), place, atol=1e-5)
    apart = Rotation.from_rotvec(fitted.wrist_rotation.reshape(-1, 3).numpy()) * turn.inv()
    assert float(np.degrees(apart.magnitude()).max()) < 0.01


def test_rotations_are_recovered_where_joints_determine_them(model: HandModel) -> None:
    """Fingers that only flex, one number to a joint: nothing about them is hidden from their joints."""
    prior = correlated(90)[0]
    flexing = np.zeros(90, bool)
    flexing[2::3] = True  # z, the axis most nearly across the fingers
    own = np.where(flexing, 0.3, 0).astype(np.float32)
    bent = Gaussian(PoseStatistics("hands", own, own + 1e-5, flexing, prior.mean_pose().numpy()))
    truth = drawn(bent, 10)
    fitted = fit(hand_points(truth, model), bent, model=model, wrist="fixed", noise_mm=0.02)
    errors = fit_errors(fitted, truth, model=model)
    assert errors.all_mm.mean < 0.01
    assert errors.degrees.mean < 0.1
    np.testing.assert_array_equal(fitted.pose[:, ~flexing], truth[:, ~flexing])  # constants are not touched


@pytest.mark.parametrize("wrist", ["fixed", "free"])
def test_finger_tips_give_what_scipy_finds(model: HandModel, wrist: str) -> None:
    prior, mean, covariance = correlated(45)
    joints = hand_points(drawn(prior, 3), model)[:, TIPS].double()
    given = torch.full((3, 21, 3), torch.nan, dtype=torch.float64)
    given[:, TIPS] = joints
    fitted = fit(given, prior, model=model, noise_mm=4.0, wrist=wrist, tolerance=1e-7)  # type: ignore[arg-type]
    precision = torch.from_numpy(np.linalg.inv(covariance))
    constant = -multivariate_normal(mean, covariance).logpdf(mean)
    rest = model.hands(torch.zeros(90), arrange="model").joints[1, 0].double()

    def objective(numbers: np.ndarray, frame: int) -> tuple[float, np.ndarray]:
        x = torch.from_numpy(numbers).requires_grad_(True)
        posed = model.hands(torch.cat([torch.zeros(45), x[:45].float()]), arrange="model").joints[1, TIPS].double()
        turned = (posed - rest) @ roma.rotvec_to_rotmat(x[45:48]).T + rest + 0.02 * x[48:] if wrist == "free" else posed
        apart = x[:45] - torch.from_numpy(mean)
        loss = (turned - joints[frame]).square().sum() / (2 * 0.004**2) + 0.5 * apart @ precision @ apart + constant
        loss.backward()
        return float(loss.detach()), x.grad.numpy()

    for frame in range(3):
        start = np.concatenate([mean, np.zeros(6 if wrist == "free" else 0)])
        options = {"maxiter": 4000, "maxfun": 8000, "ftol": 1e-11, "gtol": 1e-7}
        own = minimize(objective, start, (frame,), jac=True, method="L-BFGS-B", options=options)
        assert float(fitted.objective[frame]) == pytest.approx(own.fun, abs=0.02)
        np.testing.assert_allclose(fitted.pose[frame], own.x[:45], atol=0.02)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (HandVAE, HandVAESettings(hidden=64, n_layers=1, importance_samples=16)),
        (GlobalFlow, GlobalFlowSettings(K=3, hidden=64)),
    ],
)
def test_fits_end_where_the_whole_gradient_vanishes(model: HandModel, kind: type[Prior], settings: Any) -> None:
    torch.manual_seed(0)
    prior = kind(PoseStatistics("hands", *_moments(90)), settings).eval().requires_grad_(False)
    for parameter in prior.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    joints = hand_points(drawn(correlated(90)[0], 4), model)
    fitted = fit(joints, prior, model=model, noise_mm=3.0, wrist="fixed", tolerance=1e-6)
    assert fitted.converged.all()

    def objective(pose: Tensor) -> Tensor:
        apart = model.hands(pose, arrange="model").joints.flatten(1, 2) - joints
        return apart.square().sum((1, 2)) / (2 * 0.003**2) + prior.energy(pose)

    def slope(pose: Tensor) -> Tensor:
        at = pose.clone().requires_grad_(True)
        return torch.autograd.grad(objective(at).sum(), at)[0]

    torch.testing.assert_close(objective(fitted.pose), fitted.objective, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(prior.energy(fitted.pose), fitted.energy, rtol=1e-4, atol=1e-2)
    start = slope(prior.mean_pose().expand(4, -1)).norm(dim=1)
    assert bool((slope(fitted.pose).norm(dim=1) < 1e-3 * start).all())


def _moments(dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    _, mean, covariance = correlated(dim)
    spread = np.sqrt(np.diag(covariance)).astype(np.float32)
    return mean.astype(np.float32), spread, np.ones(dim, bool), np.zeros(dim, np.float32)


def test_nothing_seen_gives_the_priors_mode(model: HandModel) -> None:
    prior, mean, _ = correlated(90)
    fitted = fit(np.full((2, 42, 3), np.nan), prior, model=model)
    np.testing.assert_allclose(fitted.pose, np.tile(mean, (2, 1)), atol=2e-3)
    assert fitted.residual_mm.isnan().all()


def test_unseen_columns_follow_the_conditional_mean(model: HandModel) -> None:
    """Of a whole-body Gaussian, the body is where the hands lead one to expect it."""
    prior, mean, covariance = correlated(165)
    truth = drawn(prior, 3)
    fitted = fit(hand_points(truth, model), prior, model=model, wrist="fixed", tolerance=1e-8)
    hands = np.arange(165)[HANDS_COLUMNS]
    body = np.setdiff1d(np.arange(165), hands)
    gain = covariance[np.ix_(body, hands)] @ np.linalg.inv(covariance[np.ix_(hands, hands)])
    pose = fitted.pose.numpy().astype(np.float64)
    np.testing.assert_allclose(pose[:, body], mean[body] + (pose[:, hands] - mean[hands]) @ gain.T, atol=2e-3)
    assert fit_errors(fitted, truth, model=model).all_mm.mean < 0.5


def test_left_hands_are_the_mirror_image_of_right_ones(model: HandModel) -> None:
    prior = correlated(45)[0]
    right = hand_points(drawn(prior, 4), model)
    left = right * torch.tensor([-1.0, 1, 1])
    options = {"model": model, "seen": "fingertips", "wrist": "fixed"}
    as_right, as_left = fit(right, prior, **options), fit(left, prior, hand="left", **options)
    assert as_left.hands == ("left",)
    np.testing.assert_allclose(as_left.pose, mirror_hand(as_right.pose.numpy()), atol=1e-3)
    torch.testing.assert_close(as_left.energy, as_right.energy, rtol=1e-4, atol=1e-2)


def test_a_prior_of_one_hand_fits_both_each_by_itself(model: HandModel) -> None:
    prior = correlated(45)[0]
    right, other = drawn(prior, 4), drawn(prior, 4, seed=2)
    truth = torch.cat([torch.from_numpy(mirror_hand(other.numpy())), right], dim=1)
    joints = hand_points(truth, model)
    both = fit(joints, prior, model=model, noise_mm=2.0)
    alone = [fit(part, prior, model=model, noise_mm=2.0, hand=hand) for part, hand in _halves(joints)]
    torch.testing.assert_close(both.pose, torch.cat([each.pose for each in alone], dim=1), rtol=0, atol=2e-3)
    torch.testing.assert_close(both.energy, alone[0].energy + alone[1].energy, rtol=1e-3, atol=2e-2)


def _halves(joints: Tensor) -> list[tuple[Tensor, str]]:
    return [(joints[:, :21], "left"), (joints[:, 21:], "right")]


def test_one_seen_hand_says_where_the_other_is(model: HandModel) -> None:
    prior = correlated(90)[0]
    joints = hand_points(drawn(prior, 3), model)
    alone = fit(joints[:, 21:], prior, model=model, wrist="fixed")
    hidden = torch.cat([torch.full((3, 21, 3), torch.nan), joints[:, 21:]], dim=1)
    torch.testing.assert_close(alone.pose, fit(hidden, prior, model=model, wrist="fixed").pose, rtol=0, atol=0)
    assert alone.hands == ("left", "right")
    assert alone.seen.sum(1).tolist() == [21] * 3


@pytest.mark.parametrize("wrist", ["fixed", "free"])
def test_a_prior_beats_none_on_finger_tips(model: HandModel, wrist: str) -> None:
    prior = correlated(45)[0]
    truth = drawn(prior, 20)
    joints = hand_points(truth, model)
    options = {"model": model, "seen": "fingertips", "wrist": wrist, "start": prior.mean_pose()}
    without, helped = (fit_errors(fit(joints, p, **options), truth, model=model) for p in (None, prior))
    assert helped.hidden_mm is not None
    assert without.hidden_mm is not None
    assert helped.hidden_mm.mean < 0.5 * without.hidden_mm.mean
    assert helped.degrees.mean < 0.7 * without.degrees.mean


def test_a_prior_beats_none_on_noise(model: HandModel) -> None:
    prior = correlated(45)[0]
    truth = drawn(prior, 12)
    noisy = hand_points(truth, model) + 0.005 * torch.randn(12, 21, 3, generator=torch.Generator().manual_seed(0))
    options = {"model": model, "wrist": "fixed", "noise_mm": 5.0, "start": prior.mean_pose()}
    without, helped = (fit_errors(fit(noisy, p, **options), truth, model=model) for p in (None, prior))
    assert helped.all_mm.mean < 0.8 * without.all_mm.mean


def test_equal_seeds_give_equal_fits_and_restarts_never_do_worse(model: HandModel) -> None:
    prior = correlated(45)[0]
    joints, _, _ = placed(hand_points(drawn(prior, 4), model))
    options = {"model": model, "seen": "fingertips", "restarts": 1}
    first, again = (fit(joints, prior, seed=3, **options) for _ in range(2))
    torch.testing.assert_close(first.pose, again.pose, rtol=0, atol=0)
    once = fit(joints, prior, model=model, seen="fingertips", seed=3)
    assert bool((first.objective <= once.objective + 1e-6).all())


def test_the_documented_lines_reach_what_fit_reaches(demo_run: Path, model: HandModel) -> None:
    """The ten lines of docs/fitting.md, run as they stand there."""
    page = (Path(__file__).parents[2] / "docs" / "fitting.md").read_text()
    (lines,) = re.findall(r"```python\n(# Ten lines.*?)```", page, flags=re.DOTALL)
    prior = load_prior(demo_run)
    joints = hand_points(drawn(prior, 4), model)
    names: dict[str, object] = {"run": demo_run, "joints": joints}
    exec(compile(lines, "docs/fitting.md", "exec"), names)
    own = names["pose"]
    assert isinstance(own, Tensor)
    fitted: Fitted = fit(joints, prior, model=model, noise_mm=2.0, wrist="fixed")
    apart = hand_points(own, model) - joints
    reached = apart.square().sum((1, 2)) / (2 * 0.002**2) + prior.energy(own.detach())
    assert bool((fitted.objective <= reached + 0.1).all())
    assert float((reached - fitted.objective).max()) < 5
