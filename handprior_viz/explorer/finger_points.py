"""Where the finger joints and tips are: the space in which explored poses are compared, in millimetres (no widgets)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32

from data_tools.hand_model import HandModel, default_hand_model
from data_tools.pose_layout import HANDS_DIM, hands_of
from training.hand_points import rotation_matrices

POINTS = 30
"""Points of both hands that a hand pose can move: of each finger the middle and the last joint, and the tip."""

FRAMES_AT_ONCE = 4096

_FIRST, _JOINTS = 1, 15  # in data_tools.hand_model.HAND_POINTS: the wrist, fifteen joints, five tips


class FingerPoints:
    """Places of the finger joints and tips of both hands, wrists laid on each other.

    Knuckles keep their place whatever the fingers do and are left out. A tip is carried rigidly by the last bone; the
    model's own correctives move it by another millimetre or two.

    Args:
        model: Gives the lengths of the bones; the user's licensed one if there is one, else the open hand.
    """

    def __init__(self, model: HandModel | None = None) -> None:
        rest = (model or default_hand_model()).hands(np.zeros(HANDS_DIM, np.float32), arrange="model").joints
        joints = rest[:, _FIRST : _FIRST + _JOINTS].reshape(2, 5, 3, 3)
        ends = np.concatenate([joints[:, :, 1:], rest[:, _FIRST + _JOINTS :, None]], axis=2)
        self._knuckles = torch.from_numpy(1000 * (joints[:, :, 0] - rest[:, None, 0]))
        self._bones = torch.from_numpy(1000 * (ends - joints))

    @torch.no_grad()
    def of(self, poses: Float[np.ndarray, "*batch dim"]) -> Float32[np.ndarray, "*batch 90"]:
        """Places in poses of any layout (radians, mean hand included): x, y, z of each point, millimetres."""
        hands = torch.from_numpy(np.array(hands_of(poses), np.float32)).reshape(-1, HANDS_DIM)
        placed = torch.cat([self._placed(part) for part in hands.split(FRAMES_AT_ONCE)]).numpy()
        return placed.reshape(*poses.shape[:-1], 3 * POINTS)

    def _placed(self, hands: Float[torch.Tensor, "frames 90"]) -> Float[torch.Tensor, "frames 90"]:
        turns = rotation_matrices(hands.reshape(-1, 2, 5, 3, 3))
        turn, place = turns[..., 0, :, :], self._knuckles.expand(len(hands), -1, -1, -1)
        places = []
        for joint in range(3):
            if joint:
                turn = turn @ turns[..., joint, :, :]
            place = place + (turn @ self._bones[:, :, joint, :, None])[..., 0]
            places.append(place)
        return torch.stack(places, 3).reshape(len(hands), 3 * POINTS)


def apart(one: Float[np.ndarray, "90"], others: Float[np.ndarray, "frames 90"]) -> Float[np.ndarray, "frames"]:
    """How far hands are from each other: root mean square over the points' distances, millimetres."""
    return np.sqrt(np.square(others - one).sum(-1) / POINTS)
