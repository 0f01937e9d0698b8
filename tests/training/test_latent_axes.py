"""Names of latent axes, on priors whose axes are known because they were built by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from training.latent_axes import name_axes
from training.prior import PoseStatistics, Prior

FINGER = {"index": 0, "middle": 3, "pinky": 6, "ring": 9, "thumb": 12}


def movement(left: dict[str, float], right: dict[str, float], target: str = "fist") -> np.ndarray:
    """A 90-D step from the flat hands towards a named pose, finger by finger."""
    flat, pose = (np.asarray(named_poses()[name], float) for name in ("flat", target))
    step = np.zeros((2, 15, 3))
    for side, shares in enumerate((left, right)):
        for finger, share in shares.items():
            joints = slice(FINGER[finger], FINGER[finger] + 3)
            step[side, joints] = share * (pose - flat).reshape(15, 3)[joints]
    return np.concatenate([step[0].ravel(), mirror_hand(step[1].ravel())])


class Rig(Prior):
    """A prior whose latent axes are given movements around the flat hands; it cannot do anything else."""

    name, title, Settings = "rig", "Rig", dict

    def __init__(self, movements: list[np.ndarray], pose: str = "hands") -> None:
        flat = np.asarray(named_poses()["flat"], float)
        mean = np.concatenate([flat, mirror_hand(flat)]).astype(np.float32)
        mean = mean[-movements[0].size :]
        super().__init__(PoseStatistics(pose, mean, np.ones_like(mean), np.ones(mean.size, bool), mean))
        self.steps = torch.from_numpy(np.stack(movements)).float()

    @property
    def latent_dim(self) -> int:
        return len(self.steps)

    def _decode(self, latent: torch.Tensor) -> torch.Tensor:
        return latent @ self.steps

    def _log_prob(self, x, generator):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    _sample = _encode = _log_prob


FINGERS = ("index", "middle", "ring", "pinky")


@pytest.mark.parametrize(
    ("step", "label"),
    [
        (movement({"index": 0.2}, {}), "left index curl"),
        (movement({}, {"index": 0.2, "middle": 0.2}), "right index + middle curl"),
        (movement({}, {"index": -0.2, "middle": -0.2}), "right index + middle open"),
        (movement(dict.fromkeys(FINGERS, 0.2), dict.fromkeys(FINGERS, 0.2)), "both hands' fingers curl"),
        (movement({"pinky": 0.2}, {"pinky": 0.2}), "both little fingers curl"),
        (movement({"thumb": 0.2}, {"thumb": 0.2}), "both thumbs across palm"),
        (
            movement(dict.fromkeys(("index", "pinky", "ring"), 0.3), {}, "spread"),
            "left index + little finger spread",
        ),
    ],
)
def test_known_movements_get_their_names(step: np.ndarray, label: str) -> None:
    (axis,) = name_axes(Rig([step]))
    assert axis.label == label


def test_axes_come_with_the_largest_effect_first_and_distinct_names() -> None:
    small, large = movement({"index": 0.05}, {}), movement({"index": 0.2}, {})
    axes = name_axes(Rig([small, np.zeros(90), large]))
    assert [axis.index for axis in axes] == [2, 0, 1]
    assert axes[0].effect == pytest.approx(4 * axes[1].effect, rel=0.05)
    assert len({axis.label for axis in axes}) == 3
    assert axes[2].label == "no visible effect"


def test_effect_is_the_mean_turn_per_joint_in_degrees() -> None:
    step = np.zeros(90)
    step[2] = 0.1  # one of 30 joints turns by 0.1 rad per standard deviation, over 4 of them
    (axis,) = name_axes(Rig([step]))
    assert axis.effect == pytest.approx(np.degrees(0.4) / 30, rel=0.05)


def test_axes_of_one_hand_name_no_side() -> None:
    (axis,) = name_axes(Rig([movement({}, {"index": 0.2, "middle": 0.2})[45:]], "hand"))
    assert axis.label == "index + middle curl"
