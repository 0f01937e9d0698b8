"""How far apart two poses are, in degrees a person can picture."""

from __future__ import annotations

import math

import roma
from jaxtyping import Float
from torch import Tensor


def mean_joint_degrees(
    first: Float[Tensor, "*batch dim"], second: Float[Tensor, "*batch dim"]
) -> Float[Tensor, "*batch"]:
    """Mean over joints of the angle between two poses (axis-angle in radians), in degrees."""
    a, b = (roma.rotvec_to_unitquat(pose.unflatten(-1, (-1, 3))) for pose in (first, second))
    return roma.unitquat_geodesic_distance(a, b).mean(-1) * (180 / math.pi)


def joint_motion(
    first: Float[Tensor, "*batch dim"], second: Float[Tensor, "*batch dim"]
) -> Float[Tensor, "*batch joints 3"]:
    """How each joint turns from one pose to another: rotation vectors in radians, in the joint's own frame."""
    a, b = (roma.rotvec_to_unitquat(pose.unflatten(-1, (-1, 3))) for pose in (first, second))
    return roma.unitquat_to_rotvec(roma.quat_product(roma.quat_conjugation(a), b))
