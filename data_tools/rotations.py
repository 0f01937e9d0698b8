"""Rotation vectors in numpy: the principal branch, and the angle between two rotations."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def principal_rotvec(rotvec: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Return the shortest rotation vector (norm at most pi) of the same rotation.

    A rotation by ``theta`` about an axis is the rotation by ``theta - 2 pi k`` about it, so the *norm* is
    wrapped and the axis kept. Wrapping each component to [-pi, pi] would give another rotation (46 degrees
    off for ``[3.3, 0.6, 0.2]``). Real recordings hold angles up to 9 rad (ARCTIC).

    Args:
        rotvec: Axis-angle vectors, radians.

    Returns:
        Same shape and dtype; vectors that were principal already come back unchanged, bit for bit.
    """
    # Nearly all are: look for the few that are not before doing anything in double precision, and first at the size of
    # the components, which costs a fifth of what the norms do.
    if max(rotvec.max(initial=0), -rotvec.min(initial=0)) < np.pi / np.sqrt(3) * (1 - 1e-5):
        return rotvec
    beyond = np.einsum("...c,...c->...", rotvec, rotvec) > np.pi**2 * (1 - 1e-5)
    if not beyond.any():
        return rotvec
    wide = rotvec[beyond].astype(np.float64)
    angle = np.linalg.norm(wide, axis=-1, keepdims=True)
    turns = np.round(angle / (2 * np.pi))
    out = rotvec.copy()
    out[beyond] = np.where(angle > np.pi, wide * ((angle - 2 * np.pi * turns) / angle), wide)
    return out


def principal_pose(pose: Float[np.ndarray, "*batch columns"]) -> Float[np.ndarray, "*batch columns"]:
    """Apply :func:`principal_rotvec` to every joint of a pose of ``3 * joints`` columns, radians."""
    return principal_rotvec(pose.reshape(*pose.shape[:-1], -1, 3)).reshape(pose.shape)


def rotvec_to_quaternion(rotvec: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 4"]:
    """Convert rotation vectors (radians) to unit quaternions, scalar first."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    # sin(a/2)/a through numpy's sinc(x) = sin(pi x)/(pi x), finite at zero.
    vector = rotvec * (0.5 * np.sinc(angle / (2 * np.pi)))
    return np.concatenate([np.cos(angle / 2), vector], axis=-1)


def geodesic_angle(
    first: Float[np.ndarray, "*batch 3"], second: Float[np.ndarray, "*batch 3"]
) -> Float[np.ndarray, "*batch"]:
    """Angle in radians, in [0, pi], of the rotation that takes ``first`` to ``second``.

    Uses ``2 atan2(|q1 - q2|, |q1 + q2|)`` on unit quaternions, which keeps full precision at 0 and at pi
    where the textbook ``arccos((trace - 1) / 2)`` loses half its digits.

    Args:
        first: Rotation vectors, radians.
        second: Rotation vectors, radians; shapes broadcast.
    """
    a, b = rotvec_to_quaternion(first), rotvec_to_quaternion(second)
    apart = np.linalg.norm(a - b, axis=-1)
    together = np.linalg.norm(a + b, axis=-1)
    # q and -q are one rotation: take the nearer of the two.
    return np.asarray(4 * np.arctan2(np.minimum(apart, together), np.maximum(apart, together)))
