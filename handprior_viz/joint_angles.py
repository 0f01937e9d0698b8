"""The angles of a hand that people have words for: bend, spread and twist of each joint, in degrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_tools.joint_axes import JOINT_FRAMES, THUMB_BASE
from data_tools.pose_layout import FINGERS, HAND_DIM, HAND_JOINT_NAMES, hands_of

_FINGERS = {name: f"{name} finger" for name in FINGERS} | {"thumb": "thumb", "pinky": "little finger"}
_JOINTS = ("first joint", "middle joint", "last joint")
_MOTIONS = ("bend", "spread", "twist")
_THUMB_BASE_MOTIONS = ("towards the palm", "towards the fingers", "lift")
_MIRROR = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class JointAngle:
    """One angle of one joint.

    Attributes:
        hand: ``left`` or ``right``.
        joint: Index of the joint in its hand, 0 to 14, SMPL-X order.
        motion: Column of :mod:`data_tools.joint_axes`: 0 flexion, 1 abduction, 2 twist.
    """

    hand: str
    joint: int
    motion: int

    @property
    def finger(self) -> str:
        """``left index finger``."""
        return f"{self.hand} {_FINGERS[FINGERS[self.joint // 3]]}"

    @property
    def words(self) -> str:
        """``first joint: bend``."""
        motions = _THUMB_BASE_MOTIONS if self.joint == THUMB_BASE else _MOTIONS
        return f"{_JOINTS[self.joint % 3]}: {motions[self.motion]}"

    def measure(self, pose: Float[np.ndarray, "*batch dim"]) -> Float[np.ndarray, "*batch"]:
        """This angle in poses.

        Args:
            pose: Hands (90), full poses (165) or right hands (45), axis-angle, radians, mean hand included.

        Returns:
            Degrees; bend is positive into the palm and spread away from the thumb, on either hand.
        """
        hands = hands_of(pose)
        start = 3 * self.joint + (HAND_DIM if self.hand == "right" else 0)
        vector = np.asarray(hands[..., start : start + 3], np.float64)
        # The axes are those of a left hand; a right one is measured as its mirror image.
        local = (vector * _MIRROR if self.hand == "right" else vector) @ JOINT_FRAMES[self.joint].T
        turned = Rotation.from_rotvec(local.reshape(-1, 3)).as_euler("XYZ", degrees=True)
        return turned[:, self.motion].reshape(vector.shape[:-1])


JOINT_ANGLES: tuple[JointAngle, ...] = tuple(
    JointAngle(hand, HAND_JOINT_NAMES.index(f"{finger}{k}"), motion)
    for hand in ("left", "right")
    for finger in ("thumb", "index", "middle", "ring", "pinky")
    for k in (1, 2, 3)
    for motion in range(3)
)
"""All 90 angles, hand by hand, from the thumb to the little finger, from the palm outwards."""


def by_finger() -> dict[str, tuple[JointAngle, ...]]:
    """The angles of each finger, fingers in words, in the order of :data:`JOINT_ANGLES`."""
    fingers: dict[str, tuple[JointAngle, ...]] = {}
    for angle in JOINT_ANGLES:
        fingers[angle.finger] = (*fingers.get(angle.finger, ()), angle)
    return fingers
