"""The Gaussian prior against closed forms of scipy and torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from data_tools.store import PoseStore
from tests.training.known_priors import fitted
from training.prior import PoseStatistics
from training.priors.gaussian import Gaussian, GaussianSettings, moments


def test_moments_are_those_of_numpy_in_any_chunks() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(1000, 6)) @ rng.normal(size=(6, 6)) + 50).astype(np.float32)
    columns = np.array([0, 2, 5])
    mean, covariance = moments(rows, columns, np.full(3, 49.0), chunk_frames=64)
    wide = rows[:, columns].astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean(0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(wide.T, bias=True), rtol=1e-9)
    _, variances = moments(rows, columns, np.full(3, 49.0), diagonal=True, chunk_frames=999)
    np.testing.assert_allclose(variances, wide.var(0), rtol=1e-9)


def test_full_likelihood_equals_scipy(store: PoseStore) -> None:
    train = np.array(store.split("train"), np.float64)
    held_out = np.array(store.split("test")[:50])
    covariance = np.cov(train.T, bias=True)
    covariance = 0.99 * covariance + 0.01 * np.diag(np.diag(covariance))
    expected = multivariate_normal(train.mean(0), covariance).logpdf(held_out.astype(np.float64))
    actual = fitted(store, shrinkage=0.01).log_prob(torch.from_numpy(held_out))
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-4, atol=2e-2)


def test_diagonal_likelihood_equals_torch(store: PoseStore) -> None:
    train = torch.from_numpy(np.array(store.split("train"))).double()
    held_out = torch.from_numpy(np.array(store.split("test")[:50]))
    expected = torch.distributions.Normal(train.mean(0), train.std(0, correction=0)).log_prob(held_out.double()).sum(-1)
    actual = fitted(store, covariance="diagonal").log_prob(held_out)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-4, atol=1e-2)


def test_full_beats_diagonal_on_its_own_training_frames(store: PoseStore) -> None:
    train = torch.from_numpy(np.array(store.split("train")))
    full, diagonal = (fitted(store, covariance=kind).log_prob(train).mean() for kind in ("full", "diagonal"))
    assert full > diagonal + 10


def test_density_integrates_to_one(two_columns: PoseStatistics) -> None:
    prior = Gaussian(two_columns, GaussianSettings(shrinkage=0.0))
    prior._set(np.array([0.1, -0.2]), np.array([[0.04, 0.03], [0.03, 0.09]]))
    side = torch.linspace(-2.2, 2.2, 401)
    pose = prior.mean_pose().repeat(401 * 401, 1)
    pose[:, [4, 40]] = torch.cartesian_prod(side, side)
    total = prior.log_prob(pose).double().exp().sum() * (side[1] - side[0]) ** 2
    assert total.item() == pytest.approx(1, abs=1e-4)


def test_encode_and_decode_are_inverses(store: PoseStore) -> None:
    prior = fitted(store)
    pose = torch.from_numpy(np.array(store.split("test")[:50]))
    torch.testing.assert_close(prior.decode(prior.encode(pose)), pose, rtol=0, atol=1e-5)


def test_latents_are_standard_and_sorted_by_variance(store: PoseStore) -> None:
    prior = fitted(store, shrinkage=0.0)
    latents = prior.encode(torch.from_numpy(np.array(store.split("train")))).double()
    torch.testing.assert_close(latents.mean(0), torch.zeros(prior.latent_dim).double(), rtol=0, atol=1e-3)
    torch.testing.assert_close(latents.T.cov(correction=0), torch.eye(prior.latent_dim).double(), rtol=0, atol=1e-3)
    steps = prior.decode(torch.eye(prior.latent_dim)) - prior.decode(torch.zeros(prior.latent_dim))
    reach = steps.norm(dim=-1)
    assert (reach.diff() <= 1e-6).all()
    first = torch.from_numpy(np.linalg.svd(np.array(store.split("train")) - store.mean)[2][0])
    assert abs(torch.nn.functional.cosine_similarity(steps[0], first, dim=0)).item() == pytest.approx(1, abs=1e-4)


def test_samples_have_the_fitted_mean_and_covariance(store: PoseStore) -> None:
    prior = fitted(store)
    sampled = prior.sample(40_000, generator=torch.Generator().manual_seed(0)).double()
    train = torch.from_numpy(np.array(store.split("train"))).double()
    torch.testing.assert_close(sampled.mean(0), train.mean(0), rtol=0, atol=0.02)
    torch.testing.assert_close(sampled.T.cov(), train.T.cov(), rtol=0, atol=0.01)


def test_shrinkage_bounds_the_likelihood_of_columns_that_move_as_one(two_columns: PoseStatistics) -> None:
    prior = Gaussian(two_columns, GaussianSettings(shrinkage=1e-4))
    prior._set(np.zeros(2), np.full((2, 2), 0.25))
    assert math.isfinite(prior.log_prob(prior.mean_pose()).item())
    assert prior.log_prob(torch.zeros(90)).item() < 10


def test_counts_what_it_has_learnt(statistics: PoseStatistics) -> None:
    assert Gaussian(statistics, GaussianSettings(covariance="diagonal")).size == 2 * 87
    assert Gaussian(statistics).size == 87 + 87 * 88 // 2


def test_refuses_frames_that_are_not_numbers() -> None:
    rows = np.zeros((10, 3), np.float32)
    rows[4, 1] = np.nan
    with pytest.raises(ValueError, match="not a number"):
        moments(rows, np.arange(3), np.zeros(3))
    with pytest.raises(ValueError, match="train split is empty"):
        moments(rows[:0], np.arange(3), np.zeros(3))
