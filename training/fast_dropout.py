"""Dropout that does not cost more than the network it regularises."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 1 << 16


class FastDropout(nn.Module):
    """``nn.Dropout`` for the CPU, with random bits from numpy: 5 ms instead of 16 for 8192 x 256 numbers on 2 cores.

    torch draws one Bernoulli number at a time there, which took nearly half of a Hand VAE's training step. On other
    devices torch's own dropout is used. Reproducible through torch's global seed, like the original.

    Args:
        share: Share of numbers set to zero, kept to 1/65536.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        if not self.training or self.share == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.share)
        dropped = round(self.share * LEVELS)
        seed = int(torch.randint(2**62, ()))
        words = np.random.SFC64(seed).random_raw(-(-x.numel() // 4))  # 64 bits each: four numbers
        kept = words.view(np.int16)[: x.numel()] >= dropped - LEVELS // 2
        # Compared and made numbers by numpy: torch takes five times as long for either.
        scale = torch.from_numpy(kept.astype(np.float32)).mul_(LEVELS / (LEVELS - dropped))
        return x * scale.view(x.shape).to(x.dtype)

    def extra_repr(self) -> str:
        return f"share={self.share}"
