"""Joints as a user gives them, checked: where they are, which of them count, and how far each is to be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from data_tools.hand_model import HAND_POINTS
from data_tools.pose_layout import HAND_DIM
from training.prior import Prior

FINGERTIPS: tuple[str, ...] = ("wrist", *(name for name in HAND_POINTS if name.endswith("_tip")))
"""What ``seen="fingertips"`` leaves of a hand: the wrist and five tips, as "only_end_visible" in DPoser-X's code."""

_POINTS = len(HAND_POINTS)
_WIDEST = 1.0
"""Metres that the points of one hand may span; more is a matter of units."""


@dataclass(frozen=True, eq=False)
class SeenJoints:
    """Joints of one or two hands.

    Attributes:
        target: (frames, hands, 21, 3) where they are, metres; anything finite where they were not seen.
        counts: (frames, hands, 21) which were seen.
        weight: (frames, hands, 21) one over the variance of each coordinate, per square metre; 0 for unseen ones.
        sides: Which hands: 0 left, 1 right.
    """

    target: Float64[Tensor, "frames hands 21 3"]
    counts: Bool[Tensor, "frames hands 21"]
    weight: Float64[Tensor, "frames hands 21"]
    sides: tuple[int, ...]


def seen_joints(
    joints: Tensor | np.ndarray,
    seen: str | Sequence[str] | np.ndarray | Tensor,
    noise_mm: float | np.ndarray | Tensor,
    hand: str,
    prior: Prior | None,
) -> SeenJoints:
    """Arrange what :func:`training.fitting.fit` is given; a prior of both hands adds the other one, unseen.

    Raises:
        ValueError: Joints, mask or noise of another shape or unit.
    """
    given = torch.as_tensor(joints, dtype=torch.float64, device="cpu").detach()
    if given.ndim != 3 or given.shape[1] not in (_POINTS, 2 * _POINTS) or given.shape[2] != 3:
        raise ValueError(
            f"joints must be (frames, {_POINTS}, 3) of one hand or (frames, {2 * _POINTS}, 3) of both, "
            f"got {tuple(given.shape)}"
        )
    if not len(given):
        raise ValueError("joints hold no frames")
    frames, points, _ = given.shape
    noise = _noise(noise_mm, frames, points)
    there = given.isfinite().all(-1)
    if given.isinf().any():
        raise ValueError("joints hold an infinite number: mark missing points by NaN")
    counts = (there & _mask(seen, frames, points)).unflatten(1, (-1, _POINTS))
    target = given.nan_to_num(0.0).unflatten(1, (-1, _POINTS))
    weight = torch.where(counts, (noise.unflatten(1, (-1, _POINTS)) / 1000) ** -2, 0.0)
    _check_metres(target, counts)
    side = ("left", "right").index(hand)
    if points == 2 * _POINTS:
        return SeenJoints(target, counts, weight, (0, 1))
    if prior is None or prior.dim == HAND_DIM:
        return SeenJoints(target, counts, weight, (side,))
    both = [torch.cat([x, torch.zeros_like(x)][:: 1 if side == 0 else -1], dim=1) for x in (target, counts, weight)]
    return SeenJoints(both[0], both[1], both[2], (0, 1))


def _mask(seen: str | Sequence[str] | np.ndarray | Tensor, frames: int, points: int) -> Bool[Tensor, "frames points"]:
    """Which points count, those that are missing aside."""
    if isinstance(seen, str) and seen == "full":
        return torch.ones(frames, points, dtype=torch.bool)
    if isinstance(seen, np.ndarray | Tensor):
        mask = torch.as_tensor(seen)
        if mask.dtype != torch.bool or mask.shape not in ((points,), (frames, points)):
            raise ValueError(
                f"a mask of seen points must be True and False, ({points},) or ({frames}, {points}), "
                f"got {mask.dtype} {tuple(mask.shape)}"
            )
        return mask.expand(frames, points)
    names = FINGERTIPS if isinstance(seen, str) and seen == "fingertips" else seen
    unknown = [names] if isinstance(names, str) else [str(name) for name in names if name not in HAND_POINTS]
    if unknown:
        raise ValueError(
            f'seen: unknown point {unknown[0]!r}; expected "full", "fingertips", a mask, '
            f"or some of {', '.join(HAND_POINTS)}"
        )
    return torch.tensor([name in names for name in HAND_POINTS]).repeat(points // _POINTS).expand(frames, points)


def _noise(noise_mm: float | np.ndarray | Tensor, frames: int, points: int) -> Float64[Tensor, "frames points"]:
    noise = torch.as_tensor(noise_mm, dtype=torch.float64)
    if noise.shape not in ((), (points,), (frames, points)):
        raise ValueError(f"noise_mm must be one number, ({points},) or ({frames}, {points}), got {tuple(noise.shape)}")
    if not bool(((noise > 0) & noise.isfinite()).all()):
        raise ValueError("noise_mm must be above 0 everywhere: for exact joints take a small one, such as 0.1")
    return noise.expand(frames, points)


def _check_metres(target: Float64[Tensor, "frames hands 21 3"], counts: Bool[Tensor, "frames hands 21"]) -> None:
    low = target.masked_fill(~counts[..., None], torch.inf).amin(2)
    high = target.masked_fill(~counts[..., None], -torch.inf).amax(2)
    widest = float((high - low).max())
    if widest > _WIDEST:
        raise ValueError(f"joints of one hand are {widest:.3g} apart: expected metres, so no more than {_WIDEST:g}")
