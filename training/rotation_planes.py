"""Rotations of many joints at once, as fast as torch can on a CPU: a number of all joints lies together.

A vector is three tensors of the same shape, its x, y and z; a rotation matrix is three vectors, its columns. On a batch
of 8192 hands this is some twenty times as fast as (8192, 30, 3, 3) with roma, whose norms and products over axes of
length three are slow. All of it is differentiable, with finite gradients everywhere.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Vector = tuple[Tensor, Tensor, Tensor]
Rotation = tuple[Vector, Vector, Vector]

_SMALL = 1e-2
"""Below this square (rad^2) a series is exact to the last digit, and sin(a) / a loses digits of its gradient."""

_SHORTEST = 1e-12
"""Square of the length below which a vector is not stretched to length one: its direction is noise."""


def dot(a: Vector, b: Vector) -> Tensor:
    """Inner product."""
    return torch.addcmul(torch.addcmul(a[0] * b[0], a[1], b[1]), a[2], b[2])


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def rotation_of(vector: Vector) -> Rotation:
    """Rotation matrix of a rotation vector of any length, radians: by its quaternion, which is smooth at zero."""
    square = dot(vector, vector)
    half = 0.5 * half_sinc(square)
    x, y, z = (part * half for part in vector)
    w = torch.cos(0.5 * torch.sqrt(square.clamp_min(torch.finfo(square.dtype).tiny)))
    xx, yy, zz = x * x, y * y, z * z
    xy, xz, yz = x * y, x * z, y * z
    wx, wy, wz = w * x, w * y, w * z
    return (
        (1 - 2 * (yy + zz), 2 * (xy + wz), 2 * (xz - wy)),
        (2 * (xy - wz), 1 - 2 * (xx + zz), 2 * (yz + wx)),
        (2 * (xz + wy), 2 * (yz - wx), 1 - 2 * (xx + yy)),
    )


def rotation_of_columns(first: Vector, second: Vector) -> Rotation:
    """Rotation matrix from what is nearly its first two columns, by Gram-Schmidt (Zhou et al. 2019, section 4.2).

    The first is kept in direction, the second made orthogonal to it, the third is their vector product.
    """
    x = _unit(first)
    along = -dot(x, second)
    y = _unit(
        (
            torch.addcmul(second[0], along, x[0]),
            torch.addcmul(second[1], along, x[1]),
            torch.addcmul(second[2], along, x[2]),
        )
    )
    return x, y, cross(x, y)


def seen_from(rotation: Rotation, vector: Vector) -> Vector:
    """A vector in the frame that a rotation turns to: the inverse rotation of it."""
    return dot(rotation[0], vector), dot(rotation[1], vector), dot(rotation[2], vector)


def angle_of(rotation: Rotation) -> Tensor:
    """Angle of a rotation matrix, from 0 to pi, radians.

    From its sine and its cosine: exact to rounding at 0 and at pi, where arccos of the trace loses half the digits and
    its gradient. At exactly 0 and pi the gradient is zero.
    """
    x, y, z = rotation
    turn = (y[2] - z[1], z[0] - x[2], x[1] - y[0])  # twice the sine, along the axis
    square = dot(turn, turn)
    still = square == 0
    twice_sine = torch.sqrt(torch.where(still, 1.0, square)) * ~still
    return torch.atan2(twice_sine, x[0] + y[1] + z[2] - 1)


def half_sinc(square: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """sin(a/2) / (a/2) of an angle whose square is given."""
    small = square < _SMALL
    half = 0.5 * torch.sqrt(torch.where(small, 1.0, square))
    series = 1 - square / 24 * (1 - square / 80 * (1 - square / 168))
    return torch.where(small, series, torch.sin(half) / half)


def log_volume(square: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """log of 2 (1 - cos a) / a^2: the volume of rotations that a volume of rotation vectors of length a stands for.

    The rotations' volume is measured so that it is the vectors' own near zero (Haar measure, 8 pi^2 in all).

    Args:
        square: Squared lengths a^2, from 0 to pi^2, rad^2.
    """
    return 2 * torch.log(half_sinc(square))


def _unit(vector: Vector) -> Vector:
    scale = torch.rsqrt(dot(vector, vector).clamp_min(_SHORTEST))
    return vector[0] * scale, vector[1] * scale, vector[2] * scale
