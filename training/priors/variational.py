"""What the two Hand VAEs share: networks, evidence bound, importance-weighted bound (Kingma & Welling 2014)."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from training.fast_dropout import FastDropout
from training.prior import Condition, PoseStatistics, Prior, StepInfo, principal
from training.rotation_error import mean_joint_degrees

DECODED_AT_ONCE = 1 << 17
"""Latents decoded together when a bound is computed; keeps memory near 0.5 GB whatever the batch."""

ACTIVE_VARIANCE = 0.01
"""A latent axis is in use if its posterior mean varies more than this over the data (Burda et al. 2016, 5.2)."""


@dataclass(frozen=True)
class VAESettings:
    """Settings of a variational autoencoder.

    Attributes:
        z_dim: Latent axes.
        hidden: Width of the hidden layers.
        n_layers: Hidden layers in the encoder, and as many in the decoder.
        dropout: Share of hidden units dropped in training.
        activation: ``silu`` or ``gelu``, behind each hidden layer.
        layer_norm: A layer normalisation (arXiv 1607.06450): ``first``, before the encoder's first layer; ``last``,
            behind the last hidden layer of the encoder and of the decoder; or ``none``.
        beta: Weight of the KL term; 1 is the evidence bound.
        kl_warmup_epochs: Epochs over which that weight grows from 0.
        free_bits: Nats of KL per latent axis that cost nothing (Kingma et al. 2016); keeps axes from collapsing.
        sigma_floor: Smallest noise of the likelihood, in standard deviations of a column.
        importance_samples: Samples K of the importance-weighted bound that ``log_prob`` returns.
    """

    z_dim: int = 24
    hidden: int = 256
    n_layers: int = 3
    dropout: float = 0.1
    activation: Literal["silu", "gelu"] = "silu"
    layer_norm: Literal["none", "first", "last"] = "none"
    beta: float = 1.0
    kl_warmup_epochs: float = 10.0
    free_bits: float = 0.0
    sigma_floor: float = 0.01
    importance_samples: int = 64

    def __post_init__(self) -> None:
        for name in ("z_dim", "hidden", "n_layers", "importance_samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model.dropout must be at least 0 and below 1, got {self.dropout}")
        for name in ("beta", "kl_warmup_epochs", "free_bits"):
            if getattr(self, name) < 0:
                raise ValueError(f"model.{name} must not be negative, got {getattr(self, name)}")
        if self.sigma_floor <= 0:
            raise ValueError(f"model.sigma_floor must be above 0, got {self.sigma_floor}")


class VariationalPrior(Prior):
    """A variational autoencoder; what its decoder's numbers mean, and how poses scatter about them, is a subclass's.

    ``log_prob`` is the importance-weighted bound with K samples (Burda et al. 2016): never above the true log-density
    on average, and tighter as K grows. Without a generator its noise is a fixed quasi-random set shared by all poses.

    ``sample`` draws the decoder's mean pose, which is what one wants to look at; ``observation_noise=True`` adds the
    likelihood's noise and so draws from the density that ``log_prob`` bounds.

    Args:
        statistics: Layout, mean and spread of the store it is made for.
        settings: The prior's own settings.
        seen: Numbers that the encoder is given of a pose.
        said: Numbers that the decoder gives for a latent.
        spreads: Noise levels that are learnt, the same for all latents; with 0 the decoder says them.
    """

    is_bound: ClassVar[bool] = True
    settings: VAESettings

    fixed_noise: Tensor

    def __init__(
        self, statistics: PoseStatistics, settings: VAESettings | None, *, seen: int, said: int, spreads: int
    ) -> None:
        super().__init__(statistics, settings)
        s = self.settings
        self.encoder = _layers(seen, 2 * s.z_dim, s, normalise_first=s.layer_norm == "first")
        self.decoder = _layers(s.z_dim, said, s)
        self.log_sigma = nn.Parameter(torch.full((spreads,), -1.0)) if spreads else None
        self.register_buffer("fixed_noise", _quasi_normal(s.importance_samples, s.z_dim))

    @property
    def latent_dim(self) -> int:
        return self.settings.z_dim

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        condition: Condition | None = None,
        observation_noise: bool = False,
    ) -> Float[Tensor, "n dim"]:
        """Draw ``n`` poses, radians: decoder means, or with ``observation_noise`` draws from the density itself."""
        if condition is not None or not observation_noise:
            return super().sample(n, generator=generator, condition=condition)
        latent = self._noise(n, self.latent_dim, generator=generator)
        return principal(self.restore(self._scatter(latent, generator)))

    def training_step(
        self, prepared: Float[Tensor, "frames active"], info: StepInfo, condition: Tensor | None = None
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Negative evidence bound in nats per frame, over radians; the KL term warmed up and with its free bits."""
        s = self.settings
        mu, log_var = self._posterior(prepared)
        latent = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        reconstruction = -(self._log_likelihood(prepared, self.decoder(latent)).mean() + self.log_det)
        kl = _kl_per_axis(mu, log_var).mean(0)
        warmth = min(1.0, info.epoch / s.kl_warmup_epochs) if s.kl_warmup_epochs else 1.0
        loss = reconstruction + s.beta * warmth * kl.clamp_min(s.free_bits).sum()
        logged = {"reconstruction": reconstruction, "kl": kl.sum(), "elbo": -(reconstruction + kl.sum())}
        return loss, {name: value.detach() for name, value in logged.items()}

    def scores(
        self, prepared: Float[Tensor, "frames active"], generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Bound, evidence bound and its two parts (nats), reconstruction in degrees, and latent axes in use."""
        mu, log_var = self._posterior(prepared)
        noise = self._noise(*mu.shape, generator=generator)
        decoded = self.decoder(mu + torch.exp(0.5 * log_var) * noise)
        reconstruction = -(self._log_likelihood(prepared, decoded) + self.log_det)
        kl = _kl_per_axis(mu, log_var).sum(-1)
        degrees = mean_joint_degrees(self.restore(self._decode(mu)), self.restore(prepared))
        return {
            "nll": -(self._log_prob(prepared, generator) + self.log_det),
            "elbo": -(reconstruction + kl),
            "reconstruction": reconstruction,
            "kl": kl,
            "reconstruction_degrees": degrees,
            "active_units": (mu.var(0, correction=0) > ACTIVE_VARIANCE).float().sum(),
        }

    def _log_prob(
        self, x: Float[Tensor, "frames active"], generator: torch.Generator | None
    ) -> Float[Tensor, "frames"]:
        at_once = max(1, DECODED_AT_ONCE // self.settings.importance_samples)
        return torch.cat([self._bound(part, generator) for part in x.split(at_once)]) if len(x) else x.sum(-1)

    def _bound(self, x: Float[Tensor, "frames active"], generator: torch.Generator | None) -> Float[Tensor, "frames"]:
        """log 1/K sum_k p(x | z_k) p(z_k) / q(z_k | x), z_k drawn from q."""
        mu, log_var = (part.unsqueeze(1) for part in self._posterior(x))
        k, z_dim = self.fixed_noise.shape
        noise = self.fixed_noise if generator is None else self._noise(len(x), k, z_dim, generator=generator)
        latent = mu + torch.exp(0.5 * log_var) * noise
        likelihood = self._log_likelihood(x.unsqueeze(1), self.decoder(latent))
        # log p(z) - log q(z | x); the normal constants of the two cancel.
        ratio = 0.5 * (noise.square() + log_var - latent.square()).sum(-1)
        return torch.logsumexp(likelihood + ratio, dim=1) - math.log(k)

    def _sample(self, n: int, generator: torch.Generator | None) -> Float[Tensor, "n active"]:
        return self._decode(self._noise(n, self.latent_dim, generator=generator))

    def _encode(self, x: Float[Tensor, "frames active"]) -> Float[Tensor, "frames latent"]:
        return self._posterior(x)[0]

    def _posterior(self, x: Float[Tensor, "frames active"]) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x). The range covers a spread from e^-5 to e^2.5 prior deviations."""
        mu, log_var = self.encoder(self._seen(x)).float().chunk(2, dim=-1)
        return mu, log_var.clamp(-10.0, 5.0)

    def _sigma(self) -> Float[Tensor, "spreads"]:
        """Noise levels of the likelihood that are learnt, in standard deviations, never below the floor."""
        if self.log_sigma is None:
            raise ValueError("the decoder says the noise of each pose: there is none for all of them")
        return torch.sqrt(torch.exp(2 * self.log_sigma) + self.settings.sigma_floor**2)

    def _seen(self, x: Float[Tensor, "frames active"]) -> Float[Tensor, "frames seen"]:
        """What the encoder is given of prepared poses."""
        return x

    @abstractmethod
    def _log_likelihood(
        self, x: Float[Tensor, "*batch active"], decoded: Float[Tensor, "*samples said"]
    ) -> Float[Tensor, "*samples"]:
        """Log-density of prepared poses given what the decoder says, nats in standardised units."""

    @abstractmethod
    def _scatter(
        self, latent: Float[Tensor, "frames latent"], generator: torch.Generator | None
    ) -> Float[Tensor, "frames active"]:
        """Draw a prepared pose from the likelihood at each latent."""


def _layers(inputs: int, outputs: int, settings: VAESettings, *, normalise_first: bool = False) -> nn.Sequential:
    s = settings
    layers: list[nn.Module] = [nn.LayerNorm(inputs)] if normalise_first else []
    for k in range(s.n_layers):
        layers += [
            nn.Linear(inputs if k == 0 else s.hidden, s.hidden),
            nn.GELU() if s.activation == "gelu" else nn.SiLU(),
        ]
        layers += [FastDropout(s.dropout)] if s.dropout else []
    layers += [nn.LayerNorm(s.hidden)] if s.layer_norm == "last" else []
    return nn.Sequential(*layers, nn.Linear(s.hidden, outputs))


def _kl_per_axis(mu: Float[Tensor, "frames z"], log_var: Float[Tensor, "frames z"]) -> Float[Tensor, "frames z"]:
    """KL divergence of N(mu, exp(log_var)) from N(0, 1), nats per latent axis."""
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var)


def _quasi_normal(count: int, dims: int) -> Float[Tensor, "count dims"]:
    """Standard normal points spread evenly (scrambled Sobol, fixed seed): a lower-variance stand-in for draws."""
    uniform = torch.quasirandom.SobolEngine(dims, scramble=True, seed=0).draw(count, dtype=torch.float64)
    return torch.special.ndtri(uniform.clamp(1e-9, 1 - 1e-9)).float()
