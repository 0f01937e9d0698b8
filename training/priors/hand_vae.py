"""The Hand VAE: a small latent space in which hands can be walked through (Kingma & Welling 2014)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from training.prior import PoseStatistics
from training.priors.variational import VAESettings, VariationalPrior


@dataclass(frozen=True)
class HandVAESettings(VAESettings):
    """Settings of the Hand VAE: those of every :class:`~training.priors.variational.VariationalPrior`."""


class HandVAE(VariationalPrior):
    """Variational autoencoder with a normal likelihood whose noise is learnt per column."""

    name: ClassVar[str] = "hand_vae"
    title: ClassVar[str] = "Hand VAE"
    Settings: ClassVar[type] = HandVAESettings

    def __init__(self, statistics: PoseStatistics, settings: HandVAESettings | None = None) -> None:
        dims = int(statistics.active.sum())
        super().__init__(statistics, settings, seen=dims, said=dims, spreads=dims)

    def _log_likelihood(
        self, x: Float[Tensor, "*batch active"], decoded: Float[Tensor, "*samples active"]
    ) -> Float[Tensor, "*samples"]:
        sigma = self._sigma()
        constant = torch.log(sigma).sum() + 0.5 * self.active_dims * math.log(2 * math.pi)
        return -0.5 * ((x - decoded.float()) / sigma).square().sum(-1) - constant

    def _decode(self, latent: Float[Tensor, "frames latent"]) -> Float[Tensor, "frames active"]:
        return self.decoder(latent)

    def _scatter(
        self, x: Float[Tensor, "frames active"], generator: torch.Generator | None
    ) -> Float[Tensor, "frames active"]:
        return x + self._sigma() * self._noise(*x.shape, generator=generator)
