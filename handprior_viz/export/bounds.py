"""How a page works out the energy bound of a VAE's pose: through its encoder, and through its decoder many times."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

from handprior_viz.export.steps import Step, affine, layers_of, merged, numbers, prepared
from training import geodesic_normal
from training.priors.hand_vae import LOG_VARIANCES, HandVAE
from training.priors.hand_vae_so3 import SIX, HandVAESO3


@dataclass(frozen=True, eq=False)
class Bound:
    """The importance-weighted bound of :class:`VariationalPrior` with its fixed noise, in nats per frame over radians.

    Attributes:
        posterior: From a pose (dim,) to the mean and the log-variance of its latents.
        decoder: From a latent to what the likelihood is given.
        likelihood: ``normal`` or ``geodesic`` of ``page_energy.js``, without what is the same for all poses.
        noise: Standard normal points, one for each draw.
        constant: What is the same for all poses.
    """

    posterior: tuple[Step, ...]
    decoder: tuple[Step, ...]
    likelihood: Step
    noise: Float64[np.ndarray, "draws latent"]
    constant: float


@torch.no_grad()
def page_bound(prior: HandVAE | HandVAESO3) -> Bound:
    """The bound as a page can work it out."""
    decoder, noise = [*layers_of(prior.decoder)], numbers(prior.fixed_noise)
    if isinstance(prior, HandVAESO3):
        decoder.append(six_numbers(prior))
        likelihood, constant = _geodesic(prior)
    else:
        likelihood, constant = _normal(prior)
    return Bound(
        posterior=tuple(merged([prepared(prior), *layers_of(prior.encoder)])),
        decoder=tuple(merged(decoder)),
        likelihood=likelihood,
        noise=noise,
        constant=constant + prior.log_det - math.log(len(noise)),
    )


def six_numbers(prior: HandVAESO3) -> Step:
    """From what the decoder says to six numbers a joint, two columns of its rotation matrix; the rest stays."""
    sliding = len(prior.sliding)
    stretch = np.concatenate([numbers(prior.stretch), np.ones(sliding)])
    return affine(np.diag(stretch), np.concatenate([numbers(prior.rest), np.zeros(sliding)]))


def _normal(prior: HandVAE) -> tuple[Step, float]:
    """Likelihood of the Hand VAE: normal about what is decoded, its noise learnt per column, or decoded."""
    constant = -0.5 * prior.active_dims * math.log(2 * math.pi)
    settings = {"floor": prior.settings.sigma_floor, "least": LOG_VARIANCES[0], "most": LOG_VARIANCES[1]}
    arrays = {} if prior.log_sigma is None else {"sigma": numbers(prior._sigma())}
    return Step("normal", arrays, settings, (prepared(prior),)), constant


def _geodesic(prior: HandVAESO3) -> tuple[Step, float]:
    """Likelihood of the Hand VAE on rotations: falls with the square of each joint's angle to what is decoded."""
    joints, sigma = prior.joints, prior._sigma().double()
    turning, sliding = sigma[:joints] * prior.spread.double(), sigma[joints:]
    constant = prior._log_std - float(geodesic_normal.log_normaliser(turning).sum())
    constant -= float(torch.log(sliding).sum()) + 0.5 * len(sliding) * math.log(2 * math.pi)
    columns = prior.columns[prior.turning].reshape(3, joints).T
    slid = prepared(prior).arrays
    rows = prior.sliding.cpu().numpy()
    arrays = {
        "columns": numbers(columns),
        "sharpness": numbers(0.5 / turning.square()),
        "sigma": numbers(sliding),
    }
    inner = (affine(slid["weight"][rows], slid["bias"][rows]),)
    return Step("geodesic", arrays, {"joints": joints, "first": SIX * joints}, inner), constant
