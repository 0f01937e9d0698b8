"""Where two hands stand in a picture: upright side by side, or where the body holds them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float

Arrangement = Literal["display", "back", "model"]
"""``display``: palms to the viewer; ``back``: backs of the hands to the viewer; ``model``: untouched.

In both upright arrangements fingers point up (+y), the viewer looks from +z, and the left hand is on the viewer's left,
as one sees one's own hands.
"""

_MIDDLE_TO_PALM = {"display": 0.090, "back": 0.120}
"""Metres from the middle of the picture to the middle of each hand: thumbs point outwards, then inwards."""

_WRIST_HEIGHT = -0.075
"""Metres; puts the middle of an open hand of ordinary size at the origin."""

# Rows of a hand's joints: wrist 0, then three joints per finger in SMPL-X order.
_INDEX, _MIDDLE, _PINKY, _RING = 1, 4, 7, 10


def hand_frame(joints: Float[np.ndarray, "16 3"], side: int) -> Float[np.ndarray, "3 3"]:
    """Axes of one resting hand as rows: towards the knuckles, out of the back of the hand, towards the thumb.

    Args:
        joints: Wrist and 15 finger joints at rest.
        side: 0 left, 1 right.
    """
    # The middle knuckle counts twice: the forearm then stands straight, and the middle finger nearly so.
    up = joints[[_INDEX, _MIDDLE, _MIDDLE, _RING, _PINKY]].mean(axis=0) - joints[0]
    up /= np.linalg.norm(up)
    across = joints[_INDEX] - joints[_PINKY]
    across -= up * (across @ up)
    across /= np.linalg.norm(across)
    back = np.cross(across, up) if side == 0 else np.cross(up, across)
    return np.stack([up, back, across])


def placement(
    joints: Float[np.ndarray, "2 16 3"], arrangement: Arrangement
) -> tuple[Float[np.ndarray, "2 3 3"], Float[np.ndarray, "2 3"] | None]:
    """Rotation of each hand about its wrist and where to put the wrists, metres; None leaves them in place.

    Args:
        joints: Of each hand, wrist and 15 finger joints at rest.
        arrangement: See :data:`Arrangement`.

    Raises:
        ValueError: Unknown arrangement.
    """
    if arrangement == "model":
        return np.stack([np.eye(3)] * 2), None
    if arrangement not in _MIDDLE_TO_PALM:
        raise ValueError(f'arrange must be "display", "back" or "model", got {arrangement!r}')
    facing = -1.0 if arrangement == "display" else 1.0
    turns, wrists = [], []
    for side, sign in enumerate((-1.0, 1.0)):
        # Rows: where the hand's own axes go. The thumb's direction follows from the other two and the side.
        target = np.array([[0, 1, 0], [0, 0, facing], [-sign * facing, 0, 0]])
        turn = target.T @ hand_frame(joints[side], side)
        middle = turn @ (joints[side, [0, _INDEX, _PINKY]].mean(axis=0) - joints[side, 0])
        turns.append(turn)
        # Both wrists at the same height and depth, wherever the model keeps them.
        wrists.append([sign * _MIDDLE_TO_PALM[arrangement] - middle[0], _WRIST_HEIGHT, 0.0])
    return np.stack(turns), np.array(wrists)
