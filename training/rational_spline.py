"""Monotone rational-quadratic splines (Neural Spline Flows, Durkan et al. 2019, arXiv 1906.04032), gradient included.

Each spline maps [-5, 5] onto itself in bins and is the identity outside. All-zero parameters give the identity. The
gradient is written out, since on a CPU most of a spline flow's step went into differentiating it.
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
    shares, slopes, _ = _shape(parameters)
    inside = y.abs() < BOUND
    clamped = y.clamp(-BOUND + _EDGE, BOUND - _EDGE)
    x0, y0, width, height, left, right, _ = _bin(clamped, shares, slopes, along=1)
    slope, above = height / width, clamped - y0
    bend = left + right - 2 * slope
    a, b, c = height * (slope - left) + above * bend, height * left - above * bend, -slope * above
    root = 2 * c / (-b - (b * b - 4 * a * c).clamp_min(0).sqrt())
    return torch.where(inside, x0 + root * width, y)


class _Spline(torch.autograd.Function):
    """Written for few passes over the parameters, which outnumber the frames' own numbers 23 to 1 with 8 bins."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shares, slopes, squeeze = _shape(parameters)
        inside = x.abs() < BOUND
        clamped = x.clamp(-BOUND + _EDGE, BOUND - _EDGE)
        x0, y0, width, height, left, right, index = _bin(clamped, shares, slopes, along=0)
        slope, t = height / width, (clamped - x0) / width
        u = 1 - t
        below = slope + (right + left - 2 * slope) * (t * u)  # denominator of eq. 4
        above = slope * t * t + left * t * u
        steep = right * t * t + 2 * slope * t * u + left * u * u  # numerator of eq. 5, without slope squared
        ctx.save_for_backward(
            shares, slopes, squeeze, index, inside, slope, t, left, right, width, height, below, above, steep
        )
        log_slope = 2 * (slope / below).log_() + steep.log()
        return torch.where(inside, y0 + height * above / below, x), torch.where(inside, log_slope, 0.0)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, y_grad: Tensor, log_grad: Tensor) -> tuple[Tensor, Tensor]:
        shares, slopes, squeeze, index, inside, *parts = ctx.saved_tensors
        slope, t, left, right, width, height, below, above, steep = parts
        y_inside, log_inside = torch.where(inside, y_grad, 0.0), torch.where(inside, log_grad, 0.0)
        u, bend = 1 - t, right + left - 2 * slope
        tt, tu = t * t, t * u
        d_above = y_inside * height / below
        d_below = -(d_above * above + 2 * log_inside) / below
        d_steep = log_inside / steep
        d_slope = 2 * log_inside / slope + d_above * tt + d_below * (1 - 2 * tu) + 2 * d_steep * tu
        d_left = (d_above + d_below) * tu + d_steep * (u * u)
        d_right = d_below * tu + d_steep * tt
        d_tu = d_above * left + d_below * bend + 2 * d_steep * slope
        d_t = 2 * (d_above * slope * t + d_steep * (right * t - left * u)) + d_tu * (1 - 2 * t)
        d_x = d_t / width
        d_width = -(d_slope * slope + d_t * t) / width
        d_height = y_inside * above / below + d_slope / width
        bins = shares.shape[2]
        gradient = torch.empty_like(squeeze)  # of the parameters, filled in place
        d_shares = gradient[:, : 2 * bins].unflatten(1, (2, bins))
        # The left edge of a bin is the sum of the sizes before it.
        before = torch.arange(bins, device=index.device).view(1, 1, bins, 1) < index.unsqueeze(1)
        torch.mul(torch.stack([-d_x, y_inside], 1).mul_(bin_span(bins)).unsqueeze(2), before, out=d_shares)
        own = torch.stack([d_width, d_height], 1).mul_(bin_span(bins)).unsqueeze(2)
        d_shares.scatter_(2, index.unsqueeze(1).expand(-1, 2, -1, -1), own).mul_(shares)
        d_shares.addcmul_(shares, d_shares.sum(2, keepdim=True), value=-1)
        d_knots = slopes.new_zeros(len(slopes), bins + 1, slopes.shape[2])
        d_knots.scatter_(1, index, d_left.unsqueeze(1)).scatter_add_(1, index + 1, d_right.unsqueeze(1))
        torch.mul(d_knots[:, 1:-1], slopes, out=gradient[:, 2 * bins :])
        return torch.where(inside, d_x, y_grad), gradient.mul_(squeeze).mul_(squeeze)


def bin_span(bins: int) -> float:
    """What the bins share out among them: the whole range, less the smallest size of each."""
    return 2 * BOUND * (1 - NARROWEST * bins)


def bin_shapes(
    parameters: Float[Tensor, "frames numbers columns"],
) -> tuple[Float[Tensor, "frames 2 bins columns"], Float[Tensor, "frames knots columns"]]:
    """Shares of the bins in width and height (each still to be stretched by :func:`bin_span`), slopes between bins."""
    shares, slopes, _ = _shape(parameters)
    return shares, slopes


def _shape(parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shares of the bins in width and height (frames, 2, bins, columns), slopes between bins, and d bent / d parameter.

    The last one is its square root, which the parameters are multiplied by.
    """
    bins, rest = divmod(parameters.shape[1] + 1, 3)
    if rest or bins < 1:
        raise ValueError(f"a spline takes 3 * bins - 1 parameters, got {parameters.shape[1]}")
    squeeze = parameters.abs().div_(_SOFT_LIMIT).add_(1).reciprocal_()
    grown = (parameters * squeeze).exp_()
    sizes = grown[:, : 2 * bins].unflatten(1, (2, bins))
    return sizes / sizes.sum(2, keepdim=True), grown[:, 2 * bins :], squeeze


def _bin(x: Tensor, shares: Tensor, slopes: Tensor, *, along: int) -> tuple[Tensor, ...]:
    """The bin that each number falls into, by widths (``along`` 0) or heights (1).

    Returns:
        Its left and lower edge, width, height, slopes at both ends, and its number (frames, 1, columns).
    """
    bins = shares.shape[2]
    smallest, span = 2 * BOUND * NARROWEST, bin_span(bins)
    filled = shares.cumsum(2)
    passed = torch.arange(1, bins, device=x.device, dtype=x.dtype).view(1, -1, 1) * (smallest / span)
    index = (filled[:, along, :-1] + passed <= ((x + BOUND) / span).unsqueeze(1)).sum(1, keepdim=True)
    both = index.unsqueeze(1).expand(-1, 2, -1, -1)
    share = shares.gather(2, both).squeeze(2)
    size = share * span + smallest
    edge = (filled.gather(2, both).squeeze(2) - share) * span + (index.to(x.dtype) * smallest - BOUND)
    end = torch.ones_like(x).unsqueeze(1)
    knots = torch.cat([end, slopes, end], 1)
    left, right = (knots.gather(1, place).squeeze(1) for place in (index, index + 1))
    return edge[:, 0], edge[:, 1], size[:, 0], size[:, 1], left, right, index
