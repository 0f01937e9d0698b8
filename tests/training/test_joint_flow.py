"""The joint flow: who depends on whom, where it starts, that it is a density, and that it learns one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch.autograd.functional import jacobian

from data_tools.pose_layout import JOINT_NAMES, PARENTS
from data_tools.store import PoseStore
from training.config import resolve
from training.joint_tree import conditions, levels, moving_joints, parents_of
from training.prior import PoseStatistics, StepInfo
from training.priors.joint_flow import FAR, JointFlow, JointFlowSettings
from training.rational_spline import parameter_count

SMALL = JointFlowSettings(K=3, hidden=9, embed=8, coupling="spline", bins=4, dropout=0.0, noise=0.0)
AFFINE = replace(SMALL, coupling="affine", start="standard", condition="parent", gaussian_share=0.0)


def hands_moving(*columns: int) -> PoseStatistics:
    """Made-up statistics of hands of which only these columns move."""
    active = np.zeros(90, bool)
    active[list(columns)] = True
    still = np.zeros(90, np.float32)
    return PoseStatistics("hands", still, np.linspace(0.1, 0.4, 90, dtype=np.float32), active, still)


def bent(settings: JointFlowSettings, *columns: int) -> JointFlow:
    """A flow that is far from where it started, on top of a correlated Gaussian."""
    torch.manual_seed(0)
    flow = JointFlow(hands_moving(*columns), settings)
    mixing = torch.randn(len(columns), len(columns), dtype=torch.float64).numpy()
    covariance = mixing @ mixing.T / len(columns) + 0.3 * np.eye(len(columns))
    spread = flow.std[flow.active].double().numpy()
    flow.gaussian._set(np.zeros(len(columns)), covariance * np.outer(spread, spread))
    if settings.start == "gaussian":
        flow._regress(np.zeros(len(columns)), covariance)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return flow.double().eval()


def oracle_parent(name: str) -> str:
    """Parent of a hand joint by its name alone: ``left_index3`` hangs on ``left_index2``, a knuckle on the wrist."""
    return name.partition("_")[0] + "_wrist" if name.endswith("1") else f"{name[:-1]}{int(name[-1]) - 1}"


@pytest.mark.parametrize(("dim", "first"), [(165, 0), (90, 25), (45, 40)])
def test_joints_hang_on_their_parents_in_every_layout(dim: int, first: int) -> None:
    names = JOINT_NAMES[first:]
    for name, parent in zip(names, parents_of(dim), strict=True):
        if name[-1] in "123" and not name.startswith("spine"):
            expected = oracle_parent(name)
            assert parent == (names.index(expected) if expected in names else -1), name
    assert parents_of(165) == PARENTS


def test_conditions_are_what_their_names_say() -> None:
    active = np.ones(165, bool)
    active[69:75] = False  # the eyes
    moving = [JOINT_NAMES[joint] for joint in moving_joints(active)]
    assert len(moving) == 53

    def given(condition: str, joint: str) -> set[str]:
        row = conditions(condition, active)[moving.index(joint)]  # type: ignore[arg-type]
        return {moving[index] for index in np.flatnonzero(row)}

    knee = {"left_hip", "pelvis"}
    assert given("parent", "left_knee") == {"left_hip"}
    assert given("ancestors", "left_knee") == knee
    assert given("siblings", "left_middle1") == {"left_wrist", "left_index1"}
    assert given("siblings", "left_middle2") == {"left_middle1"}
    assert given("earlier", "left_knee") == knee | {"right_hip", "spine1"}
    assert given("parent", "pelvis") == given("earlier", "pelvis") == set()
    wrist = {"left_wrist", "left_elbow", "left_shoulder", "left_collar", "spine3", "spine2", "spine1", "pelvis"}
    assert given("ancestors", "left_index1") == wrist
    hands = conditions("siblings", np.ones(90, bool))
    assert np.flatnonzero(hands[18]).tolist() == [15]  # right middle knuckle: right index knuckle, and no left one
    with pytest.raises(ValueError, match=r"model.condition must be one of parent, .*, got 'cousins'"):
        resolve("joint_flow", "fast", {"model.condition": "cousins"})


def test_levels_come_after_all_they_depend_on() -> None:
    for condition, count in (("parent", 3), ("earlier", 30)):
        given = conditions(condition, np.ones(90, bool))  # type: ignore[arg-type]
        done: set[int] = set()
        order = levels(given)
        for level in order:
            assert all(set(np.flatnonzero(given[joint])) <= done for joint in level)
            done |= set(level.tolist())
        assert (len(done), len(order)) == (30, count)


@pytest.mark.parametrize("settings", [SMALL, AFFINE, replace(AFFINE, start="gaussian", gaussian_share=0.3)])
@pytest.mark.parametrize("columns", [(4, 8), (3, 5)], ids=["two joints", "one joint"])
def test_the_density_integrates_to_one(settings: JointFlowSettings, columns: tuple[int, int]) -> None:
    flow = bent(settings, *columns)
    side = torch.linspace(-14, 14, 561, dtype=torch.float64)  # standard deviations
    grid = torch.cartesian_prod(side, side)
    with torch.no_grad():
        total = sum(flow._log_prob(part, None).exp().sum() for part in grid.split(100_000))
    assert float(total) * float(side[1] - side[0]) ** 2 == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    "settings", [replace(SMALL, gaussian_share=0.0), AFFINE, replace(AFFINE, condition="siblings")]
)
def test_the_log_density_is_that_of_the_jacobian_and_decoding_undoes_encoding(settings: JointFlowSettings) -> None:
    flow = bent(settings, 0, 1, 2, 3, 5, 9, 10, 11, 45, 47)
    for x in torch.randn(4, 10, dtype=torch.float64):
        latent = flow._encode(x[None])
        slopes = jacobian(lambda one: flow._encode(one[None])[0], x)
        normal = -0.5 * latent.square().sum() - 5 * math.log(2 * math.pi)
        expected = float((normal + torch.linalg.slogdet(slopes)[1]).detach())
        assert float(flow._log_prob(x[None], None).detach()) == pytest.approx(expected, abs=1e-9)
        torch.testing.assert_close(flow._decode(latent)[0], x, atol=1e-7, rtol=0)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_one_layer_has_a_spline_and_it_is_the_first_behind_the_regression(layers: int) -> None:
    flow = bent(replace(SMALL, K=layers, gaussian_share=0.0), *range(9))
    numbers = [layer.numbers for layer in flow.layers]
    behind = {1: 0, 2: 1, 3: 2, 4: 2}[layers]  # with one layer there is none behind it
    assert numbers == [2 + (parameter_count(4) if layer == behind else 0) for layer in range(layers)]
    assert {layer.numbers for layer in bent(replace(AFFINE, K=layers), *range(9)).layers} == {2}
    x = torch.randn(50, 9, dtype=torch.float64)
    torch.testing.assert_close(flow._decode(flow._encode(x)), x, atol=1e-7, rtol=0)


def test_a_far_joint_does_not_throw_the_next_ones_off() -> None:
    """Without a regression, a joint's columns are the same however far the joint is that it is given, beyond FAR."""
    flow = bent(replace(SMALL, start="standard"), *range(6))
    latent = torch.zeros(4, 6, dtype=torch.float64)
    near = flow._decode(latent)
    near[:, :3] = torch.tensor([[0.0], [1.0], [2.0], [200.0]], dtype=torch.float64) * FAR
    latent[:, :3] = flow._encode(near)[:, :3]
    drawn = flow._decode(latent)
    torch.testing.assert_close(drawn[:, :3], near[:, :3])
    assert (drawn[0, 3:] - drawn[1, 3:]).abs().max() > 1e-3
    torch.testing.assert_close(drawn[2:, 3:], drawn[1:2, 3:].expand(2, 3))


@pytest.mark.parametrize("condition", ["parent", "ancestors", "siblings", "earlier"])
def test_a_joint_depends_on_the_joints_it_is_given_and_on_no_others(condition: str) -> None:
    """Which latents of a joint feel which columns, by autograd, is the table of conditions and itself."""
    flow = bent(replace(SMALL, condition=condition), *range(30), *range(45, 60))  # type: ignore[arg-type]
    x = torch.randn(45, dtype=torch.float64)
    slopes = jacobian(lambda one: flow._encode(one[None])[0], x)
    felt = (slopes.abs() > 1e-12).unflatten(0, (15, 3)).unflatten(2, (15, 3)).any(3).any(1)
    expected = conditions(condition, flow.active.numpy()) | np.eye(15, dtype=bool)  # type: ignore[arg-type]
    np.testing.assert_array_equal(felt.numpy(), expected)


def covariance_of(store: PoseStore) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the train split; the diagonal has the share that the Gaussian gives it."""
    train = np.array(store.split("train"), np.float64)[:, store.active]
    covariance = np.cov(train.T, bias=True)
    return train.mean(0), (1 - 1e-4) * covariance + 1e-4 * np.diag(np.diag(covariance))


def test_given_all_earlier_joints_it_starts_as_the_full_gaussian(demo_store: Path) -> None:
    store = PoseStore(demo_store)
    flow = JointFlow(PoseStatistics.of(store), replace(SMALL, gaussian_share=0.0))
    flow.begin(store)
    mean, covariance = covariance_of(store)
    poses = np.array(store.split("val")[:50])
    expected = multivariate_normal(mean, covariance).logpdf(poses[:, store.active])
    actual = flow.eval().log_prob(torch.from_numpy(poses)).detach()
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=0.05)
    samples = flow.sample(20_000, generator=torch.Generator().manual_seed(0)).double().numpy()[:, store.active]
    np.testing.assert_allclose(samples.mean(0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.012)


def test_given_its_parent_a_joint_starts_as_its_regression_on_it(demo_store: Path) -> None:
    """Against conditional normal densities: log p(joint, parent) - log p(parent), joint by joint, from scipy."""
    store = PoseStore(demo_store)
    flow = JointFlow(PoseStatistics.of(store), replace(SMALL, condition="parent", gaussian_share=0.0))
    flow.begin(store)
    mean, covariance = covariance_of(store)
    poses = np.array(store.split("val")[:20])
    moved = poses[:, store.active].astype(np.float64)
    joint_of = np.flatnonzero(store.active) // 3
    expected = np.zeros(len(poses))
    for joint, parent in enumerate(parents_of(90)):
        own, given = np.flatnonzero(joint_of == joint), np.flatnonzero(joint_of == parent)
        for columns, sign in ((np.concatenate([given, own]), 1), (given, -1)):
            if len(own) and len(columns):
                marginal = multivariate_normal(mean[columns], covariance[np.ix_(columns, columns)])
                expected += sign * marginal.logpdf(moved[:, columns])
    actual = flow.eval().log_prob(torch.from_numpy(poses)).detach()
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=0.05)


def test_it_learns_a_correlated_multimodal_density() -> None:
    """Held-out likelihood within 0.02 nats per dimension of the entropy of 45 two-humped pairs, mixed."""
    dims, generator = 90, torch.Generator().manual_seed(3)
    mixing = torch.eye(dims) + 0.3 * torch.randn(dims, dims, generator=generator).tril(-1) / math.sqrt(dims)
    hump = torch.tensor([1.0, 0.6])

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Poses, and the true log-density of each: the mixing is triangular with ones on its diagonal."""
        side = torch.randint(0, 2, (count, dims // 2, 1), generator=generator) * 2.0 - 1
        pair = side * hump + 0.5 * torch.randn(count, dims // 2, 2, generator=generator)
        apart = torch.stack([((pair - sign * hump) / 0.5).square().sum(-1) for sign in (-1, 1)])
        log_density = torch.logsumexp(-0.5 * apart, 0) - math.log(2) - math.log(2 * math.pi * 0.25)
        return 0.2 * pair.flatten(1) @ mixing.T, log_density.sum(1) - dims * math.log(0.2)

    poses, _ = draw(60_000)
    held_out, truth = draw(4_000)
    still = np.zeros(dims, np.float32)
    about = PoseStatistics("hands", poses.mean(0).numpy(), poses.std(0).numpy(), still == 0, still)
    torch.manual_seed(0)
    flow = JointFlow(
        about, JointFlowSettings(K=2, hidden=24, embed=16, coupling="spline", bins=4, noise=0.0, dropout=0.0)
    )
    flow.gaussian._set(poses.double().mean(0).numpy(), np.cov(poses.double().numpy().T, bias=True))
    x = flow.prepare(poses)
    flow._regress(np.zeros(dims), np.cov(x.double().numpy().T, bias=True))
    steps = 400
    optimizer = torch.optim.Adam(flow.parameters())
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.5e-2, steps, pct_start=0.3)
    for step in range(steps):
        batch = x[torch.randint(len(x), (256,), generator=generator)]
        loss, _ = flow.training_step(batch, StepInfo(step, 0.0, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
    with torch.no_grad():
        excess = float((truth - flow.eval()._flow_log_prob(flow.prepare(held_out)) - flow.log_det).mean()) / dims
    assert -0.005 < excess < 0.02


def test_refuses_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match=r"model.gaussian_share must be at least 0 and below 1, got 1"):
        JointFlowSettings(gaussian_share=1.0)
    with pytest.raises(ValueError, match=r"model.noise must not be negative"):
        JointFlowSettings(noise=-0.1)
    with pytest.raises(ValueError, match=r"model.hidden must be at least 3"):
        JointFlowSettings(hidden=2)
