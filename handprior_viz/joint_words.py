"""Joints in words that people say: what the live hand shows under the pointer."""

from __future__ import annotations

from data_tools.hand_model import HAND_POINTS
from data_tools.pose_layout import FINGERS, HAND_JOINT_NAMES, JOINT_NAMES
from handprior_viz.joint_angles import JointAngle

_BODY = {
    "spine1": "lower spine",
    "spine2": "middle of the spine",
    "spine3": "upper spine",
    "left_collar": "left collarbone",
    "right_collar": "right collarbone",
    "left_foot": "left toes",
    "right_foot": "right toes",
}


def hand_points() -> list[str]:
    """Words for the 21 points of the left hand, then of the right: ``left index finger, middle joint``."""
    return [_hand_point(side, name) for side in ("left", "right") for name in HAND_POINTS]


def body_joints() -> list[str]:
    """Words for the 55 joints of a SMPL-X body."""
    words = []
    for name in JOINT_NAMES:
        side, _, rest = name.partition("_")
        words.append(_hand_point(side, rest) if rest in HAND_JOINT_NAMES else _BODY.get(name, name.replace("_", " ")))
    return words


def _hand_point(side: str, name: str) -> str:
    if name in HAND_JOINT_NAMES:
        angle = JointAngle(side, HAND_JOINT_NAMES.index(name), 0)
        return f"{angle.finger}, {angle.words.split(':')[0]}"
    finger, _, part = name.partition("_")
    if part == "tip":
        return JointAngle(side, 3 * FINGERS.index(finger), 0).finger + ", tip"
    return f"{side} {name}"
