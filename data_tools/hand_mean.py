"""The mean-hand convention: SMPL-X and MANO files store hands with the mean pose inside, or to be added.

``incl`` is ``smplx``'s ``flat_hand_mean=True``: zero is the flat hand. ``rel`` is ``flat_hand_mean=False``, the
library's default: zero is the model's mean hand and ``hands_mean`` must be added to the axis-angle vector.
Mixing the two without adding the mean is an error of 32 degrees per joint (measured on ARCTIC).
Everything after the reader works on ``incl`` values on the principal branch.
"""

from __future__ import annotations

import os

import numpy as np
from jaxtyping import Bool, Float

from data_tools.pose_layout import HANDS_DIM
from data_tools.rotations import principal_pose
from data_tools.sequence import HandMean


def to_model_pose(
    poses: Float[np.ndarray, "*batch columns"],
    hand_mean: HandMean,
    hands_mean: Float[np.ndarray, "90"] | None = None,
) -> Float[np.ndarray, "*batch columns"]:
    """Bring a reader's values to the project's one convention: mean included, principal branch, radians.

    The order matters: the mean is added to the raw vector first, then the principal rotation vector is taken;
    the reverse costs 13 degrees on ARCTIC. ``unknown`` is taken as ``incl``; the audit warns about it.

    Args:
        poses: Axis-angle poses as stored, whole (165 columns) or hands only (90).
        hand_mean: Their convention.
        hands_mean: The model's mean hands, left then right, axis-angle in radians; needed for ``rel``.

    Raises:
        ValueError: ``rel`` without a mean hand.
    """
    if hand_mean == "rel":
        if hands_mean is None:
            raise ValueError(
                "these hands are stored relative to a mean hand that is not known: give the SMPL-X or MANO model file "
                "(SMPLX_MODEL_PATH), or its 90 numbers as `hands_mean` in handprior.yaml beside the data"
            )
        poses = poses.copy()
        poses[..., -HANDS_DIM:] += hands_mean.astype(poses.dtype)  # the hands stand last
    return principal_pose(poses)


def equals_mean(
    hands: Float[np.ndarray, "frames columns"], mean: Float[np.ndarray, "columns"], tolerance: float = 1e-5
) -> Bool[np.ndarray, "frames"]:
    """Tell which frames hold exactly the mean hand, which means that nobody captured it.

    In AMASS an uncaptured hand equals ``hands_mean`` to 5e-8 rad in every frame, so the tolerance (radians,
    largest component) leaves room for float16 storage no further than needed.
    """
    return np.abs(hands - mean).max(axis=-1) <= tolerance


def licensed_hands_mean() -> Float[np.ndarray, "90"] | None:
    """The mean hands of the user's licensed model, (90,) radians, or None when ``SMPLX_MODEL_PATH`` names none.

    The open hand's mean is its own and says nothing about anybody's recordings, so it is never given here.
    """
    if not os.environ.get("SMPLX_MODEL_PATH"):
        return None
    from data_tools.hand_model import HandModel  # with torch, which few need here

    return HandModel().hands_mean
