"""The Hand VAE: a small latent space in which hands can be walked through (Kingma & Welling 2014)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from training.prior import PoseStatistics
from training.priors.variational import VAESettings, VariationalPrior

FIRST_LOG_VARIANCE = -1.5
"""What the decoder says of the noise at the start, where it says it: 0.47 standard deviations."""

LOG_VARIANCES = (-8.0, 4.0)
"""What it can say: noise of 0.02 to 7.4 standard deviations of a column."""


@dataclass(frozen=True)
class HandVAESettings(VAESettings):
    """Settings of the Hand VAE: those of every :class:`~training.priors.variational.VariationalPrior`, and its noise.

    Attributes:
        noise: ``column``: each column's noise is learnt, the same for all poses; ``decoded``: the decoder says it for
            each pose, too.
    """

    noise: Literal["column", "decoded"] = "column"


class HandVAE(VariationalPrior):
    """Variational autoencoder with a normal likelihood, whose noise is learnt per column or decoded."""

    name: ClassVar[str] = "hand_vae"
    title: ClassVar[str] = "Hand VAE"
    Settings: ClassVar[type] = HandVAESettings

    def __init__(self, statistics: PoseStatistics, settings: HandVAESettings | None = None) -> None:
        dims = int(statistics.active.sum())
        settings = settings or HandVAESettings()
        said, spreads = (2 * dims, 0) if settings.noise == "decoded" else (dims, dims)
        super().__init__(statistics, settings, seen=dims, said=said, spreads=spreads)
        if self._says_noise:
            last = self.decoder[-1]
            nn.init.zeros_(last.weight[dims:])  # type: ignore[index, arg-type]
            nn.init.constant_(last.bias[dims:], FIRST_LOG_VARIANCE)  # type: ignore[index, arg-type]

    def _log_likelihood(
        self, x: Float[Tensor, "*batch active"], decoded: Float[Tensor, "*samples said"]
    ) -> Float[Tensor, "*samples"]:
        centre, sigma = self._said(decoded.float())
        constant = torch.log(sigma).sum(-1) + 0.5 * self.active_dims * math.log(2 * math.pi)
        return -0.5 * ((x - centre) / sigma).square().sum(-1) - constant

    def _decode(self, latent: Float[Tensor, "frames latent"]) -> Float[Tensor, "frames active"]:
        return self._said(self.decoder(latent))[0]

    def _scatter(
        self, latent: Float[Tensor, "frames latent"], generator: torch.Generator | None
    ) -> Float[Tensor, "frames active"]:
        centre, sigma = self._said(self.decoder(latent))
        return centre + sigma * self._noise(*centre.shape, generator=generator)

    @property
    def _says_noise(self) -> bool:
        return self.log_sigma is None

    def _said(self, decoded: Float[Tensor, "*samples said"]) -> tuple[Tensor, Tensor]:
        """Centre and noise of the likelihood: (*samples, active) each, or the noise (active,) for all."""
        if not self._says_noise:
            return decoded, self._sigma()
        centre, log_variance = decoded.chunk(2, -1)
        return centre, torch.sqrt(log_variance.clamp(*LOG_VARIANCES).exp() + self.settings.sigma_floor**2)
