"""What is measured at each look at held-out frames beside the likelihood, cheaply enough to be done in training."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from training.prior import Prior, principal
from training.rotation_error import mean_joint_degrees

LOOK_FRAMES = 512
"""About how many held-out frames go through the latents and back, and how many poses are drawn."""


@torch.no_grad()
def look(
    prior: Prior, prepared: Float[Tensor, "frames active"], generator: torch.Generator | None = None
) -> dict[str, float]:
    """How well poses survive the latents, and whether drawn poses spread as held-out ones do.

    Args:
        prior: In eval mode.
        prepared: Held-out frames, as the prior wants them.
        generator: Of the drawn poses.

    Returns:
        ``val/round_trip_degrees``: mean angle per joint between poses and ``decode(encode(pose))``, degrees.
        ``val/spread_error_degrees``: mean over active columns of the absolute difference between the standard
        deviation of as many drawn poses and of the held-out ones, degrees.
    """
    poses = principal(prior.restore(prepared))
    back = prior.decode(prior.encode(poses))
    drawn = prior.sample(len(poses), generator=generator)
    spreads = [some[:, prior.columns].double().std(0) for some in (poses, drawn)]
    return {
        "val/round_trip_degrees": float(mean_joint_degrees(poses, back).mean()),
        "val/spread_error_degrees": float((spreads[1] - spreads[0]).abs().mean()) * 180 / math.pi,
    }
