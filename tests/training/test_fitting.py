"""Fits against scipy, autograd, closed forms, and poses that are known."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from scipy.stats import multivariate_normal
from torch import Tensor

from data_tools.hand_model import HAND_POINTS, HandModel
from data_tools.pose_layout import HANDS_COLUMNS, mirror_hand
from training.checkpoints import load_prior
from training.fitting import FINGERTIPS, Fitted, fit
from training.fitting_errors import fit_errors
from training.metrics import hand_points
from training.prior import PoseStatistics, Prior
from training.priors.gaussian import Gaussian
from training.priors.global_flow import GlobalFlow
from training.priors.hand_vae import HandVAE

TIPS = [HAND_POINTS.index(name) for name in FINGERTIPS]
LAYOUTS = {45: "hand", 90: "hands", 165: "full"}


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


def correlated(dim: int, seed: int = 0) -> tuple[Gaussian, np.ndarray, np.ndarray]:
    """A Gaussian whose columns hang together through eight causes, its mean and its covariance."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(0, 0.12, (dim, 8))
    mean, covariance = rng.normal(0, 0.1, dim), mixing @ mixing.T + np.diag(rng.uniform(0.03, 0.08, dim) ** 2)
    ones = np.ones(dim, np.float32)
    statistics = PoseStatistics(
        LAYOUTS[dim], mean.astype(np.float32), np.sqrt(np.diag(covariance)).astype(np.float32), ones > 0, 0 * ones
    )
    prior = Gaussian(statistics)
    prior._set(mean, covariance)
    share = prior.settings.shrinkage
    return prior.eval(), mean, (1 - share) * covariance + share * np.diag(np.diag(covariance))


def drawn(prior: Prior, count: int, seed: int = 1) -> Tensor:
    return prior.sample(count, generator=torch.Generator().manual_seed(seed))


def placed(points: Tensor, seed: int = 0) -> tuple[Tensor, Rotation, np.ndarray]:
    """Each hand of each frame turned about its wrist and put anywhere."""
    rng = np.random.default_rng(seed)
    hands = points.numpy().astype(np.float64).reshape(-1, 21, 3)
    turn, place = Rotation.random(len(hands), rng=rng), rng.normal(0, 1, (len(hands), 1, 3))
    moved = (hands - hands[:, :1]) @ turn.as_matrix().transpose(0, 2, 1) + place
    return torch.from_numpy(moved.reshape(points.shape)), turn, place


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


@pytest.mark.parametrize("kind", [HandVAE, GlobalFlow])
def test_fits_end_where_the_whole_gradient_vanishes(model: HandModel, kind: type[Prior]) -> None:
    torch.manual_seed(0)
    prior = kind(PoseStatistics("hands", *_moments(90))).eval().requires_grad_(False)
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


def test_missing_points_are_those_that_are_not_seen(model: HandModel) -> None:
    prior = correlated(90)[0]
    joints = hand_points(drawn(prior, 5), model)
    mask = np.random.default_rng(0).random((5, 42)) < 0.5
    with_nan = joints.clone()
    with_nan[..., 1][torch.from_numpy(~mask)] = torch.nan  # one coordinate is enough
    first, second = (fit(with_nan, prior, model=model), fit(joints, prior, model=model, seen=mask))
    torch.testing.assert_close(first.pose, second.pose, rtol=0, atol=0)
    np.testing.assert_array_equal(first.seen, mask)
    tips = fit(joints, prior, model=model, seen="fingertips")
    named = fit(joints, prior, model=model, seen=list(FINGERTIPS))
    torch.testing.assert_close(tips.pose, named.pose, rtol=0, atol=0)
    assert tips.seen.sum(1).tolist() == [12] * 5


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
    prior = correlated(90)[0]
    truth = drawn(prior, 20)
    joints = hand_points(truth, model)
    options = {"model": model, "seen": "fingertips", "wrist": wrist, "start": prior.mean_pose()}
    without, helped = (fit_errors(fit(joints, p, **options), truth, model=model) for p in (None, prior))
    assert helped.hidden_mm is not None
    assert without.hidden_mm is not None
    assert helped.hidden_mm.mean < 0.5 * without.hidden_mm.mean
    assert helped.degrees.mean < 0.7 * without.degrees.mean


def test_a_prior_beats_none_on_noise(model: HandModel) -> None:
    prior = correlated(90)[0]
    truth = drawn(prior, 20)
    noisy = hand_points(truth, model) + 0.005 * torch.randn(20, 42, 3, generator=torch.Generator().manual_seed(0))
    options = {"model": model, "wrist": "fixed", "noise_mm": 5.0, "start": prior.mean_pose()}
    without, helped = (fit_errors(fit(noisy, p, **options), truth, model=model) for p in (None, prior))
    assert helped.all_mm.mean < 0.8 * without.all_mm.mean


def test_equal_seeds_give_equal_fits_and_restarts_never_do_worse(model: HandModel) -> None:
    prior = correlated(90)[0]
    joints, _, _ = placed(hand_points(drawn(prior, 6), model))
    options = {"model": model, "seen": "fingertips", "restarts": 2}
    first, again = (fit(joints, prior, seed=3, **options) for _ in range(2))
    torch.testing.assert_close(first.pose, again.pose, rtol=0, atol=0)
    once = fit(joints, prior, model=model, seen="fingertips", seed=3)
    assert bool((first.objective <= once.objective + 1e-6).all())


def test_noise_of_each_point_is_its_own(model: HandModel) -> None:
    """A point that is hardly trusted is hardly heard."""
    prior = correlated(90)[0]
    joints = hand_points(drawn(prior, 3), model)
    bad = joints.clone()
    bad[:, HAND_POINTS.index("index_tip")] += 0.03
    noise = np.full(42, 0.5)
    noise[HAND_POINTS.index("index_tip")] = 1e4
    wary = fit(bad, prior, model=model, noise_mm=noise, wrist="fixed")
    unseen = fit(bad, prior, model=model, noise_mm=0.5, wrist="fixed", seen=noise < 1)
    torch.testing.assert_close(wary.pose, unseen.pose, rtol=0, atol=2e-3)
    same = fit(joints, prior, model=model, noise_mm=np.full((3, 42), 0.5))
    torch.testing.assert_close(same.pose, fit(joints, prior, model=model, noise_mm=0.5).pose, rtol=0, atol=0)


def test_shape_coefficients_are_those_of_the_model() -> None:
    mano = HandModel(kind="mano")
    prior, betas = correlated(90)[0], np.array([1.5, -1.0], np.float32)
    truth = drawn(prior, 3)
    joints = mano.hands(truth, torch.from_numpy(betas), arrange="model").joints.flatten(1, 2)
    fitted = fit(joints, prior, model=mano, betas=betas, wrist="fixed", noise_mm=0.1)
    assert fit_errors(fitted, truth, joints=joints, model=mano, betas=betas).all_mm.mean < 0.1


def test_errors_of_a_known_turn_are_known(model: HandModel) -> None:
    """One joint of thirty turned by 0.3 rad; its tip alone moves much."""
    truth = drawn(correlated(90)[0], 2)
    fitted = fit(hand_points(truth, model), model=model, wrist="fixed")
    turned = truth.clone()
    turned[:, 3 * 2 : 3 * 3] = roma.rotvec_composition([truth[:, 6:9], torch.tensor([[0.0, 0.0, 0.3]]).expand(2, 3)])
    points = hand_points(turned, model)
    exact = replace(fitted, pose=turned, points=points, seen=fitted.seen & (torch.arange(42) != 16))
    errors = fit_errors(exact, truth, model=model)
    assert errors.degrees.mean == pytest.approx(math.degrees(0.3) / 30, rel=1e-4)
    assert errors.degrees.median == pytest.approx(errors.degrees.mean, rel=1e-4)
    assert float(errors.joint_degrees[2]) == pytest.approx(math.degrees(0.3), rel=1e-4)
    moved = 1000 * np.linalg.norm(points.numpy() - hand_points(truth, model).numpy(), axis=2)
    assert errors.all_mm.mean == pytest.approx(moved.mean(), rel=1e-5)
    assert errors.hidden_mm is not None
    assert errors.hidden_mm.mean == pytest.approx(moved[:, 16].mean(), rel=1e-5)


def test_errors_of_the_truth_are_none(model: HandModel) -> None:
    truth = drawn(correlated(45)[0], 3)
    right = fit(hand_points(truth, model), model=model, wrist="fixed")
    errors = fit_errors(replace(right, pose=truth, points=hand_points(truth, model)), truth, model=model)
    assert errors.all_mm.mean == errors.vertices_mm.mean == 0
    assert errors.degrees.mean == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"joints": np.zeros((2, 20, 3))},
            r"joints must be \(frames, 21, 3\) of one hand or \(frames, 42, 3\) of both",
        ),
        ({"joints": np.zeros((21, 3))}, "joints must be"),
        ({"joints": np.zeros((0, 21, 3))}, "no frames"),
        ({"joints": np.full((1, 21, 3), np.inf)}, "missing points by NaN"),
        ({"joints": 100 * np.arange(63.0).reshape(1, 21, 3)}, "expected metres"),
        ({"seen": ["index_top"]}, "unknown point 'index_top'"),
        ({"seen": "tips"}, "unknown point 'tips'"),
        ({"seen": np.ones(20, bool)}, "a mask of seen points"),
        ({"noise_mm": 0.0}, "above 0"),
        ({"noise_mm": np.ones(5)}, "noise_mm must be one number"),
        ({"wrist": "loose"}, 'wrist must be "free" or "fixed"'),
        ({"hand": "both"}, 'hand must be "right" or "left"'),
        ({"restarts": 1}, "drawn from a prior"),
        ({"iterations": 0}, "iterations of at least 1"),
        ({"start": np.zeros(90)}, "start must be finite poses of 45 columns"),
        ({"betas": np.zeros(1000)}, "betas must be one set"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_one_line(model: HandModel, change: dict, message: str) -> None:
    options = {"joints": np.zeros((2, 21, 3)), "model": model} | change
    with pytest.raises(ValueError, match=message) as told:
        fit(**options)
    assert "\n" not in str(told.value)


def test_progress_is_told(model: HandModel) -> None:
    told: list[tuple[int, int, str]] = []
    fit(np.zeros((3, 21, 3)), model=model, iterations=1, progress=lambda *news: told.append(news))
    assert told[-1] == (3, 3, "frames")


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
