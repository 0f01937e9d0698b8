"""The named poses in anatomical angles, from which the build writes ``named_poses.json``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_tools.open_hand.skeleton import anatomical_axes
from data_tools.pose_layout import FINGERS

# Degrees. Of each finger: flexion at the first, second and third joint; of the first joint also the swing away from the
# thumb's side and, for the thumb, the twist about its own bone.
_FLAT = (0, 0, 0, 0, 0)
_POSES: Mapping[str, Mapping[str, tuple[float, float, float, float, float]]] = {
    "flat": {},
    "relaxed": {
        "index": (22, 25, 12, 0, 0),
        "middle": (27, 30, 15, 0, 0),
        "pinky": (36, 34, 18, 0, 0),
        "ring": (32, 33, 17, 0, 0),
        "thumb": (10, 12, 15, -5, 10),
    },
    "fist": {
        "index": (84, 102, 58, 2, 0),
        "middle": (87, 104, 60, 0, 0),
        "pinky": (88, 102, 60, -11, 0),
        "ring": (88, 104, 60, -5, 0),
        "thumb": (52, 55, 40, -12, 60),
    },
    "spread": {
        "index": (-6, 0, 0, -11, 0),
        "middle": (-6, 0, 0, -2, 0),
        "pinky": (-6, 0, 0, 15, 0),
        "ring": (-6, 0, 0, 7, 0),
        "thumb": (-6, -6, -12, -12, 0),
    },
    "victory": {
        "index": (-2, 2, 2, -10, 0),
        "middle": (-2, 2, 2, 7, 0),
        "pinky": (74, 92, 50, -6, 0),
        "ring": (72, 92, 50, -4, 0),
        "thumb": (50, 45, 40, 0, 60),
    },
    "pinch": {
        "index": (46.2, 46.2, 25.8, 0, 0),
        "middle": (38, 40, 20, 0, 0),
        "pinky": (44, 42, 22, 0, 0),
        "ring": (42, 42, 22, 0, 0),
        "thumb": (19.0, 26.2, 22.9, 1.1, 23.4),
    },
    "ok": {
        "index": (43.4, 51.9, 27.3, 0, 0),
        "middle": (12, 12, 8, 2, 0),
        "pinky": (-4, 5, 3, 9, 0),
        "ring": (4, 8, 5, 5, 0),
        "thumb": (16.7, 28.7, 25.4, 1.3, 24.5),
    },
}


def joint_rotation(
    axes: Float[np.ndarray, "3 3"], flexion: float, swing: float = 0.0, twist: float = 0.0
) -> Float[np.ndarray, "3"]:
    """Axis-angle (radians) of a joint bent by angles in degrees: first twisted, then flexed, then swung sideways.

    Args:
        axes: The joint's rows of :func:`data_tools.open_hand.skeleton.anatomical_axes`.
        flexion: Towards the palm.
        swing: About the axis out of the back of the hand, away from the thumb's side.
        twist: About the bone.
    """
    turns = [
        Rotation.from_rotvec(np.deg2rad(angle) * axis)
        for angle, axis in zip((flexion, swing, twist), axes, strict=True)
    ]
    return (turns[1] * turns[0] * turns[2]).as_rotvec()


def design_poses() -> dict[str, Float[np.ndarray, "45"]]:
    """Axis-angle (radians) of every named pose of the left hand."""
    axes = anatomical_axes().reshape(5, 3, 3, 3)
    poses = {}
    for name, fingers in _POSES.items():
        pose = np.zeros((5, 3, 3))
        for k, finger in enumerate(FINGERS):
            *flexion, swing, twist = fingers.get(finger, _FLAT)
            pose[k, 0] = joint_rotation(axes[k, 0], flexion[0], swing, twist)
            pose[k, 1] = joint_rotation(axes[k, 1], flexion[1])
            pose[k, 2] = joint_rotation(axes[k, 2], flexion[2])
        poses[name] = pose.ravel()
    return poses
