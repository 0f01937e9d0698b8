"""A normal distribution of rotations: falls with the square of the angle to its mean.

``p(R) = exp(-angle(R, M)^2 / (2 sigma^2)) / Z(sigma)`` over all rotations. Their volume is measured so that near the
mean it is that of rotation vectors: 8 pi^2 in all, 8 pi (1 - cos t) dt between the angles t and t + dt.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

_FURTHEST = 12.0
"""Angles beyond this many sigmas are left out: exp(-72) of the whole."""

_NODES = 64
_STEPS = 4096
"""Points of the table that angles are drawn from; between them it is a straight line."""


def log_normaliser(sigma: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """log Z(sigma) = log of the integral from 0 to pi of 8 pi (1 - cos t) exp(-t^2 / (2 sigma^2)) dt, sigma in radians.

    Gauss-Legendre in t / sigma, with sigma^3 taken out, so that it holds for every sigma and has a gradient. For a
    small one it is 3/2 log(2 pi sigma^2), for a large one log(8 pi^2).
    """
    # A GPU is not waited for: nobody changes these numbers while they are on their way.
    nodes, weights = (torch.from_numpy(part).to(sigma, non_blocking=True) for part in _gauss_legendre())
    reach = (math.pi / sigma).clamp_max(_FURTHEST).unsqueeze(-1)
    at = reach * nodes
    half = 0.5 * sigma.unsqueeze(-1) * at
    # (1 - cos t) / sigma^2 = 2 sin(t/2)^2 / sigma^2 has no cancellation; sinc is smooth as sigma goes to zero.
    integrand = 0.5 * (at * torch.sinc(half / math.pi)).square() * torch.exp(-0.5 * at.square())
    return math.log(8 * math.pi) + 3 * torch.log(sigma) + torch.log((reach * weights * integrand).sum(-1))


def angles_at(share: Float[Tensor, "n joints"], sigma: Float[Tensor, "joints"]) -> Float[Tensor, "n joints"]:
    """The angles to the mean, radians, below which these shares of each joint's rotations lie.

    With ``share`` drawn evenly from 0 to 1, angles drawn from the distribution.
    """
    s = sigma.double().unsqueeze(-1)
    grid = (math.pi / s).clamp_max(_FURTHEST) * torch.linspace(0, 1, _STEPS, dtype=torch.float64, device=s.device) * s
    density = (1 - torch.cos(grid)) * torch.exp(-0.5 * (grid / s).square())
    below = torch.nn.functional.pad((density[:, 1:] + density[:, :-1]).cumsum(-1), (1, 0))
    below = below / below[:, -1:]
    wanted = share.T.double().contiguous()
    right = torch.searchsorted(below, wanted).clamp(1, _STEPS - 1)
    low, high = below.gather(1, right - 1), below.gather(1, right)
    part = (wanted - low) / (high - low).clamp_min(torch.finfo(torch.float64).tiny)
    start, end = grid.gather(1, right - 1), grid.gather(1, right)
    return (start + part.clamp(0, 1) * (end - start)).T.to(share)


@cache
def _gauss_legendre() -> tuple[Float64[np.ndarray, "nodes"], Float64[np.ndarray, "nodes"]]:
    """Nodes and weights of an integral from 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2
