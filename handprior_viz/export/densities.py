"""How a page works out the energy of a pose that it shows, where it can."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from handprior_viz.export.bounds import Bound, page_bound
from handprior_viz.export.flow_decoders import constant_log_det
from handprior_viz.export.steps import Step, affine, after, numbers, prepared
from training.prior import Prior
from training.priors.gaussian import Gaussian
from training.priors.global_flow import GlobalFlow
from training.priors.hand_vae import HandVAE
from training.priors.hand_vae_so3 import HandVAESO3
from training.priors.joint_flow import JointFlow


@dataclass(frozen=True, eq=False)
class Density:
    """A sum of densities, in nats per frame over radians; an energy is minus the logarithm of it.

    Attributes:
        normals: Of each normal one the logarithm of its height, and the affine map of a pose (dim,) to what is standard
            normal.
        flow: Of a flow the logarithm of its share, with all that does not depend on the pose; None without a flow. The
            rest of its logarithm is found while decoding: the latent and the log-determinants of the steps.
    """

    normals: tuple[tuple[float, Step], ...]
    flow: float | None = None


def page_density(prior: Prior) -> Density | Bound | None:
    """The density of a prior as a page can work it out; None where it cannot.

    A VAE's is a bound.
    """
    if isinstance(prior, Gaussian):
        return Density(_mixture(prior) if prior.mixture is not None else (_normal(prior, prior),))
    if isinstance(prior, GlobalFlow | JointFlow):
        share = prior.settings.gaussian_share
        flow = math.log1p(-share) + constant_log_det(prior) - _half_log_two_pi(prior) + prior.log_det
        return Density((_normal(prior, prior.gaussian, share),) if share else (), flow)
    if isinstance(prior, HandVAE | HandVAESO3):
        return page_bound(prior)
    return None


def _normal(prior: Prior, gaussian: Gaussian, share: float = 1.0) -> tuple[float, Step]:
    height = math.log(share) - _half_log_two_pi(prior) - float(gaussian.log_volume) + prior.log_det
    return height, after(prepared(prior), _whitened(gaussian))


def _mixture(prior: Gaussian) -> tuple[tuple[float, Step], ...]:
    mixture = prior.mixture
    assert mixture is not None
    points, volume = prepared(prior), 0.0
    if not mixture.diagonal:  # it lives in latents
        points, volume = after(points, _whitened(prior)), float(prior.log_volume)
    found = []
    parts = (mixture.log_weights, mixture.means, mixture.colouring, mixture.whitening)
    for share, mean, colouring, whitening in zip(*(numbers(part) for part in parts), strict=True):
        deviation = colouring if mixture.diagonal else np.diag(colouring)
        height = float(share - np.log(deviation).sum()) - _half_log_two_pi(prior) - volume + prior.log_det
        white = np.diag(whitening) if mixture.diagonal else whitening.T
        found.append((height, after(points, affine(white, -white @ mean))))
    return tuple(found)


def _whitened(gaussian: Gaussian) -> Step:
    """:meth:`Gaussian._encode` as an affine map."""
    whitening = numbers(gaussian.whitening).T
    return affine(whitening, -whitening @ numbers(gaussian.location))


def _half_log_two_pi(prior: Prior) -> float:
    return 0.5 * prior.active_dims * math.log(2 * math.pi)
