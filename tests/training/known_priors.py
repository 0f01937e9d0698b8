"""Priors whose density is known in closed form, poses drawn from them, and where those poses' points are."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from data_tools.hand_model import HAND_POINTS
from data_tools.store import PoseStore
from training.prior import PoseStatistics, Prior
from training.priors.gaussian import Gaussian, GaussianSettings
from training.seen_joints import FINGERTIPS

TIPS = [HAND_POINTS.index(name) for name in FINGERTIPS]
LAYOUTS = {45: "hand", 90: "hands", 165: "full"}


def fitted(store: PoseStore, **settings: object) -> Gaussian:
    """The Gaussian of a store."""
    prior = Gaussian(PoseStatistics.of(store), GaussianSettings(**settings))
    prior.fit(store)
    return prior.eval()


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
