"""The Gaussian prior: fitted in closed form in one streaming pass, and on unseen people hard to beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from training.prior import PoseStatistics, Prior

if TYPE_CHECKING:
    from data_tools.store import PoseStore


@dataclass(frozen=True)
class GaussianSettings:
    """Settings of the Gaussian prior.

    Attributes:
        covariance: ``full``, or ``diagonal`` (every column independent of the others).
        shrinkage: Share of the diagonal in the full covariance, (1 - s) C + s diag(C). It keeps the covariance positive
            definite where two columns always move together, which would otherwise give unbounded likelihood.
    """

    covariance: Literal["full", "diagonal"] = "full"
    shrinkage: float = 1e-4

    def __post_init__(self) -> None:
        if not 0 <= self.shrinkage <= 1:
            raise ValueError(f"model.shrinkage must lie between 0 and 1, got {self.shrinkage}")


class Gaussian(Prior):
    """One normal distribution over the active columns.

    Latents are its principal axes (eigenvectors of the covariance in radians), scaled to unit variance, the widest
    first: latent 0 at +1 is one standard deviation along the motion that varies most. ``encode`` and ``decode`` are
    exact inverses.
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

    @property
    def latent_dim(self) -> int:
        return self.active_dims

    @property
    def size(self) -> int:
        """Mean and variances, or mean and one triangle of the covariance."""
        dims = self.active_dims
        return 2 * dims if self.settings.covariance == "diagonal" else dims + dims * (dims + 1) // 2

    def fit(self, store: PoseStore) -> None:
        """Fit to the store's train split: maximum likelihood, one streaming pass.

        Raises:
            ValueError: The train split is empty or holds a value that is not a number.
        """
        columns = self.columns.cpu().numpy()
        centre = self.mean.cpu().numpy()
        diagonal = self.settings.covariance == "diagonal"
        mean, second = moments(store.split("train"), columns, centre[columns], diagonal=diagonal)
        self._set(mean, np.diag(second) if diagonal else second)

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
        squared = self._encode(x).square().sum(-1)
        return -0.5 * squared - (0.5 * self.active_dims * math.log(2 * math.pi) + float(self.log_volume))

    def _sample(self, n: int, generator: torch.Generator | None) -> Float[Tensor, "n active"]:
        return self._decode(self._noise(n, self.active_dims, generator=generator))

    def _encode(self, x: Float[Tensor, "frames active"]) -> Float[Tensor, "frames latent"]:
        return (x - self.location) @ self.whitening

    def _decode(self, latent: Float[Tensor, "frames latent"]) -> Float[Tensor, "frames active"]:
        return latent @ self.colouring + self.location


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
