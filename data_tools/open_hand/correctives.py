"""Pose correctives: what to add to the rest shape so that linear skinning keeps its volume at a bent joint.

Linear skinning averages matrices, which thins a bent finger (a ring at a joint bent by 90 degrees keeps 0.72 of its
radius) and wrings a twisted one like a candy wrapper. Here each joint's corrective is fitted so that skinning gives
what rotating every vertex by its own share of the angle would give, which keeps distances to the joint.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_tools.open_hand.skeleton import Finger, hand_skeleton
from data_tools.pose_layout import FINGERS

_SAMPLES = 80
_FLEXION = {"thumb": (-25.0, 70.0)}
_ORDINARY_FLEXION = (-25.0, 105.0)
# Standard deviations in degrees of sideways bend and twist in the fit: wide at the first joint, narrow beyond.
_SIDEWAYS = (9.0, 2.0, 2.0)
_TWIST = (10.0, 4.0, 4.0)
_THUMB_TWIST = (25.0, 6.0, 4.0)
_RIDGE = 1e-3


def pose_correctives(
    vertices: Float[np.ndarray, "V 3"], weights: Float[np.ndarray, "V 17"], rng: np.random.Generator
) -> Float[np.ndarray, "V 3 135"]:
    """Displacement (mm) per entry of the 15 rotation matrices minus identity, as SMPL-X and MANO use it."""
    out = np.zeros((len(vertices), 3, 135))
    for k, finger in enumerate(hand_skeleton()):
        for bone in range(3):
            joint = 3 * k + bone
            # What follows this joint: its own bone and those beyond it.
            share = weights[:, 1 + joint : 4 + 3 * k].sum(axis=1)
            moved = np.flatnonzero((share > 0.01) & (share < 0.99))
            relative = vertices[moved] - finger.joints[bone]
            fit = _fit_joint(relative, share[moved], _sample_rotations(finger, bone, rng))
            out[moved, :, 9 * joint : 9 * joint + 9] = fit
    return out


def _sample_rotations(finger: Finger, bone: int, rng: np.random.Generator) -> Rotation:
    """Rotations a joint goes through: flexion over its range, a little sideways bend and twist."""
    bend = np.linspace(*_FLEXION.get(finger.name, _ORDINARY_FLEXION), _SAMPLES)
    twist = (_THUMB_TWIST if finger.name == FINGERS[-1] else _TWIST)[bone]
    sideways = rng.normal(size=_SAMPLES) * _SIDEWAYS[bone]
    turn = rng.normal(size=_SAMPLES) * twist
    about = [
        Rotation.from_rotvec(np.outer(np.deg2rad(angle), axis))
        for angle, axis in (
            (sideways, finger.dorsals[bone]),
            (bend, finger.flexions[bone]),
            (turn, finger.directions[bone]),
        )
    ]
    return about[0] * about[1] * about[2]


def _fit_joint(
    relative: Float[np.ndarray, "n 3"], share: Float[np.ndarray, "n"], rotations: Rotation
) -> Float[np.ndarray, "n 3 9"]:
    """Least squares over sampled rotations R: corrective(R - I) = B^-1 (target - B rest), B the blended matrix."""
    features, wanted = [], []
    for rotation in rotations:
        matrix = rotation.as_matrix()
        own_share = Rotation.from_rotvec(share[:, None] * rotation.as_rotvec())
        blended = (1 - share)[:, None, None] * np.eye(3) + share[:, None, None] * matrix
        missing = own_share.apply(relative) - np.einsum("nij,nj->ni", blended, relative)
        features.append((matrix - np.eye(3)).ravel())
        wanted.append(np.linalg.solve(blended, missing[..., None])[..., 0])
    x, y = np.array(features), np.array(wanted).reshape(len(features), -1)
    solution = np.linalg.solve(x.T @ x + _RIDGE * np.eye(9), x.T @ y)
    return solution.reshape(9, -1, 3).transpose(1, 2, 0)
