"""Monotone rational-quadratic splines (Neural Spline Flows, Durkan et al. 2019, arXiv 1906.04032), gradient included.

Each spline maps [-5, 5] onto itself in bins and is the identity outside. All-zero parameters give the identity. The
gradient is written out, since on a CPU most of a spline flow's step went into differentiating it: 4 to 5 times sooner.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

BOUND = 5.0
"""Splines act between minus and plus this; columns are standardised, so hardly a frame lies beyond."""

NARROWEST = 1e-3
"""Smallest width and height of a bin, as a share of the whole range."""

_SOFT_LIMIT = 7.0  # parameters go into exp(); beyond about this they are bent, so that no bin can vanish
_EDGE = 1e-5


def parameter_count(bins: int) -> int:
    """Numbers that one spline takes: widths, heights and the slopes between bins (the slope at both ends is 1)."""
    return 3 * bins - 1


def spline(
    x: Float[Tensor, "frames columns"], parameters: Float[Tensor, "frames numbers columns"]
) -> tuple[Float[Tensor, "frames columns"], Float[Tensor, "frames columns"]]:
    """Map each number through its own spline.

    Args:
        x: Numbers, best standardised.
        parameters: ``parameter_count(bins)`` unbounded numbers per spline, along the second axis.

    Returns:
        The mapped numbers, and the logarithm of the slope at each; both differentiable once.
    """
    y, log_slope = _Spline.apply(x, parameters)
    return y, log_slope


def inverse_spline(
    y: Float[Tensor, "frames columns"], parameters: Float[Tensor, "frames numbers columns"]
) -> Float[Tensor, "frames columns"]:
    """Undo :func:`spline`: the root of a quadratic per number (ibid., eq. 6 to 8). Differentiable."""
    bins = _bins(parameters)
    sizes, slopes, *_ = _shape(parameters, bins)
    inside = y.abs() < BOUND
    clamped = y.clamp(-BOUND + _EDGE, BOUND - _EDGE)
    index = (clamped.unsqueeze(1) >= sizes.cumsum(2)[:, 1, :-1] - BOUND).sum(1, keepdim=True)
    x0, y0, width, height, left, right = _bin(sizes, slopes, index)
    slope, above = height / width, clamped - y0
    bend = left + right - 2 * slope
    a, b, c = height * (slope - left) + above * bend, height * left - above * bend, -slope * above
    root = 2 * c / (-b - (b * b - 4 * a * c).clamp_min(0).sqrt())
    return torch.where(inside, x0 + root * width, y)


class _Spline(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        bins = _bins(parameters)
        sizes, slopes, shares, squeeze = _shape(parameters, bins)
        inside = x.abs() < BOUND
        clamped = x.clamp(-BOUND + _EDGE, BOUND - _EDGE)
        index = (clamped.unsqueeze(1) >= sizes.cumsum(2)[:, 0, :-1] - BOUND).sum(1, keepdim=True)
        x0, y0, width, height, left, right = _bin(sizes, slopes, index)
        slope, t = height / width, (clamped - x0) / width
        u = 1 - t
        below = slope + (right + left - 2 * slope) * t * u  # denominator of eq. 4
        above = slope * t * t + left * t * u
        steep = right * t * t + 2 * slope * t * u + left * u * u  # numerator of eq. 5, without slope squared
        ctx.save_for_backward(
            shares, squeeze, slopes, index, inside, slope, t, left, right, width, height, below, above, steep
        )
        log_slope = 2 * (slope.log() - below.log()) + steep.log()
        return torch.where(inside, y0 + height * above / below, x), torch.where(inside, log_slope, 0.0)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, y_grad: Tensor, log_grad: Tensor) -> tuple[Tensor, Tensor]:
        shares, squeeze, slopes, index, inside, *parts = ctx.saved_tensors
        slope, t, left, right, width, height, below, above, steep = parts
        y_inside, log_inside = torch.where(inside, y_grad, 0.0), torch.where(inside, log_grad, 0.0)
        u, bend = 1 - t, right + left - 2 * slope
        tu = t * u
        d_above = y_inside * height / below
        d_below = -(y_inside * height * above / below + 2 * log_inside) / below
        d_steep = log_inside / steep
        d_slope = 2 * log_inside / slope + d_above * t * t + d_below * (1 - 2 * tu) + 2 * d_steep * tu
        d_left = d_above * tu + d_below * tu + d_steep * u * u
        d_right = d_below * tu + d_steep * t * t
        d_tu = d_above * left + d_below * bend + 2 * d_steep * slope
        d_t = 2 * (d_above * slope * t + d_steep * (right * t - left * u)) + d_tu * (1 - 2 * t)
        d_x = d_t / width
        d_width = -(d_slope * slope + d_t * t) / width
        d_height = y_inside * above / below + d_slope / width
        # The left edge of a bin is the sum of the sizes before it.
        bins = shares.shape[2]
        before = torch.arange(bins, device=index.device).view(1, bins, 1) < index
        d_sizes = torch.stack([-d_x, y_inside], 1).unsqueeze(2) * before.unsqueeze(1)
        d_sizes.scatter_(2, index.unsqueeze(1).expand(-1, 2, -1, -1), torch.stack([d_width, d_height], 1).unsqueeze(2))
        d_shares = d_sizes * shares
        d_logits = (d_shares - shares * d_shares.sum(2, keepdim=True)) * (2 * BOUND * (1 - NARROWEST * bins))
        d_knots = torch.zeros_like(slopes)
        d_knots.scatter_(1, index, d_left.unsqueeze(1)).scatter_add_(1, index + 1, d_right.unsqueeze(1))
        d_slopes = (d_knots * slopes)[:, 1:-1]
        d_parameters = torch.cat([d_logits.flatten(1, 2), d_slopes], 1) * squeeze.square()
        return d_x + torch.where(inside, 0.0, y_grad), d_parameters


def _bins(parameters: Tensor) -> int:
    bins, rest = divmod(parameters.shape[1] + 1, 3)
    if rest or bins < 1:
        raise ValueError(f"a spline takes 3 * bins - 1 parameters, got {parameters.shape[1]}")
    return bins


def _shape(parameters: Tensor, bins: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Widths and heights of all bins (frames, 2, bins, columns), slopes at all knots, and what the gradient needs."""
    squeeze = 1 / (1 + parameters.abs() / _SOFT_LIMIT)
    grown = (parameters * squeeze).exp()
    sizes = grown[:, : 2 * bins].unflatten(1, (2, bins))
    shares = sizes / sizes.sum(2, keepdim=True)
    sizes = shares * (2 * BOUND * (1 - NARROWEST * bins)) + 2 * BOUND * NARROWEST
    end = torch.ones_like(parameters[:, :1])
    return sizes, torch.cat([end, grown[:, 2 * bins :], end], 1), shares, squeeze


def _bin(sizes: Tensor, slopes: Tensor, index: Tensor) -> tuple[Tensor, ...]:
    """Left and lower edge, width, height, and slopes at both ends of the bin that each number falls into."""
    both = index.unsqueeze(1).expand(-1, 2, -1, -1)
    size = sizes.gather(2, both).squeeze(2)
    edge = sizes.cumsum(2).gather(2, both).squeeze(2) - size - BOUND
    left, right = (slopes.gather(1, place).squeeze(1) for place in (index, index + 1))
    return edge[:, 0], edge[:, 1], size[:, 0], size[:, 1], left, right
