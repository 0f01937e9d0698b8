"""Mixtures of Gaussians against known mixtures, closed forms of scipy, and their own rounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from data_tools.store import PoseStore
from tests.training.known_priors import fitted
from training.checkpoints import load_prior, save_prior
from training.fit_rounds import FitRound
from training.prior import PoseStatistics
from training.priors.gaussian import Gaussian, GaussianSettings


class Poses:
    """As much of a store as a Gaussian looks at."""

    splits = ("train", "val", "test")

    def __init__(self, **poses: np.ndarray) -> None:
        self._poses = poses

    def split(self, name: str) -> np.ndarray:
        return self._poses[name]

    @property
    def statistics(self) -> PoseStatistics:
        train = self._poses["train"]
        mean, std = train.mean(0), train.std(0)
        return PoseStatistics("hand", mean, std, std > 1e-4, np.where(std > 1e-4, 0, mean).astype(np.float32))


@dataclass
class KnownMixture:
    """A mixture of normals whose numbers are known."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @classmethod
    def drawn(cls, components: int, dims: int, *, diagonal: bool = False, apart: float = 0.5) -> KnownMixture:
        rng = np.random.default_rng(1)
        factors = rng.normal(0, 0.1, (components, dims, dims)) / np.sqrt(dims)
        covariances = factors @ factors.transpose(0, 2, 1) + 0.001 * np.eye(dims)
        covariances = covariances * np.eye(dims) if diagonal else covariances
        return cls(rng.dirichlet(np.full(components, 5.0)), rng.normal(0, apart, (components, dims)), covariances)

    def sample(self, count: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        which = rng.choice(len(self.weights), count, p=self.weights)
        rows = np.empty((count, self.means.shape[1]))
        for k in range(len(self.weights)):
            chosen = which == k
            rows[chosen] = rng.multivariate_normal(self.means[k], self.covariances[k], int(chosen.sum()))
        return rows.astype(np.float32)

    def logpdf(self, rows: np.ndarray) -> np.ndarray:
        parts = [
            np.log(weight) + multivariate_normal(mean, covariance).logpdf(rows)
            for weight, mean, covariance in zip(self.weights, self.means, self.covariances, strict=True)
        ]
        return logsumexp(parts, axis=0)

    def store(self, train: int = 20_000) -> Poses:
        counts = {"train": train, "val": 2000, "test": 10_000}
        return Poses(**{name: self.sample(count, seed) for seed, (name, count) in enumerate(counts.items())})


def mixture_of(poses: Poses, **settings: object) -> Gaussian:
    prior = Gaussian(poses.statistics, GaussianSettings(**settings))  # type: ignore[arg-type]
    prior.fit(poses)  # type: ignore[arg-type]
    return prior.eval()


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_a_known_mixture_is_learnt_to_its_entropy(covariance: str) -> None:
    truth = KnownMixture.drawn(4, 12, diagonal=covariance == "diagonal")
    poses = truth.store()
    learnt = mixture_of(poses, components=4, covariance=covariance, shared_frames=1.0)
    test = poses.split("test")
    nll = -learnt.log_prob(torch.from_numpy(test)).double().mean().item()
    assert nll == pytest.approx(-truth.logpdf(test).mean(), abs=0.02 * 12)
    one = mixture_of(poses, covariance=covariance)
    assert -one.log_prob(torch.from_numpy(test)).mean().item() > nll + 1


def test_a_full_gaussian_is_learnt_to_its_entropy() -> None:
    truth = KnownMixture.drawn(1, 45)
    poses = truth.store(50_000)
    entropy = multivariate_normal(truth.means[0], truth.covariances[0]).entropy()
    nll = -mixture_of(poses, shrinkage=0.0).log_prob(torch.from_numpy(poses.split("test"))).double().mean().item()
    assert nll == pytest.approx(entropy, abs=0.02 * 45)
    train = -mixture_of(poses, shrinkage=0.0).log_prob(torch.from_numpy(poses.split("train"))).double().mean().item()
    covariance = np.cov(poses.split("train").T.astype(np.float64), bias=True)
    assert train == pytest.approx(multivariate_normal(np.zeros(45), covariance).entropy(), abs=1e-3)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_mixture_likelihood_is_that_of_its_components(store: PoseStore, covariance: str) -> None:
    """Its numbers put back into radians, scipy gives the same density."""
    prior = fitted(store, components=3, covariance=covariance)
    assert prior.mixture is not None
    mixture = prior.mixture.double()
    spread = np.array(store.std[store.active], np.float64)
    back = np.eye(prior.active_dims) if covariance == "diagonal" else prior.colouring.double().numpy()
    origin = np.zeros(prior.active_dims) if covariance == "diagonal" else prior.location.double().numpy()
    factors = mixture.colouring.diag_embed() if covariance == "diagonal" else mixture.colouring
    to_radians = back * spread
    truth = KnownMixture(
        mixture.log_weights.exp().numpy(),
        (mixture.means.numpy() @ back + origin) * spread + np.array(store.mean)[store.active],
        np.stack([to_radians.T @ (factor @ factor.T) @ to_radians for factor in factors.numpy()]),
    )
    held_out = np.array(store.split("test")[:50])
    expected = truth.logpdf(held_out[:, store.active].astype(np.float64))
    prior.mixture.float()
    np.testing.assert_allclose(prior.log_prob(torch.from_numpy(held_out)).numpy(), expected, rtol=1e-4, atol=2e-2)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_mixture_density_integrates_to_one(two_columns: PoseStatistics, covariance: str) -> None:
    rng = np.random.default_rng(0)
    rows = np.tile(two_columns.mean, (600, 1))
    rows[:, [4, 40]] += rng.normal(0, 0.05, (600, 2)) + 0.4 * rng.integers(0, 2, (600, 1))
    poses = Poses(train=rows.astype(np.float32), val=rows[:0], test=rows[:0])
    prior = Gaussian(two_columns, GaussianSettings(components=3, covariance=covariance))  # type: ignore[arg-type]
    prior.fit(poses)  # type: ignore[arg-type]
    side = torch.linspace(-2.2, 2.2, 601)
    pose = prior.mean_pose().repeat(601 * 601, 1)
    pose[:, [4, 40]] = torch.cartesian_prod(side, side)
    total = prior.log_prob(pose).double().exp().sum() * (side[1] - side[0]) ** 2
    assert total.item() == pytest.approx(1, abs=1e-3)


def test_mixture_samples_are_of_its_density() -> None:
    truth = KnownMixture.drawn(3, 6)
    learnt = mixture_of(truth.store(), components=3, shared_frames=1.0)
    sampled = learnt.sample(40_000, generator=torch.Generator().manual_seed(0)).numpy()
    assert truth.logpdf(sampled).mean() == pytest.approx(truth.logpdf(truth.sample(40_000, 9)).mean(), abs=0.1)
    np.testing.assert_allclose(sampled.mean(0), truth.weights @ truth.means, atol=0.02)
    modes = ((sampled[:, None] - truth.means) ** 2).sum(-1).argmin(1)
    np.testing.assert_allclose(np.bincount(modes, minlength=3) / len(modes), truth.weights, atol=0.02)


def test_mixture_encode_and_decode_are_inverses_and_white(store: PoseStore) -> None:
    prior = fitted(store, components=3, shrinkage=0.0)
    train = torch.from_numpy(np.array(store.split("train")))
    latents = prior.encode(train)
    torch.testing.assert_close(prior.decode(latents), train, rtol=0, atol=1e-5)
    torch.testing.assert_close(latents.T.cov(correction=0), torch.eye(prior.latent_dim), rtol=0, atol=1e-3)


def test_mixture_gradients_are_those_of_finite_differences(store: PoseStore) -> None:
    prior = fitted(store, components=3).double()
    pose = torch.from_numpy(np.array(store.split("test")[:2])).double().requires_grad_()
    prior.log_prob(pose).sum().backward()
    step = torch.randn(2, 90, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ahead, behind = (prior.log_prob(pose.detach() + sign * 1e-5 * step) for sign in (1, -1))
    assert pose.grad is not None
    torch.testing.assert_close((pose.grad * step).sum(1), (ahead - behind) / 2e-5, rtol=1e-4, atol=1e-2)


def test_mixture_reloads_bit_for_bit_and_follows_its_seed(store: PoseStore, tmp_path: Path) -> None:
    prior = fitted(store, components=3, seed=5)
    save_prior(prior, tmp_path / "prior.pt")
    loaded = load_prior(tmp_path / "prior.pt")
    poses = torch.from_numpy(np.array(store.split("test")))
    assert torch.equal(loaded.log_prob(poses), prior.log_prob(poses))
    assert torch.equal(fitted(store, components=3, seed=5).log_prob(poses), prior.log_prob(poses))
    assert not torch.equal(fitted(store, components=3, seed=6).log_prob(poses), prior.log_prob(poses))
    generators = (torch.Generator().manual_seed(5), torch.Generator().manual_seed(5))
    assert torch.equal(loaded.sample(9, generator=generators[0]), prior.sample(9, generator=generators[1]))


def test_mixture_starts_from_the_seed_of_its_run_unless_it_has_its_own(store: PoseStore) -> None:
    poses = torch.from_numpy(np.array(store.split("test")))

    def log_prob(run_seed: int, own: int | None) -> torch.Tensor:
        prior = Gaussian.for_store(store, GaussianSettings(components=3, seed=own))
        prior.fit(store, seed=run_seed)
        return prior.log_prob(poses)

    assert torch.equal(log_prob(5, None), log_prob(0, 5))
    assert torch.equal(log_prob(6, 5), log_prob(0, 5))
    assert not torch.equal(log_prob(6, None), log_prob(5, None))


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_mixture_tells_what_each_round_has_reached(covariance: str) -> None:
    """The last round is scored again from outside, over radians; parts of rounds are counted in between."""
    poses = KnownMixture.drawn(4, 9, apart=0.1).store(20_000)
    told: list[FitRound] = []
    prior = Gaussian(poses.statistics, GaussianSettings(components=4, covariance=covariance, max_rounds=3))  # type: ignore[arg-type]
    prior.fit(poses, watch=lambda at: bool(told.append(at)))  # type: ignore[arg-type]
    rounds = [at for at in told if at.metrics]
    assert [at.done for at in rounds] == [0, 1, 2, 3]
    best = min(rounds, key=lambda at: at.metrics["val/nll"]).metrics
    for split, name in (("train", "train/loss"), ("val", "val/nll")):
        again = -prior.log_prob(torch.from_numpy(poses.split(split))).double().mean().item()
        assert best[name] == pytest.approx(again, abs=1e-3)
    parts = [at.done for at in told if not at.metrics]
    assert parts == sorted(parts)
    assert any(at % 1 for at in parts)
    assert {at.most for at in told} == {3}


@pytest.mark.parametrize("after", ["a batch of the first round", "two rounds", "a batch of the third round"])
def test_mixture_that_is_told_to_end_keeps_its_best_round(after: str) -> None:
    poses = KnownMixture.drawn(4, 9, apart=0.1).store(20_000)
    stops = {
        "a batch of the first round": lambda at: True,
        "two rounds": lambda at: bool(at.metrics) and at.done == 2,
        "a batch of the third round": lambda at: 2 < at.done < 3,
    }
    told: list[FitRound] = []

    def watch(at: FitRound) -> bool:
        told.append(at)
        return stops[after](at)

    def fitted_in(rounds: int, **options: object) -> torch.Tensor:
        prior = Gaussian(poses.statistics, GaussianSettings(components=4, max_rounds=rounds))
        prior.fit(poses, **options)  # type: ignore[arg-type]
        return prior.log_prob(torch.from_numpy(poses.split("val")))

    stopped = fitted_in(9, watch=watch)
    assert stops[after](told[-1])
    if after == "a batch of the first round":
        assert len(told) == 1
        assert torch.isfinite(stopped).all()
    else:
        looked_at = 2 if after == "two rounds" else 1  # what the second round made is looked at in the third
        assert torch.equal(stopped, fitted_in(looked_at))


def test_rounds_never_lower_the_train_likelihood_and_the_best_on_val_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Expectation maximisation climbs where nothing is drawn anywhere; more rounds cannot make val worse."""
    poses = KnownMixture.drawn(6, 9, apart=0.1).store(3000)
    train, val = (torch.from_numpy(poses.split(name)) for name in ("train", "val"))
    judged = [mixture_of(poses, components=4, max_rounds=rounds) for rounds in (1, 4, 12)]
    held_out = [prior.log_prob(val).double().mean().item() for prior in judged]
    assert held_out == sorted(held_out)
    monkeypatch.setattr("training.priors.gaussian.VAL_FRAMES", 0)
    free = [mixture_of(poses, components=4, max_rounds=n, shrinkage=0.0, shared_frames=1e-9) for n in (1, 4, 12)]
    climbed = [prior.log_prob(train).double().mean().item() for prior in free]
    assert climbed == sorted(climbed)


def test_a_single_frame_far_away_is_no_component_of_its_own(two_columns: PoseStatistics) -> None:
    rows = np.tile(two_columns.mean, (500, 1)).astype(np.float32)
    rows[:, [4, 40]] += np.random.default_rng(0).normal(0, 0.05, (500, 2)).astype(np.float32)
    rows[0, [4, 40]] += 2
    prior = Gaussian(two_columns, GaussianSettings(components=4, shared_frames=10.0))
    prior.fit(Poses(train=rows, val=rows[:0]))  # type: ignore[arg-type]
    assert prior.log_prob(torch.from_numpy(rows)).max() < 10


def test_mixture_counts_what_it_has_learnt(statistics: PoseStatistics) -> None:
    full = Gaussian(statistics, GaussianSettings(components=5))
    assert full.size == 5 * (87 + 87 * 88 // 2) + 4
    assert Gaussian(statistics, GaussianSettings(components=5, covariance="diagonal")).size == 5 * 2 * 87 + 4


def test_a_diagonal_gaussian_of_55_moving_joints_is_330_numbers() -> None:
    moving = PoseStatistics("full", *(np.ones(165, np.float32),) * 2, np.ones(165, bool), np.zeros(165, np.float32))
    assert Gaussian(moving, GaussianSettings(covariance="diagonal")).size == 330


def test_settings_of_a_mixture_are_checked(two_columns: PoseStatistics) -> None:
    for settings, message in (
        ({"components": 0}, "components must be at least 1, got 0"),
        ({"max_rounds": 0}, "max_rounds must be at least 1"),
        ({"shared_frames": 0.0}, r"shared_frames must be above 0, got 0\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            GaussianSettings(**settings)
    rows = np.random.default_rng(0).normal(size=(5, 90)).astype(np.float32)
    with pytest.raises(ValueError, match="components is 8, and the train split has 5 frames: take fewer"):
        Gaussian(two_columns, GaussianSettings(components=8)).fit(Poses(train=rows, val=rows[:0]))  # type: ignore[arg-type]
