"""The open hand's mean pose and principal components: synthetic statistics of fingers that bend together.

Model files carry such statistics of recorded hands. Ours are designed, with the first synergy of Santello, Flanders and
Soechting in mind ("Postural hand synergies for tool use", Journal of Neuroscience 18(23), 1998): all fingers flex
together.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from data_tools.open_hand.skeleton import anatomical_axes
from data_tools.pose_layout import FINGERS

_SAMPLES = 4000
# Degrees.
_MEAN_FLEXION, _COMMON, _OWN = 22.0, 18.0, 9.0
_SIDEWAYS, _TWIST = 4.0, 2.0
# How much of a finger's flexion each of its joints takes.
_JOINT_SHARES = {"thumb": (0.5, 0.5, 0.6)}
_ORDINARY_SHARES = (1.0, 1.1, 0.6)
_SIDEWAYS_SHARES = (1.0, 0.1, 0.1)


def pose_statistics(
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "45"], Float[np.ndarray, "45 45"]]:
    """Mean (axis-angle, radians) and principal components of left-hand poses.

    Components are orthonormal rows, the most common motion first, each with its largest entry positive, so that
    ``(pose - mean) @ components.T`` gives coefficients and its transpose undoes it.
    """
    poses = np.zeros((_SAMPLES, 5, 3, 3))
    axes = anatomical_axes().reshape(5, 3, 3, 3)
    common = rng.normal(size=(_SAMPLES, 1))[:, 0]
    for k, name in enumerate(FINGERS):
        flexion = _MEAN_FLEXION + _COMMON * common + _OWN * rng.normal(size=_SAMPLES)
        sideways = _SIDEWAYS * rng.normal(size=_SAMPLES)
        twist = _TWIST * rng.normal(size=_SAMPLES)
        for joint, share in enumerate(_JOINT_SHARES.get(name, _ORDINARY_SHARES)):
            angles = np.stack([share * flexion, _SIDEWAYS_SHARES[joint] * sideways, twist], axis=1)
            poses[:, k, joint] = np.deg2rad(angles) @ axes[k, joint]
    flat = poses.reshape(_SAMPLES, 45)
    mean = flat.mean(axis=0)
    _, _, components = np.linalg.svd(flat - mean, full_matrices=False)
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    return mean, components * np.sign(largest)
