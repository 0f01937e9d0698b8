"""The global flow: where it starts, that it is a density, that it learns one, and what it is conditioned on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import cumulative_trapezoid
from scipy.stats import multivariate_normal
from torch.autograd.functional import jacobian

from data_tools.store import PoseStore
from training import load_prior, train
from training.column_spline import column_spline
from training.flow_layers import ActNorm
from training.prior import PoseStatistics, StepInfo
from training.priors.global_flow import GlobalFlow, GlobalFlowSettings
from training.rational_spline import BOUND, inverse_spline, spline

SMALL = GlobalFlowSettings(K=3, hidden=16, coupling="spline", bins=4, marginal_bins=5)
AFFINE = GlobalFlowSettings(K=3, hidden=16, act_norm=True, start="standard", gaussian_share=0.0)


def columns(count: int, moving: int) -> PoseStatistics:
    """Made-up statistics of which the first columns move."""
    return PoseStatistics(
        pose="hands",
        mean=np.linspace(-0.2, 0.3, count, dtype=np.float32),
        std=np.linspace(0.1, 0.4, count, dtype=np.float32),
        active=np.arange(count) < moving,
        constants=np.zeros(count, np.float32),
    )


def bent(settings: GlobalFlowSettings, moving: int, dims: int = 3) -> GlobalFlow:
    """A flow that is far from where it started."""
    torch.manual_seed(0)
    flow = GlobalFlow(columns(dims, moving), settings)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return flow.double().eval()


@pytest.mark.parametrize("settings", [SMALL, AFFINE, replace(AFFINE, gaussian_share=0.3)])
def test_the_density_integrates_to_one(settings: GlobalFlowSettings) -> None:
    flow = bent(settings, moving=2)
    side = torch.linspace(-4, 4, 801, dtype=torch.float64)  # radians, as if there were no principal branch
    grid = torch.cartesian_prod(side, side)
    x = flow.prepare(torch.cat([grid, torch.zeros(len(grid), 1, dtype=torch.float64)], 1))
    with torch.no_grad():
        density = torch.cat([flow._log_prob(part, None) + flow.log_det for part in x.split(100_000)]).exp()
    assert float(density.sum()) * float(side[1] - side[0]) ** 2 == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("settings", [SMALL, AFFINE])
def test_the_log_determinant_is_that_of_autograd(settings: GlobalFlowSettings) -> None:
    flow = bent(settings, moving=6, dims=6)
    for x in torch.randn(5, 6, dtype=torch.float64):
        y, log_det = flow._forward(x[None], None)
        slopes = jacobian(lambda one: flow._forward(one[None], None)[0][0], x)
        assert float(log_det.detach()) == pytest.approx(float(torch.linalg.slogdet(slopes)[1]), abs=1e-9)
        torch.testing.assert_close(flow._inverse(y, None)[0], x, atol=1e-8, rtol=0)


def test_before_the_first_step_it_is_the_full_gaussian(demo_store: Path) -> None:
    """Against scipy, with the covariance of the train split; exact but for the shrinkage of 1e-4."""
    store = PoseStore(demo_store)
    flow = GlobalFlow.for_store(store, SMALL)
    flow.begin(store)
    train = np.array(store.split("train"), np.float64)[:, store.active]
    covariance = np.cov(train.T, bias=True)
    covariance = (1 - 1e-4) * covariance + 1e-4 * np.diag(np.diag(covariance))
    poses = np.array(store.split("val")[:50])
    expected = multivariate_normal(train.mean(0), covariance).logpdf(poses[:, store.active])
    np.testing.assert_allclose(flow.eval().log_prob(torch.from_numpy(poses)).detach(), expected, rtol=1e-4, atol=0.05)


def test_act_norm_is_set_once_and_survives_saving(demo_store: Path) -> None:
    store = PoseStore(demo_store)
    flow = GlobalFlow.for_store(store, AFFINE)
    flow.begin(store)
    x = flow.prepare(torch.from_numpy(np.array(store.split("train"))))
    first = next(layer for layer in flow.layers if isinstance(layer, ActNorm))
    y, _ = first(x[:, flow.layers[0].order])
    assert y.mean(0).abs().max() < 0.1
    assert (y.std(0) - 1).abs().max() < 0.1
    again = GlobalFlow.from_state("hands", AFFINE, flow.state_dict())
    other = torch.randn(7, flow.active_dims) * 3 + 1  # a first batch that would set it otherwise
    assert torch.equal(again._log_prob(other, None), flow.eval()._log_prob(other, None))


def test_splines_are_monotone_invertible_and_right_at_the_edges() -> None:
    torch.manual_seed(1)
    knots = torch.randn(1, 3 * 8 - 1, 1, dtype=torch.float64) * 2
    x = torch.linspace(-7, 7, 20_001, dtype=torch.float64)[:, None]
    y, log_slope = spline(x, knots.expand(len(x), -1, -1))
    assert (y.diff(dim=0) > 0).all()
    torch.testing.assert_close(inverse_spline(y, knots.expand(len(x), -1, -1)), x, atol=1e-7, rtol=0)
    outside = x.abs() >= BOUND
    assert torch.equal(y[outside], x[outside])
    assert (log_slope[outside] == 0).all()
    np.testing.assert_allclose(cumulative_trapezoid(log_slope.exp()[:, 0], x[:, 0], initial=0) - 7, y[:, 0], atol=5e-3)
    zero = torch.zeros(len(x), 23, 1, dtype=torch.float64)
    torch.testing.assert_close(spline(x, zero)[0], x, atol=1e-9, rtol=0)


def test_the_written_gradient_is_the_true_one() -> None:
    torch.manual_seed(2)
    x = (2 * torch.randn(4, 5, dtype=torch.float64)).requires_grad_()
    knots = torch.randn(4, 23, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(spline, (x, knots))


def test_a_spline_per_column_is_the_same_spline_for_every_frame() -> None:
    """Values, slopes and gradients, inside the bounds, outside, and on them."""
    generator = torch.Generator().manual_seed(3)
    x = 3 * torch.randn(200, 4, generator=generator, dtype=torch.float64)
    x[0], x[1] = BOUND, -BOUND
    knots = torch.randn(3 * 6 - 1, 4, generator=generator, dtype=torch.float64)
    weights = torch.randn(2, *x.shape, generator=generator, dtype=torch.float64)
    weights[1, :2] = 0  # on the bounds the logarithm of the slope has no gradient: it differs from either side
    found = []
    for bent in (lambda x, knots: column_spline(x, knots), lambda x, knots: spline(x, knots.expand(len(x), -1, -1))):
        at = [x.clone().requires_grad_(), knots.clone().requires_grad_()]
        y, log_slope = bent(*at)
        found.append([y, log_slope, *torch.autograd.grad((weights[0] * y + weights[1] * log_slope).sum(), at)])
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-9)


def test_it_learns_a_correlated_multimodal_density() -> None:
    """Within 0.02 nats per dimension of the entropy of 90 mixed columns, of which 15 pairs have two humps."""
    dims, humped, generator = 90, 15, torch.Generator().manual_seed(3)
    mixing = torch.eye(dims) + 0.1 * torch.randn(dims, dims, generator=generator).tril(-1) / math.sqrt(dims)
    hump = torch.zeros(dims // 2, 2)
    hump[:humped] = torch.tensor([1.0, 0.6])

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Poses, and the true log-density of each: the mixing is triangular with ones on its diagonal."""
        side = torch.randint(0, 2, (count, dims // 2), generator=generator) * 2.0 - 1
        pair = side[..., None] * hump + 0.5 * torch.randn(count, dims // 2, 2, generator=generator)
        squares = torch.stack([((pair - sign * hump) / 0.5).square().sum(-1) for sign in (-1, 1)])
        log_density = torch.logsumexp(-0.5 * squares, 0) - math.log(2) - math.log(2 * math.pi * 0.25)
        return 0.2 * pair.flatten(1) @ mixing.T, log_density.sum(1) - dims * math.log(0.2)

    poses, _ = draw(40_000)
    held_out, truth = draw(4_000)
    about = PoseStatistics(
        "hands", poses.mean(0).numpy(), poses.std(0).numpy(), np.ones(dims, bool), np.zeros(dims, np.float32)
    )
    torch.manual_seed(0)
    flow = GlobalFlow(
        about, GlobalFlowSettings(K=4, hidden=64, coupling="spline", bins=4, gaussian_share=0.01, noise=0.0)
    )
    flow.gaussian._set(poses.double().mean(0).numpy(), np.cov(poses.double().numpy().T, bias=True))
    x, held_out = flow.prepare(poses), flow.prepare(held_out)

    def excess() -> float:
        with torch.no_grad():
            return float((truth - flow._log_prob(held_out, None) - flow.log_det).mean()) / dims

    assert excess() > 0.04
    steps = 200
    optimizer = torch.optim.Adam(flow.parameters())
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, steps, pct_start=0.1)
    for step in range(steps):
        batch = x[torch.randint(len(x), (256,), generator=generator)]
        loss, _ = flow.training_step(batch, StepInfo(step, 0.0, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
    assert -0.005 < excess() < 0.02


@pytest.fixture(scope="module")
def conditional(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> GlobalFlow:
    settings = {"condition": "dataset", "hidden": 32, "K": 3, "coupling": "affine", "marginal_bins": 0}
    overrides = {"max_epochs": 4, "devices": "cpu", **{f"model.{key}": value for key, value in settings.items()}}
    run = train("global_flow", demo_store, out=tmp_path_factory.mktemp("runs"), overrides=overrides)
    prior = load_prior(run)
    assert isinstance(prior, GlobalFlow)
    return prior


def test_a_condition_learnt_in_training_is_heeded(conditional: GlobalFlow, demo_store: Path) -> None:
    store = PoseStore(demo_store)
    rows = store.split_rows("train")["dataset"].cast(str).to_numpy()
    names = conditional.condition_names
    assert names == tuple(sorted(set(rows)))
    poses = torch.from_numpy(np.array(store.split("train")))
    scores = torch.stack([conditional.log_prob(poses, condition=name) for name in names]).numpy()
    own = np.mean([scores[names.index(name), rows == name].mean() for name in names])
    other = np.mean([np.delete(scores, names.index(name), 0)[:, rows == name].mean() for name in names])
    assert own > other
    assert conditional.sample(64, condition=names[0]).shape == (64, 90)


def test_poses_of_a_kind_are_drawn_and_scored_as_that_kind() -> None:
    """Two kinds whose means lie two deviations apart: their densities, and that of both together, are known."""
    torch.manual_seed(0)
    kinds = torch.arange(8000) % 2
    x = 0.5 * torch.randn(8000, 2) + (2.0 * kinds[:, None] - 1)
    about = PoseStatistics(
        "hands", np.zeros(3, np.float32), np.ones(3, np.float32), np.arange(3) < 2, np.zeros(3, np.float32)
    )
    settings = replace(SMALL, hidden=32, condition="dataset", condition_values=("low", "high"), gaussian_share=0.01)
    flow = GlobalFlow(about, settings)
    optimizer = torch.optim.Adam(flow.parameters())
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, 200, pct_start=0.1)
    codes = torch.nn.functional.one_hot(kinds, 2).float()
    for step in range(200):
        batch = torch.randint(8000, (256,))
        loss, _ = flow.training_step(x[batch], StepInfo(step, 0.0, 1), codes[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
    flow.eval().requires_grad_(False)
    for name, centre in (("low", -1.0), ("high", 1.0)):
        drawn = flow.sample(4000, generator=torch.Generator().manual_seed(1), condition=name)
        torch.testing.assert_close(drawn[:, :2].mean(0), torch.full((2,), centre), atol=0.1, rtol=0)
        pose = torch.tensor([[centre, centre, 0.0]])
        truth = -math.log(2 * math.pi * 0.25)
        assert float(flow.log_prob(pose, condition=name)) == pytest.approx(truth, abs=0.3)
        assert float(flow.log_prob(pose)) == pytest.approx(truth - math.log(2), abs=0.3)


def test_what_is_no_condition_is_refused(conditional: GlobalFlow, demo_store: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no condition 'MANO': this prior knows"):
        conditional.sample(2, condition="MANO")
    with pytest.raises(ValueError, match="one condition for each of 3 poses"):
        conditional.sample(3, condition=[conditional.condition_names[0]])
    store = PoseStore(demo_store)
    plain = GlobalFlow.for_store(store, SMALL)
    with pytest.raises(ValueError, match="trained without conditions"):
        plain.sample(2, condition="GRAB")
    with pytest.raises(FileNotFoundError, match="no such file; conditions are none, dataset, tier"):
        GlobalFlow.for_store(store, replace(SMALL, condition="datset"))
    np.save(tmp_path / "short.npy", np.zeros((5, 2)))
    with pytest.raises(ValueError, match="one vector for each of the store's"):
        GlobalFlow.for_store(store, replace(SMALL, condition=str(tmp_path / "short.npy")))


def test_a_users_own_vectors(demo_store: Path, tmp_path: Path) -> None:
    store = PoseStore(demo_store)
    vectors = np.random.default_rng(0).normal(size=(len(store), 3)).astype(np.float32)
    np.save(tmp_path / "text.npy", vectors)
    flow = GlobalFlow.for_store(store, replace(SMALL, condition=str(tmp_path / "text.npy")))
    rows = flow.condition_rows(store, "val")
    start = len(store.split("train"))
    np.testing.assert_array_equal(rows, vectors[start : start + len(store.split("val"))])
    assert flow.sample(4, condition=torch.zeros(3)).shape == (4, 90)
    with pytest.raises(ValueError, match="a condition has 3 numbers"):
        flow.sample(4, condition=torch.zeros(2))
