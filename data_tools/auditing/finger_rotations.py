"""Rotations of all finger joints at once: their angles in the hand's own axes, and how they turn between frames.

The same numbers as :func:`data_tools.joint_axes.angles_from_pose` and :func:`data_tools.rotations.geodesic_angle`, in
single precision and in planes of (frames, joints), which is 30 times as fast: an audit does this for every frame.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from data_tools.joint_axes import JOINT_FRAMES

_MIRROR = np.array([1.0, -1.0, -1.0])
_TINY = np.float32(1e-6)
_LEAST_SINE = np.float32(1e-18)  # in place of none, so that it can be divided by


def _axes() -> Float32[np.ndarray, "3 3 30"]:
    """Rows of each joint's axes, for the left hand and, mirrored, for the right."""
    both = np.concatenate([JOINT_FRAMES, JOINT_FRAMES * _MIRROR])
    return np.ascontiguousarray(both.transpose(1, 2, 0).astype(np.float32))


_AXES = _axes()


def planes(hands: Float32[np.ndarray, "frames 90"]) -> Float32[np.ndarray, "3 frames 30"]:
    """Put the components of all joints' axis-angle vectors into planes of (frames, joints)."""
    return np.ascontiguousarray(hands.reshape(len(hands), 30, 3).transpose(2, 0, 1))


def norms(vectors: Float32[np.ndarray, "3 frames 30"]) -> Float32[np.ndarray, "frames 30"]:
    """Length of each vector."""
    x, y, z = vectors
    out = x * x
    out += y * y
    out += z * z
    return np.sqrt(out, out=out)


def quaternions(
    vectors: Float32[np.ndarray, "3 frames 30"], angles: Float32[np.ndarray, "frames 30"]
) -> Float32[np.ndarray, "4 frames 30"]:
    """Unit quaternions of all joints, scalar first.

    Args:
        vectors: Axis-angle, from :func:`planes`, radians.
        angles: Their :func:`norms`.
    """
    half = angles * np.float32(0.5)
    out = np.empty((4, *half.shape), np.float32)
    np.cos(half, out=out[0])
    # sin(a/2)/a: 1/2 at zero, through an angle too small to matter.
    np.maximum(half, _TINY, out=half)
    scale = np.sin(half)
    scale /= 2 * half
    np.multiply(vectors, scale, out=out[1:])
    return out


def anatomical_angles(joints: Float32[np.ndarray, "4 frames 30"]) -> Float32[np.ndarray, "3 frames 30"]:
    """Flexion, abduction and twist of all joints, radians (:mod:`data_tools.joint_axes`).

    Right hands are measured as their mirror images, so that both hands' angles mean the same.

    Args:
        joints: From :func:`quaternions`.
    """
    w = joints[0]
    # A reflection turns rotations the other way round: mirroring the axis-angle (x, -y, -z) is all there is to do.
    x, y, z = (_along(row, joints[1:]) for row in _AXES)
    out = np.empty((3, *w.shape), np.float32)
    np.arctan2(2 * (w * x - y * z), 1 - 2 * (x * x + y * y), out=out[0])
    np.arcsin(np.clip(2 * (x * z + w * y), -1, 1), out=out[1])
    np.arctan2(2 * (w * z - x * y), 1 - 2 * (y * y + z * z), out=out[2])
    return out


def _along(
    axes: Float32[np.ndarray, "3 30"], vectors: Float32[np.ndarray, "3 frames 30"]
) -> Float32[np.ndarray, "frames 30"]:
    """Component of each joint's vector along its axis."""
    out = axes[0] * vectors[0]
    part = np.empty_like(out)
    for axis, vector in zip(axes[1:], vectors[1:], strict=True):
        out += np.multiply(axis, vector, out=part)
    return out


def turns(joints: Float32[np.ndarray, "4 frames 30"]) -> Float32[np.ndarray, "3 steps 30"]:
    """Rotation vectors from each frame to the next in the joint's own frame, radians, norm at most pi.

    Their norm is the geodesic angle. Unlike differences of axis-angle vectors they do not jump at pi.

    Args:
        joints: From :func:`quaternions`.
    """
    w, x, y, z = joints[:, :-1]
    v, a, b, c = joints[:, 1:]
    out = np.empty((3, *w.shape), np.float32)
    out[0] = w * a - v * x - (y * c - z * b)
    out[1] = w * b - v * y - (z * a - x * c)
    out[2] = w * c - v * z - (x * b - y * a)
    scalar = w * v + x * a + y * b + z * c
    sine = np.maximum(norms(out), _LEAST_SINE)
    with np.errstate(divide="ignore"):
        # q and -q are one rotation: the arctangent takes the shorter way.
        half = np.arctan(sine / scalar)
    half /= sine
    half *= 2
    out *= half
    return out
