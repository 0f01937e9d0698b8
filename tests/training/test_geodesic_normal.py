"""The normal distribution of rotations against scipy's quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from training.geodesic_normal import angles_at, log_normaliser

SIGMAS = np.geomspace(1e-3, 10, 41)


def density(t: float, sigma: float) -> float:
    return 16 * math.pi * math.sin(t / 2) ** 2 * math.exp(-(t**2) / (2 * sigma**2))


def integral(sigma: float, below: float, *, moment: int = 0) -> float:
    reach = min(below, 40 * sigma)
    return quad(lambda t: t**moment * density(t, sigma), 0, reach, limit=500, epsabs=0, epsrel=1e-12)[0]


def test_normaliser_is_that_of_quadrature() -> None:
    made = log_normaliser(torch.from_numpy(SIGMAS)).numpy()
    expected = [math.log(integral(sigma, math.pi)) for sigma in SIGMAS]
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-9)
    in_32_bits = log_normaliser(torch.from_numpy(SIGMAS).float()).numpy()
    np.testing.assert_allclose(in_32_bits, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("sigma", "limit"), [(1e-6, 1.5 * math.log(2 * math.pi * 1e-12)), (1e6, math.log(8 * math.pi**2))]
)
def test_normaliser_at_both_ends(sigma: float, limit: float) -> None:
    assert log_normaliser(torch.tensor(sigma, dtype=torch.float64)).item() == pytest.approx(limit, abs=1e-9)
    assert math.isfinite(log_normaliser(torch.tensor(sigma)).item())


def test_gradient_of_the_normaliser() -> None:
    """d log Z / d sigma is the mean of t^2 / sigma^3."""
    sigmas = torch.from_numpy(SIGMAS).requires_grad_()
    (made,) = torch.autograd.grad(log_normaliser(sigmas).sum(), sigmas)
    expected = [integral(s, math.pi, moment=2) / integral(s, math.pi) / s**3 for s in SIGMAS]
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-8)


@pytest.mark.parametrize("sigma", [1e-3, 0.2, 1.0, 5.0])
def test_angles_lie_where_quadrature_has_them(sigma: float) -> None:
    shares = torch.tensor([[0.0], [0.001], [0.1], [0.5], [0.9], [0.999], [1.0]], dtype=torch.float64)
    angles = angles_at(shares, torch.tensor([sigma]))[:, 0].tolist()
    assert angles == sorted(angles)
    whole = integral(sigma, math.pi)
    for share, angle in zip(shares[1:-1, 0].tolist(), angles[1:-1], strict=True):
        assert integral(sigma, angle) / whole == pytest.approx(share, abs=2e-6)
    assert max(angles) <= math.pi
