"""Ways from one pose to another: through a prior's latent space, or joint by joint for comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from handprior_viz.explorer.shown import Shown
from training.prior import Prior

Blend = Literal["linear", "spherical", "joint slerp"]

BLENDS: dict[Blend, str] = {
    "linear": "Straight through the prior's latent space",
    "spherical": "Through the latent space around its middle, where few samples lie",
    "joint slerp": "Without the prior, for comparison: each joint turns evenly by the shortest way",
}
"""Ways between two poses, and what to say of them."""


@torch.no_grad()
def walk_poses(
    prior: Prior, a: Shown, b: Shown, positions: Sequence[float] | Float[np.ndarray, "steps"], blend: Blend = "linear"
) -> Float[np.ndarray, "steps dim"]:
    """Poses on the way from ``a`` to ``b``.

    Args:
        prior: What decodes latents, and encodes poses that were set as such.
        a: Where the way begins.
        b: Where it ends.
        positions: Where to look, 0 (at ``a``) to 1 (at ``b``).
        blend: Which way; ``linear`` and ``spherical`` lead between the latents, so that a pose that was set exactly
            is passed as the prior sees it.

    Returns:
        Axis-angle in radians, mean hand included.

    Raises:
        ValueError: Positions outside 0 to 1, or another ``blend``.
    """
    if not all(0 <= position <= 1 for position in positions):
        raise ValueError("positions must be from 0 (pin A) to 1 (pin B)")
    a, b = (shown if shown.complete else shown.completed(follow(prior, shown)) for shown in (a, b))
    way = [between(a, b, float(position), blend) for position in positions]
    if blend == "joint slerp":
        return np.array([shown.values for shown in way], np.float32).reshape(len(way), prior.dim)
    latents = torch.tensor([shown.values for shown in way], dtype=torch.float32).reshape(len(way), prior.latent_dim)
    return prior.decode(latents.to(prior.device)).cpu().numpy()


@torch.no_grad()
def follow(prior: Prior, shown: Shown) -> list[float]:
    """Ask a prior for the side of a latent or a pose that was not set."""
    given = torch.tensor(shown.values, dtype=torch.float32, device=prior.device)
    found = prior.decode(given) if shown.by == "latent" else prior.encode(given)
    return found.double().tolist()


def between(a: Shown, b: Shown, position: float, blend: Blend = "linear") -> Shown:
    """What stands at ``position`` (0 to 1) between ``a`` and ``b``.

    Raises:
        NotFoundYet: A latent or a pose that the way leads through is not known yet.
        ValueError: Another ``blend``.
    """
    check_blend(blend)
    if blend == "joint slerp":
        return Shown.exactly(slerp_joints(a.pose, b.pose, position))
    return Shown.at(interpolate(a.latent, b.latent, position, blend))


def check_blend(blend: str) -> None:
    """Raise ``ValueError`` for anything that is not a way between two poses."""
    if blend not in BLENDS:
        raise ValueError(f"blend must be {', '.join(map(repr, BLENDS))}, got {blend!r}")


def interpolate(
    a: Sequence[float], b: Sequence[float], position: float, blend: Literal["linear", "spherical"] = "linear"
) -> tuple[float, ...]:
    """A latent between two others.

    ``linear`` is the straight line. ``spherical`` turns the direction at a steady angle (Shoemake 1985) and changes
    the length evenly, so that the way does not lead through the middle, where no samples lie in many dimensions
    (White 2016, arXiv:1609.04468). Where the angle says nothing - a latent at the middle, or two that are parallel
    or opposite - it is the straight line.

    Args:
        a: Latent at position 0.
        b: Latent at position 1.
        position: 0 to 1.
        blend: Which way.

    Returns:
        The latent; exactly ``a`` at 0 and ``b`` at 1.
    """
    if position in (0, 1):
        return tuple(map(float, b if position else a))
    start, end = np.asarray(a, np.float64), np.asarray(b, np.float64)
    straight = (1 - position) * start + position * end
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if blend == "linear" or min(lengths) < 1e-9:
        return tuple(straight.tolist())
    angle = math.acos(float(np.clip(start @ end / (lengths[0] * lengths[1]), -1, 1)))
    if math.sin(angle) < 1e-6:
        return tuple(straight.tolist())
    turned = math.sin((1 - position) * angle) * start / lengths[0] + math.sin(position * angle) * end / lengths[1]
    length = (1 - position) * lengths[0] + position * lengths[1]
    return tuple((turned / math.sin(angle) * length).tolist())


def slerp_joints(a: Sequence[float], b: Sequence[float], position: float) -> tuple[float, ...]:
    """A pose between two others: each joint turns at a steady speed along the shortest way (Shoemake 1985).

    Args:
        a: Pose at position 0, axis-angle in radians.
        b: Pose at position 1.
        position: 0 to 1.

    Returns:
        The pose; exactly ``a`` at 0 and ``b`` at 1.
    """
    if position in (0, 1):
        return tuple(map(float, b if position else a))
    start, end = (Rotation.from_rotvec(np.reshape(pose, (-1, 3))) for pose in (a, b))
    way = (start.inv() * end).as_rotvec()
    return tuple((start * Rotation.from_rotvec(position * way)).as_rotvec().ravel().tolist())
