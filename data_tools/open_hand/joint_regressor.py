"""Joints as weighted means of the vertices around them, which is how model files store them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

_SPREAD = 1e-3  # how strongly even weights are preferred; small beside the position, which comes out exact
_TOLERANCE = 1e-4  # in units of the neighbourhood's radius


def joint_regressor(
    vertices: Float[np.ndarray, "V 3"], joints: Float[np.ndarray, "J 3"], neighbours: int = 40
) -> Float[np.ndarray, "J V"]:
    """Weights, none negative and each row summing to one, with ``weights @ vertices == joints``.

    Takes the nearest vertices, and more of them until the joint lies inside them.

    Raises:
        ValueError: A joint lies outside of the mesh.
    """
    out = np.zeros((len(joints), len(vertices)))
    for row, joint in enumerate(joints):
        order = np.argsort(np.linalg.norm(vertices - joint, axis=1))
        count = neighbours
        while True:
            near = order[:count]
            weights = _convex_weights(vertices[near] - joint)
            if weights is not None:
                out[row, near] = weights
                break
            if count >= len(vertices):
                raise ValueError(f"joint {row} at {joint} lies outside of the mesh")
            count = min(2 * count, len(vertices))
    return out


def _convex_weights(relative: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"] | None:
    """Weights of points whose mean is the origin, as even as can be; None where the origin lies outside of them."""
    count, size = len(relative), np.linalg.norm(relative, axis=1).max()
    exact = np.vstack([relative.T / size, np.ones(count)])
    system = np.vstack([exact, _SPREAD * np.eye(count)])
    target = np.concatenate([[0, 0, 0, 1], np.full(count, _SPREAD / count)])
    weights, _ = nnls(system, target, maxiter=30 * count)
    used = weights > 1e-12
    # Polish: shift the used weights by the least that makes mean and sum exact.
    part = exact[:, used]
    weights[used] += np.linalg.pinv(part) @ (np.array([0, 0, 0, 1]) - part @ weights[used])
    if weights.min() < 0 or np.abs(exact @ weights - [0, 0, 0, 1]).max() > _TOLERANCE:
        return None
    return weights
