"""The Hand VAE's bound against numerical integration over its latents."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from training.prior import PoseStatistics, StepInfo
from training.priors.hand_vae import HandVAE, HandVAESettings

COLUMNS = [4, 40]


def small_vae(statistics: PoseStatistics, importance_samples: int = 16, *, trained: bool = True) -> HandVAE:
    """A VAE on two active columns; its bound's tightness changes nothing about what it has learnt."""
    torch.manual_seed(0)
    settings = HandVAESettings(z_dim=2, hidden=16, n_layers=2, dropout=0.0, importance_samples=importance_samples)
    prior = HandVAE(statistics, settings)
    if trained:
        prior.load_state_dict(learnt(statistics), strict=False)
    return prior.eval().requires_grad_(False)


@cache
def learnt(statistics: PoseStatistics) -> dict[str, torch.Tensor]:
    """Weights that learnt a little of a curved density, so that the posterior means something."""
    prior = small_vae(statistics, trained=False).train().requires_grad_(True)
    optimizer = torch.optim.Adam(prior.parameters(), 1e-2)
    for step in range(200):
        t = torch.randn(256)
        x = torch.stack([t, 0.6 * t**2 - 0.6], -1) + 0.2 * torch.randn(256, 2)
        loss, _ = prior.training_step(x, StepInfo(step, 20.0, 20))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: weight.detach() for name, weight in prior.named_parameters()}


@torch.no_grad()
def true_log_density(prior: HandVAE, pose: torch.Tensor) -> np.ndarray:
    """log of the integral of p(pose | z) p(z) over a grid of two latents, in radians: no encoder, no sampling."""
    side = np.linspace(-6, 6, 161)
    z = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    centre = prior.decode(torch.from_numpy(z).float()).double().numpy()[:, COLUMNS]
    sigma = (prior._sigma() * prior.std[COLUMNS]).double().numpy()
    weight = norm.logpdf(z).sum(-1) + 2 * math.log(side[1] - side[0])
    at = pose.double().numpy()[:, None, COLUMNS]
    return logsumexp(norm.logpdf(at, centre, sigma).sum(-1) + weight, axis=1)


@pytest.fixture(scope="module")
def poses(two_columns: PoseStatistics) -> torch.Tensor:
    prior = small_vae(two_columns)
    return prior.sample(40, generator=torch.Generator().manual_seed(1), observation_noise=True)


def test_bound_lies_below_the_integrated_density_and_tightens(two_columns: PoseStatistics, poses: torch.Tensor) -> None:
    gaps = []
    for samples in (1, 8, 128):
        prior = small_vae(two_columns, samples)
        draws = [prior.log_prob(poses, generator=torch.Generator().manual_seed(k)) for k in range(30)]
        gaps.append(float((torch.from_numpy(true_log_density(prior, poses)) - torch.stack(draws).mean(0)).mean()))
    assert gaps[0] > gaps[1] > gaps[2] > -1e-3
    assert gaps[2] < 0.02


def test_enough_fixed_noise_gives_the_density(two_columns: PoseStatistics, poses: torch.Tensor) -> None:
    prior = small_vae(two_columns, 4096)
    apart = prior.log_prob(poses).numpy() - true_log_density(prior, poses)
    assert abs(apart.mean()) < 0.03
    assert np.abs(apart).max() < 0.3


def test_density_integrates_to_one_in_radians(two_columns: PoseStatistics) -> None:
    prior = small_vae(two_columns, 256)
    centre, spread = prior.mean[COLUMNS], prior.std[COLUMNS]
    steps = torch.linspace(-7, 7, 101)
    pose = prior.mean_pose().repeat(101 * 101, 1)
    pose[:, COLUMNS] = torch.cartesian_prod(steps, steps) * spread + centre
    cell = (steps[1] - steps[0]) ** 2 * spread.prod()
    total = prior.log_prob(pose).double().exp().sum() * cell
    assert 0.97 < total.item() < 1.001  # a bound may lose a little, and must not gain


def test_untrained_bound_is_a_bound_too(two_columns: PoseStatistics, poses: torch.Tensor) -> None:
    prior = small_vae(two_columns, 64, trained=False)
    draws = torch.stack([prior.log_prob(poses, generator=torch.Generator().manual_seed(k)) for k in range(100)])
    assert (draws.mean(0).numpy() <= true_log_density(prior, poses) + 0.02).all()


@torch.no_grad()
def linear_vae(statistics: PoseStatistics, importance_samples: int) -> tuple[HandVAE, torch.Tensor, torch.Tensor]:
    """A VAE whose networks are straight lines and whose encoder is exact, with the mean and covariance that it has.

    x = W z + b + sigma e is normal with covariance W W' + sigma^2 (probabilistic PCA). With the columns of W at right
    angles, z given x is normal with mean W' (x - b) / (sigma^2 + |w|^2) and variance sigma^2 / (sigma^2 + |w|^2), axis
    by axis: q(z | x) is the true posterior, and the bound is the density whatever K.
    """
    prior = HandVAE(statistics, HandVAESettings(z_dim=2, hidden=4, importance_samples=importance_samples)).eval()
    generator = torch.Generator().manual_seed(0)
    dims = prior.active_dims
    weight = torch.linalg.qr(torch.randn(dims, 2, generator=generator)).Q * torch.tensor([3.0, 1.5])
    offset, sigma = 0.3 * torch.randn(dims, generator=generator), 0.4
    prior.log_sigma.fill_(0.5 * math.log(sigma**2 - prior.settings.sigma_floor**2))
    whole = sigma**2 + weight.square().sum(0)
    prior.decoder, prior.encoder = torch.nn.Linear(2, dims), torch.nn.Linear(dims, 4)
    prior.decoder.weight.copy_(weight)
    prior.decoder.bias.copy_(offset)
    prior.encoder.weight.copy_(torch.cat([(weight / whole).T, torch.zeros(2, dims)]))
    prior.encoder.bias.copy_(torch.cat([-(weight / whole).T @ offset, torch.log(sigma**2 / whole)]))
    prior.requires_grad_(False)
    return prior, offset, weight @ weight.T + sigma**2 * torch.eye(dims)


def test_linear_vae_is_its_closed_form(statistics: PoseStatistics) -> None:
    for samples in (1, 16):
        prior, mean, covariance = linear_vae(statistics, samples)
        x = multivariate_normal(mean.double(), covariance.double())
        pose = prior.restore(torch.from_numpy(x.rvs(50, random_state=0)).float())
        expected = x.logpdf(prior.prepare(pose).double()) - np.log(statistics.std[:87].astype(float)).sum()
        np.testing.assert_allclose(prior.log_prob(pose).numpy(), expected, rtol=0, atol=5e-3)
        scores = prior.scores(prior.prepare(pose), torch.Generator().manual_seed(0))
        np.testing.assert_allclose(scores["nll"].numpy(), -expected, rtol=0, atol=5e-3)


def test_a_wrong_encoder_costs_its_divergence_and_less_with_more_samples(statistics: PoseStatistics) -> None:
    """With one sample the bound lies KL(q || true posterior) below the density; with more it draws near."""
    shift = torch.tensor([0.3, -0.2])
    means = []
    for samples in (1, 64):
        prior, mean, covariance = linear_vae(statistics, samples)
        x = multivariate_normal(mean.double(), covariance.double())
        pose = prior.restore(torch.from_numpy(x.rvs(40, random_state=0)).float())
        expected = x.logpdf(prior.prepare(pose).double()) - np.log(statistics.std[:87].astype(float)).sum()
        log_var = prior.encoder.bias[2:]
        prior.encoder.bias[:2] += shift * (0.5 * log_var).exp()
        draws = [prior.log_prob(pose, generator=torch.Generator().manual_seed(k)) for k in range(200)]
        means.append(expected.mean() - torch.stack(draws).mean().item())
    assert means[0] == pytest.approx(0.5 * shift.square().sum().item(), abs=0.02)
    assert 0 <= means[1] < 0.01


def test_loss_is_the_negative_evidence_bound_and_beta_warms_up(statistics: PoseStatistics) -> None:
    torch.manual_seed(0)
    prior = HandVAE(statistics, HandVAESettings(beta=2.0, kl_warmup_epochs=4.0, dropout=0.0))
    x = torch.randn(512, 87)
    for epoch, weight in ((0.0, 0.0), (1.0, 0.5), (4.0, 2.0), (9.0, 2.0)):
        loss, logged = prior.training_step(x, StepInfo(0, epoch, 10))
        assert loss.item() == pytest.approx((logged["reconstruction"] + weight * logged["kl"]).item(), rel=1e-5)
        assert logged["elbo"].item() == pytest.approx(-(logged["reconstruction"] + logged["kl"]).item(), rel=1e-5)


def test_free_bits_cost_nothing(statistics: PoseStatistics) -> None:
    torch.manual_seed(0)
    prior = HandVAE(statistics, HandVAESettings(free_bits=5.0, kl_warmup_epochs=0.0, dropout=0.0, z_dim=3))
    loss, logged = prior.training_step(0.1 * torch.randn(64, 87), StepInfo(0, 1.0, 10))
    assert logged["kl"] < 1  # an untrained posterior is close to the prior: below the free bits on every axis
    assert loss.item() == pytest.approx(logged["reconstruction"].item() + 15, rel=1e-4)


def test_kl_is_that_of_torch(statistics: PoseStatistics) -> None:
    prior = HandVAE(statistics, HandVAESettings(z_dim=5))
    x = torch.randn(32, 87)
    mu, log_var = prior.eval()._posterior(x)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, (0.5 * log_var).exp()), torch.distributions.Normal(0.0, 1.0)
    ).sum(-1)
    torch.testing.assert_close(prior.scores(x)["kl"], expected, rtol=1e-4, atol=1e-5)


def test_axes_in_use_are_counted(statistics: PoseStatistics) -> None:
    prior = HandVAE(statistics, HandVAESettings(z_dim=6)).eval()
    with torch.no_grad():
        last = prior.encoder[-1]
        last.weight[:6] = 0
        last.weight[:2] = 1
    assert prior.scores(3 * torch.randn(256, 87))["active_units"].item() == 2


def test_observation_noise_gives_draws_from_the_density(two_columns: PoseStatistics) -> None:
    prior = small_vae(two_columns)
    clean = prior.sample(20_000, generator=torch.Generator().manual_seed(0))[:, COLUMNS]
    noisy = prior.sample(20_000, generator=torch.Generator().manual_seed(0), observation_noise=True)[:, COLUMNS]
    added = (noisy - clean).std(0)
    torch.testing.assert_close(added, (prior._sigma() * prior.std[COLUMNS]), rtol=0.03, atol=0)


@pytest.mark.parametrize(
    ("key", "value"), [("z_dim", 0), ("dropout", 1.0), ("beta", -1.0), ("sigma_floor", 0.0), ("n_layers", 0)]
)
def test_settings_out_of_range_are_refused(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"model.{key} must"):
        HandVAESettings(**{key: value})
