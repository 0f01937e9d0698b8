"""Invertible layers that normalizing flows are stacked from. Each maps frames and gives the log-determinant."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from training.column_spline import column_spline
from training.fast_dropout import FastDropout
from training.rational_spline import inverse_spline, parameter_count, spline

Kind = Literal["affine", "spline"]


class ActNorm(nn.Module):
    """Shift and stretch of each column, so that what passes has mean 0 and spread 1 at the start (arXiv 1807.03039).

    It is set by :meth:`adapt`, once, and never by a forward pass: what was saved is what is loaded.
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(columns))
        self.log_scale = nn.Parameter(torch.zeros(columns))

    @torch.no_grad()
    def adapt(self, x: Float[Tensor, "frames columns"]) -> None:
        """Normalise these frames exactly."""
        self.shift.copy_(-x.mean(0))
        self.log_scale.copy_(-x.std(0, correction=0).clamp_min(1e-6).log())

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return (x + self.shift) * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return y * (-self.log_scale).exp() - self.shift


class Marginals(nn.Module):
    """One spline per column, the same for all frames: bends each column's distribution by itself."""

    def __init__(self, columns: int, bins: int) -> None:
        super().__init__()
        self.knots = nn.Parameter(torch.zeros(1, parameter_count(bins), columns))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, log_slope = column_spline(x, self.knots[0])
        return y, log_slope.sum(-1)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return inverse_spline(y, self.knots.expand(len(y), -1, -1))


class Permutation(nn.Module):
    """A fixed order of the columns, drawn once and kept with the weights."""

    order: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("order", torch.randperm(columns))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return _Reordered.apply(x, self.order), x.new_zeros(len(x))

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return _Reordered.apply(y, self.order.argsort())


class _Reordered(torch.autograd.Function):
    """``x[:, order]`` for an order without repeats: its gradient is picked as well, not added up, which is slow."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return x.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        return _Reordered.apply(grad, back), None


class Coupling(nn.Module):
    """Moves one half of the columns as the other half says: shift and stretch (RealNVP), and then splines.

    It starts as the identity.

    Args:
        columns: In all; the first half stays as it is.
        hidden: Width of the two hidden layers.
        kind: ``affine``, or ``spline`` for a spline per column behind the shift and stretch.
        bins: Of each spline.
        dropout: Share of hidden units dropped in training.
        context: Columns of what the frames are conditioned on.
    """

    def __init__(
        self, columns: int, hidden: int, kind: Kind, *, bins: int = 8, dropout: float = 0.0, context: int = 0
    ) -> None:
        super().__init__()
        self.kept = columns // 2
        self.moved = columns - self.kept
        self.numbers = 2 + (parameter_count(bins) if kind == "spline" else 0)
        layers: list[nn.Module] = []
        for inputs in (self.kept + context, hidden):
            layers += [nn.Linear(inputs, hidden), nn.SiLU()]
            layers += [FastDropout(dropout)] if dropout else []
        last = nn.Linear(hidden, self.numbers * self.moved)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(*layers, last)

    def forward(
        self, x: Float[Tensor, "frames columns"], context: Float[Tensor, "frames context"] | None = None
    ) -> tuple[Float[Tensor, "frames columns"], Float[Tensor, "frames"]]:
        kept, moved = x[:, : self.kept], x[:, self.kept :]
        shift, log_scale, knots = self._numbers_for(kept, context)
        moved, log_det = moved * log_scale.exp() + shift, log_scale.sum(-1)
        if knots.shape[1]:
            moved, log_slope = spline(moved, knots)
            log_det = log_det + log_slope.sum(-1)
        return torch.cat([kept, moved], 1), log_det

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        kept, moved = y[:, : self.kept], y[:, self.kept :]
        shift, log_scale, knots = self._numbers_for(kept, context)
        if knots.shape[1]:
            moved = inverse_spline(moved, knots)
        return torch.cat([kept, (moved - shift) * (-log_scale).exp()], 1)

    def _numbers_for(self, kept: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        inputs = kept if context is None else torch.cat([kept, context], 1)
        # Under bf16 the nets run in 16 bits, the likelihood stays in 32.
        numbers = self.net(inputs).to(kept.dtype).unflatten(1, (self.numbers, self.moved))
        return numbers[:, 0], torch.tanh(numbers[:, 1]), numbers[:, 2:]
