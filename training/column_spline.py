"""Rational-quadratic splines that all frames share: one per column, gradient included.

The same map as :func:`training.rational_spline.spline`. What depends on the bins alone is worked out once per column,
and a bin of slope 1 to either side stands for the identity outside, so that a frame's number costs one look-up and some
thirty operations.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.rational_spline import BOUND, NARROWEST, bin_shapes, bin_span


def column_spline(
    x: Float[Tensor, "frames columns"], parameters: Float[Tensor, "numbers columns"]
) -> tuple[Float[Tensor, "frames columns"], Float[Tensor, "frames columns"]]:
    """Map each number through the spline of its column.

    Args:
        x: Numbers, best standardised.
        parameters: ``parameter_count(bins)`` unbounded numbers per column.

    Returns:
        The mapped numbers, and the logarithm of the slope at each; both differentiable once.
    """
    table, edges = _table(parameters)
    y, log_slope = _ColumnSpline.apply(x, table, edges)
    return y, log_slope


def _table(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """What a number needs to know of its bin, (7, bins + 2, columns), and the edges between bins (bins + 1, columns).

    Left edge, one over the width, lower edge, height, slope of the chord, and the slopes at both ends. The first and
    the last bin are the identity.
    """
    shares, slopes = bin_shapes(parameters.unsqueeze(0))
    bins = shares.shape[2]
    sizes = shares[0] * bin_span(bins) + 2 * BOUND * NARROWEST
    widths, heights = sizes
    left, low = sizes.cumsum(1) - sizes - BOUND
    one = torch.ones_like(slopes[0, :1])
    knots = torch.cat([one, slopes[0], one])
    inner = torch.stack([left, 1 / widths, low, heights, heights / widths, knots[:-1], knots[1:]])
    zero = torch.zeros_like(one)
    outer = torch.stack([zero, one, zero, one, one, one, one])
    return torch.cat([outer, inner, outer], 1), torch.cat([left, one * BOUND]).detach()


def _bins_of(x: Tensor, edges: Tensor) -> Tensor:
    """How many edges lie at or below each number: for so few, counting takes a quarter of the time of a search."""
    passed = torch.zeros_like(x, dtype=torch.uint8)
    for edge in edges:
        passed += x >= edge
    return passed.long()


class _ColumnSpline(torch.autograd.Function):
    """Equations 4 and 5 of Durkan et al. 2019, with t the place within the bin and u = 1 - t."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        index = _bins_of(x, edges)
        start, rate, low, height, slope, left, right = table.gather(1, index.expand(len(table), -1, -1))
        t = (x - start).mul_(rate)
        u = 1 - t
        tu = t * u
        bend = (left + right).sub_(slope, alpha=2)
        below = torch.addcmul(slope, bend, tu)
        lower, upper = (slope * t).addcmul_(left, u), (slope * u).addcmul_(right, t)
        risen = (t * lower).div_(below)
        steep = (t * upper).addcmul_(u, lower)
        log_slope = (slope / below).square_().mul_(steep).log_()
        ctx.save_for_backward(index, rate, height, slope, left, right, t, u, tu, bend, below, risen, steep)
        ctx.bins = table.shape[1]
        return torch.addcmul(low, height, risen), log_slope

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, y_grad: Tensor, log_grad: Tensor) -> tuple[Tensor, Tensor, None]:
        index, rate, height, slope, left, right, t, u, tu, bend, below, risen, steep = ctx.saved_tensors
        tt, uu = t * t, u * u
        d_above = y_grad * height / below
        d_below = torch.addcmul(d_above * risen, log_grad, 2 / below).neg_()
        d_steep = log_grad / steep
        both = 2 * d_steep
        edge = d_above + d_below
        d_slope = torch.addcmul(d_below, both, tu)
        d_slope.addcmul_(d_below, tu, value=-2).addcmul_(d_above, tt).addcdiv_(log_grad, slope, value=2)
        d_left = torch.addcmul(edge * tu, d_steep, uu)
        d_right = torch.addcmul(d_below * tu, d_steep, tt)
        d_tu = torch.addcmul(torch.addcmul(both * slope, d_above, left), d_below, bend)
        d_t = (d_above * slope).mul_(t).addcmul_(d_steep * right, t).addcmul_(d_steep * left, u, value=-1).mul_(2)
        d_t.add_(d_tu).addcmul_(d_tu, t, value=-2)
        d_x = d_t * rate
        # The place within a bin depends on its left edge and its rate: t = (x - start) * rate.
        parts = torch.stack([-d_x, d_x * t / rate.square(), y_grad, y_grad * risen, d_slope, d_left, d_right])
        d_table = parts.new_zeros(len(parts), ctx.bins, parts.shape[2])
        d_table.scatter_add_(1, index.expand(len(parts), -1, -1), parts)
        return d_x, d_table, None
