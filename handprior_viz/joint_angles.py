"""The angles of a hand that people have words for: bend, spread and twist of each joint, in degrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_tools.joint_axes import JOINT_FRAMES, LIMITS, THUMB_BASE
from data_tools.pose_layout import (
    FINGERS,
    HAND_DIM,
    HAND_JOINT_NAMES,
    HAND_NAMES_90,
    HANDS_COLUMNS,
    POSE_DIM,
    hands_of,
)

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

    @property
    def usual(self) -> tuple[float, float]:
        """Smallest and largest angle that hands usually reach, degrees (:data:`data_tools.joint_axes.LIMITS`)."""
        low, high = np.rad2deg(LIMITS[self.joint, self.motion]).round(6)
        return float(low), float(high)

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
        return self._angles(vector, mirrored=self.hand == "right")[..., self.motion]

    def put(self, pose: Float[np.ndarray, "*batch dim"], degrees: float) -> Float[np.ndarray, "*batch dim"]:
        """Turn the joint until this angle is ``degrees``; its other two angles, and all other joints, stay.

        That holds while the spread stays below 90 degrees either way, far more than any finger does.

        Args:
            pose: As for :meth:`measure`; a single right hand turns whichever ``hand`` is meant.
            degrees: The angle to have.

        Returns:
            The poses, float64.

        Raises:
            ValueError: Another number of columns.
        """
        mirrored = self.hand == "right" or pose.shape[-1] == HAND_DIM
        columns = self._columns(pose.shape[-1])
        turned = np.array(pose, np.float64)
        angles = self._angles(turned[..., columns], mirrored)
        angles[..., self.motion] = degrees
        vector = Rotation.from_euler("XYZ", angles.reshape(-1, 3), degrees=True).as_rotvec() @ JOINT_FRAMES[self.joint]
        turned[..., columns] = (vector * _MIRROR if mirrored else vector).reshape(angles.shape)
        return turned

    def _columns(self, dim: int) -> slice:
        """Where the joint stands in a pose."""
        start = HANDS_COLUMNS.start if dim == POSE_DIM else 0
        if dim != HAND_DIM:
            hands_of(np.empty((0, dim)))  # names a wrong width
            start += HAND_DIM if self.hand == "right" else 0
        return slice(start + 3 * self.joint, start + 3 * self.joint + 3)

    def _angles(self, vector: Float[np.ndarray, "*batch 3"], mirrored: bool) -> Float[np.ndarray, "*batch 3"]:
        """All three angles of the joint, degrees; its axes are a left hand's, a right one is its mirror image."""
        local = (vector * _MIRROR if mirrored else vector) @ JOINT_FRAMES[self.joint].T
        return Rotation.from_rotvec(local.reshape(-1, 3)).as_euler("XYZ", degrees=True).reshape(local.shape)


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


JOINT_WORDS: tuple[str, ...] = tuple(
    f"{JointAngle(name.split('_')[0], k % len(HAND_JOINT_NAMES), 0).finger}, {_JOINTS[k % 3]}"
    for k, name in enumerate(HAND_NAMES_90)
)
"""Each of the 30 joints of a pair of hands in words: ``left index finger, first joint``."""
