"""The published Hand VAEs' networks, against the same written out by hand, and integrals of their density."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm
from torch import Tensor
from torch.nn import functional

from training.config import resolve
from training.prior import PoseStatistics, StepInfo
from training.priors import PRIORS
from training.priors.hand_vae import HandVAE, HandVAESettings
from training.priors.variational import VariationalPrior

COLUMNS = [4, 40]
NORMED = {"hand_vae": "last", "hand_vae_so3": "first"}


def published(name: str, statistics: PoseStatistics) -> VariationalPrior:
    """With weights of which none is zero or one."""
    prior = PRIORS[name](statistics, resolve(name, "published").model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return prior.eval().requires_grad_(False)  # type: ignore[return-value]


def by_hand(weights: list[Tensor], x: Tensor, normed: str) -> Tensor:
    """Three layers of 256 with GELU, a layer normalisation where the published network has it, and the heads."""
    weights = [*weights]
    if normed == "first":
        x = functional.layer_norm(x, x.shape[-1:], weights.pop(0), weights.pop(0))
    for _ in range(3):
        x = functional.gelu(functional.linear(x, weights.pop(0), weights.pop(0)))
        assert x.shape[-1] == 256
    if normed == "last":
        x = functional.layer_norm(x, x.shape[-1:], weights.pop(0), weights.pop(0))
    x = functional.linear(x, *weights)
    return x


@pytest.mark.parametrize("name", NORMED)
def test_networks_are_the_published_ones(name: str, statistics: PoseStatistics) -> None:
    prior = published(name, statistics)
    x = torch.randn(20, 87, generator=torch.Generator().manual_seed(1))
    z = torch.randn(20, 24, generator=torch.Generator().manual_seed(2))
    mu = by_hand([*prior.encoder.parameters()], x, NORMED[name])[:, :24]
    torch.testing.assert_close(prior._encode(x), mu)
    decoded = by_hand([*prior.decoder.parameters()], z, "last" if name == "hand_vae" else "none")
    torch.testing.assert_close(prior.decoder(z), decoded)


def test_sizes_are_the_published_ones() -> None:
    """All 90 columns moving: encoder, two heads, decoder, and in the Hand VAE two more heads; one noise per joint."""
    moving = PoseStatistics("hands", *(np.ones(90, np.float32),) * 2, np.ones(90, bool), np.zeros(90, np.float32))
    hidden = 2 * (256 * 256 + 256)
    both = 90 * 256 + 256 + hidden + 2 * (256 * 24 + 24) + 24 * 256 + 256 + hidden
    sizes = {name: PRIORS[name](moving, resolve(name, "published").model).size for name in NORMED}
    assert sizes["hand_vae"] == both + 2 * 2 * 256 + 2 * (256 * 90 + 90)
    assert sizes["hand_vae_so3"] == both + 2 * 90 + (256 * 180 + 180) + 30  # the published one has 1 noise for all


def test_decoded_likelihood_is_the_normal_one(statistics: PoseStatistics) -> None:
    prior = published("hand_vae", statistics)
    assert isinstance(prior, HandVAE)
    x, said = torch.randn(20, 87), torch.randn(20, 174)
    sigma = np.sqrt(np.exp(said[:, 87:].double().numpy()) + 0.01**2)
    expected = norm.logpdf(x.numpy(), said[:, :87].numpy(), sigma).sum(-1)
    np.testing.assert_allclose(prior._log_likelihood(x, said).numpy(), expected, rtol=1e-5)


def test_decoded_noise_starts_the_same_for_all(statistics: PoseStatistics) -> None:
    prior = HandVAE(statistics, HandVAESettings(noise="decoded"))
    _, sigma = prior._said(prior.decoder(torch.randn(5, 24)))
    torch.testing.assert_close(sigma, torch.full((5, 87), math.sqrt(math.exp(-1.5) + 0.01**2)))


@pytest.fixture(scope="module")
def learnt(two_columns: PoseStatistics) -> HandVAE:
    """On two columns, whose noise grows along a curve."""
    torch.manual_seed(0)
    settings = HandVAESettings(
        z_dim=2, hidden=16, n_layers=2, dropout=0.0, activation="gelu", layer_norm="last", noise="decoded"
    )
    prior = HandVAE(two_columns, settings)
    optimizer = torch.optim.Adam(prior.parameters(), 1e-2)
    for step in range(200):
        t = torch.randn(256)
        x = torch.stack([t, 0.6 * t**2 - 0.6], -1) + (0.1 + 0.2 * t.abs()).unsqueeze(-1) * torch.randn(256, 2)
        loss, _ = prior.training_step(x, StepInfo(step, 20.0, 20))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return prior.eval().requires_grad_(False)


def decoded_on_a_grid(prior: HandVAE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres and noise in radians at latents of a grid, and the logarithm of each latent's share."""
    side = np.linspace(-6, 6, 161)
    z = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    centre, log_variance = prior.decoder(torch.from_numpy(z).float()).double().numpy().reshape(-1, 2, 2).swapaxes(0, 1)
    mean, std = prior.mean[COLUMNS].double().numpy(), prior.std[COLUMNS].double().numpy()
    sigma = np.sqrt(np.exp(log_variance) + 0.01**2) * std
    return centre * std + mean, sigma, norm.logpdf(z).sum(-1) + 2 * math.log(side[1] - side[0])


def test_bound_with_decoded_noise_is_the_integrated_density(learnt: HandVAE) -> None:
    poses = learnt.sample(60, generator=torch.Generator().manual_seed(1), observation_noise=True)
    centre, sigma, share = decoded_on_a_grid(learnt)
    assert sigma.max() > 2 * sigma.min()
    at = poses.double().numpy()[:, None, COLUMNS]
    true = logsumexp(norm.logpdf(at, centre, sigma).sum(-1) + share, axis=1)
    draws = [learnt.log_prob(poses, generator=torch.Generator().manual_seed(k)) for k in range(60)]
    gap = true - torch.stack(draws).double().mean(0).numpy()
    assert -0.01 < gap.mean() < 0.1


def test_noisy_samples_have_the_moments_of_the_density(learnt: HandVAE) -> None:
    drawn = learnt.sample(40_000, generator=torch.Generator().manual_seed(0), observation_noise=True)[:, COLUMNS]
    centre, sigma, share = decoded_on_a_grid(learnt)
    weight = np.exp(share)[:, None]
    mean = (weight * centre).sum(0)
    std = np.sqrt((weight * (centre**2 + sigma**2)).sum(0) - mean**2)
    np.testing.assert_allclose(drawn.mean(0).numpy(), mean, atol=4 * std.max() / 200)
    np.testing.assert_allclose(drawn.std(0).numpy(), std, rtol=0.03)


@pytest.mark.parametrize("name", NORMED)
def test_gradients_reach_every_parameter(name: str, statistics: PoseStatistics) -> None:
    prior = published(name, statistics).requires_grad_(True).train()
    loss, _ = prior.training_step(torch.randn(64, 87), StepInfo(0, 20.0, 20))
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in prior.parameters())
