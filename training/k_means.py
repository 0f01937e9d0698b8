"""Groups of points by k-means, from a k-means++ start: where a mixture begins.

Arthur & Vassilvitskii, SODA 2007; each next centre is the best of some tries, as the authors suggest.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

ROUNDS = 15
STARTS = 4


def k_means(points: Float[Tensor, "points dims"], count: int, generator: torch.Generator) -> Int64[Tensor, "points"]:
    """Number of the group (0 to ``count - 1``) that each point belongs to: the tightest groups of a few starts.

    Args:
        points: In units in which distances mean something.
        count: Number of groups; some may stay empty where points coincide.
        generator: Of the starts, on the CPU.

    Raises:
        ValueError: Fewer points than groups.
    """
    if len(points) < count:
        raise ValueError(f"{count} groups cannot be made of {len(points)} points")
    best, groups = math.inf, torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for _ in range(STARTS):
        centres = points[_spread_out(points, count, generator)].clone()
        for _ in range(ROUNDS):
            nearest = torch.cdist(points, centres).min(1)
            sums = torch.zeros_like(centres).index_add_(0, nearest.indices, points)
            sizes = torch.bincount(nearest.indices, minlength=count)
            filled = sizes > 0
            centres[filled] = sums[filled] / sizes[filled, None]
        loose = float(nearest.values.square().sum())
        if loose < best:
            best, groups = loose, nearest.indices
    return groups


def _spread_out(points: Tensor, count: int, generator: torch.Generator) -> Int64[Tensor, "count"]:
    """Choose points far from each other: each with a chance that grows with its squared distance from those chosen."""
    first = int(torch.randint(len(points), (1,), generator=generator))
    chosen, distance = [first], (points - points[first]).square().sum(1)
    tries = 2 + int(math.log(count))
    for _ in range(count - 1):
        chance = distance.cpu() if bool(distance.sum() > 0) else torch.ones(len(points))
        candidates = torch.multinomial(chance, tries, replacement=True, generator=generator).to(points.device)
        nearer = torch.minimum(distance, torch.cdist(points[candidates], points).square())
        best = int(nearer.sum(1).argmin())
        chosen.append(int(candidates[best]))
        distance = nearer[best]
    return torch.tensor(chosen, device=points.device)
