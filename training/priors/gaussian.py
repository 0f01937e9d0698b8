"""The Gaussian prior: fitted in closed form in one streaming pass, and on unseen people hard to beat.

Also a mixture of several Gaussians, which is fitted in some more passes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from training.fit_rounds import FitRound, Watch, watch_nothing
from training.k_means import k_means
from training.prior import PoseStatistics, Prior
from training.priors.gaussian_mixture import Drawn, GaussianMixture, fit_mixture

if TYPE_CHECKING:
    from data_tools.store import PoseStore


VAL_FRAMES = 20_000
"""Val frames, drawn evenly, that a mixture is judged by after each round."""

START_FRAMES = 20_000
"""Train frames, drawn evenly, whose groups are a mixture's start."""

POINTS_AT_ONCE = 8192


@dataclass(frozen=True)
class GaussianSettings:
    """Settings of the Gaussian prior.

    Attributes:
        covariance: ``full``, or ``diagonal`` (every column independent of the others).
        shrinkage: Share of the diagonal in the full covariance, (1 - s) C + s diag(C). It keeps the covariance positive
            definite where two columns always move together, which would otherwise give unbounded likelihood.
        components: Number of Gaussians: 1 in closed form; more as a mixture, by expectation maximisation.
        shared_frames: Of a mixture: each component's covariance is drawn towards the one that all share as if so many
            frames more had been seen of that.
        max_rounds: Of a mixture: most passes over the train split.
        seed: Of a mixture: of its k-means start; null for the run's own.
    """

    covariance: Literal["full", "diagonal"] = "full"
    shrinkage: float = 1e-4
    components: int = 1
    shared_frames: float = 10_000.0
    max_rounds: int = 50
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.shrinkage <= 1:
            raise ValueError(f"model.shrinkage must lie between 0 and 1, got {self.shrinkage}")
        for name in ("components", "max_rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name} must be at least 1, got {getattr(self, name)}")
        if not self.shared_frames > 0:
            raise ValueError(f"model.shared_frames must be above 0, got {self.shared_frames}")


class Gaussian(Prior):
    """One normal distribution over the active columns, or a mixture of several.

    Latents are principal axes (eigenvectors of the covariance in radians), scaled to unit variance, the widest first:
    latent 0 at +1 is one standard deviation along the motion that varies most. ``encode`` and ``decode`` are exact
    inverses. Latents of a mixture are those of the train split's whole covariance: of mean 0 and variance 1 on every
    axis and uncorrelated, but not normal; decoding normal numbers draws from the one Gaussian of the same covariance,
    ``sample`` from the mixture.
    """

    name: ClassVar[str] = "gaussian"
    title: ClassVar[str] = "Gaussian"
    Settings: ClassVar[type] = GaussianSettings
    closed_form: ClassVar[bool] = True

    location: Tensor
    whitening: Tensor
    colouring: Tensor
    log_volume: Tensor

    def __init__(self, statistics: PoseStatistics, settings: GaussianSettings | None = None) -> None:
        super().__init__(statistics, settings)
        dims = self.active_dims
        self.register_buffer("location", torch.zeros(dims))
        self.register_buffer("whitening", torch.eye(dims))
        self.register_buffer("colouring", torch.eye(dims))
        self.register_buffer("log_volume", torch.zeros((), dtype=torch.float64))
        self.mixture: GaussianMixture | None = None
        if self.settings.components > 1:
            self.mixture = GaussianMixture(self.settings.components, dims, diagonal=self._diagonal)

    @property
    def latent_dim(self) -> int:
        return self.active_dims

    @property
    def size(self) -> int:
        """Mean and variances, or mean and one triangle of the covariance; of a mixture's components, with their shares.

        A diagonal one has two for each active column: 330 on 55 joints that all move, 318 with the eyes still.
        """
        if self.mixture is not None:
            return self.mixture.size
        dims = self.active_dims
        return 2 * dims if self._diagonal else dims + dims * (dims + 1) // 2

    def fit(self, store: PoseStore, *, seed: int = 0, watch: Watch = watch_nothing) -> None:
        """Fit to the store's train split: maximum likelihood, one streaming pass, a mixture in some more.

        A mixture that is told to end keeps the best round so far, or its start.

        Raises:
            ValueError: The train split is empty or holds a value that is not a number, or fewer frames than components.
        """
        columns = self.columns.cpu().numpy()
        centre = self.mean.cpu().numpy()
        alone = self._diagonal and self.mixture is None
        mean, second = moments(store.split("train"), columns, centre[columns], diagonal=alone)
        self._set(mean, np.diag(second) if alone else second)
        if self.mixture is not None:
            own = self.settings.seed
            self._fit_mixture(self.mixture, store, second, seed if own is None else own, watch)

    def _fit_mixture(
        self, mixture: GaussianMixture, store: PoseStore, second: Float64[np.ndarray, "a a"], seed: int, watch: Watch
    ) -> None:
        """Fit the mixture where it lives: in latents, or with diagonal covariances in standardised columns."""
        train = store.split("train")
        if len(train) < mixture.components:
            raise ValueError(
                f"model.components is {mixture.components}, and the train split has {len(train)} frames: take fewer"
            )
        variance = torch.as_tensor(np.diag(second).copy()).to(self.device) / self.std[self.columns].double().square()
        whitening = self.whitening.double()
        floor = variance if self._diagonal else whitening.T @ (variance[:, None] * whitening)
        val = store.split("val") if "val" in store.splits else train[:0]
        judges = val[_evenly(len(val), VAL_FRAMES)]
        first = self._prepared(train[_evenly(len(train), START_FRAMES)])
        # Distances are taken where a wide motion counts for more than a narrow one; whitened, all would be noise.
        groups = k_means(first, mixture.components, torch.Generator().manual_seed(seed))
        fit_mixture(
            mixture,
            lambda: self._points(train),
            (lambda: self._points(judges)) if len(judges) else None,
            (first if self._diagonal else self._encode(first), groups),
            drawn=Drawn(self.settings.shared_frames, self.settings.shrinkage, floor),
            max_rounds=self.settings.max_rounds,
            watch=lambda at: watch(self._in_radians(at)),
        )

    def _in_radians(self, at: FitRound) -> FitRound:
        """The same, its likelihoods where the mixture lives as those of poses: nats per frame over radians."""
        added = self.log_det - (0.0 if self._diagonal else float(self.log_volume))
        return replace(at, metrics={name: nll - added for name, nll in at.metrics.items()})

    def _points(self, poses: Float[np.ndarray, "rows dim"]) -> Iterator[Float[Tensor, "frames active"]]:
        """Poses where the mixture lives, some at a time."""
        for low in range(0, len(poses), POINTS_AT_ONCE):
            x = self._prepared(poses[low : low + POINTS_AT_ONCE])
            yield x if self._diagonal else self._encode(x)

    def _prepared(self, poses: Float[np.ndarray, "rows dim"]) -> Float[Tensor, "rows active"]:
        return self.prepare(torch.from_numpy(np.array(poses)).to(self.mean))

    @property
    def _diagonal(self) -> bool:
        return bool(self.settings.covariance == "diagonal")

    def _set(self, mean: Float64[np.ndarray, "active"], covariance: Float64[np.ndarray, "active active"]) -> None:
        """Take a mean and a covariance in radians; keep them as maps between standardised poses and latents."""
        spread = self.std[self.columns].double().cpu().numpy()
        centre = self.mean[self.columns].double().cpu().numpy()
        share = self.settings.shrinkage
        covariance = (1 - share) * covariance + share * np.diag(np.diag(covariance))
        variances, axes = np.linalg.eigh(covariance)
        # eigh leaves each axis's sign to chance: make the largest component positive, the same on every machine.
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(axes))])
        widest = np.argsort(variances)[::-1]
        axes, deviation = axes[:, widest], np.sqrt(variances[widest])
        self.location.copy_(torch.as_tensor((mean - centre) / spread))
        self.whitening.copy_(torch.as_tensor(spread[:, None] * axes / deviation))
        self.colouring.copy_(torch.as_tensor((axes * deviation).T / spread))
        self.log_volume.fill_(float(np.log(deviation).sum() - np.log(spread).sum()))

    def _log_prob(
        self, x: Float[Tensor, "frames active"], generator: torch.Generator | None
    ) -> Float[Tensor, "frames"]:
        if self.mixture is not None:
            return (
                self.mixture.log_prob(x)
                if self._diagonal
                else self.mixture.log_prob(self._encode(x)) - self.log_volume.to(x)
            )
        squared = self._encode(x).square().sum(-1)
        # Not as a Python number, which a GPU would have to be waited for.
        return -0.5 * squared - (0.5 * self.active_dims * math.log(2 * math.pi) + self.log_volume).to(squared)

    def _sample(self, n: int, generator: torch.Generator | None) -> Float[Tensor, "n active"]:
        if self.mixture is None:
            return self._decode(self._noise(n, self.active_dims, generator=generator))
        points = self.mixture.sample(self._noise(n, 1 + self.active_dims, generator=generator))
        return points if self._diagonal else self._decode(points)

    def _encode(self, x: Float[Tensor, "frames active"]) -> Float[Tensor, "frames latent"]:
        return (x - self.location) @ self.whitening

    def _decode(self, latent: Float[Tensor, "frames latent"]) -> Float[Tensor, "frames active"]:
        return latent @ self.colouring + self.location


def _evenly(count: int, at_most: int) -> np.ndarray:
    """Rows spread evenly over all, at most so many."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, at_most)).round().astype(np.int64))


def moments(
    poses: Float[np.ndarray, "rows dim"],
    columns: np.ndarray,
    centre: np.ndarray,
    *,
    diagonal: bool = False,
    chunk_frames: int = 16_384,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance (or variances) of some columns in one pass, in float64, with bounded memory.

    Sums are taken about ``centre``, a guess at the mean: the closer it is, the fewer digits cancel. Any centre gives
    the right answer.

    Args:
        poses: Rows to read, which may be a memory map larger than memory.
        columns: Which columns.
        centre: One number per chosen column, near its mean.
        diagonal: Return variances only.
        chunk_frames: Rows held at a time.

    Returns:
        Mean (columns,) and maximum-likelihood covariance (columns, columns), or variances (columns,).

    Raises:
        ValueError: No rows, or a value that is not a number.
    """
    if len(poses) == 0:
        raise ValueError("the store's train split is empty: nothing to fit")
    size = len(columns)
    first = np.zeros(size)
    second = np.zeros(size) if diagonal else np.zeros((size, size))
    every = size == poses.shape[1]
    for start in range(0, len(poses), chunk_frames):
        block = poses[start : start + chunk_frames]
        apart = (block if every else block[:, columns]).astype(np.float64) - centre
        first += apart.sum(axis=0)
        second += np.einsum("nc,nc->c", apart, apart) if diagonal else apart.T @ apart
    shift = first / len(poses)
    second = second / len(poses) - (shift**2 if diagonal else np.outer(shift, shift))
    if not np.isfinite(second).all():
        raise ValueError("the store holds a pose that is not a number (NaN or infinite): pack it again")
    return centre + shift, second
