"""Two menus that choose one angle of one joint: the finger, then the joint and the way it turns."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import ipywidgets as W

from handprior_viz.joint_angles import JOINT_ANGLES, JointAngle, by_finger
from handprior_viz.panel import row

FIRST_ANGLE = next(angle for angle in JOINT_ANGLES if angle.finger == "left index finger")


class AngleMenus:
    """The menus.

    Args:
        on_change: Called with the angle that a person chose.

    Attributes:
        finger: The menu of fingers.
        motion: The menu of joints and ways to turn.
    """

    def __init__(self, on_change: Callable[[JointAngle], object]) -> None:
        self._on_change = on_change
        fingers = by_finger()
        self.finger = W.Dropdown(
            options=list(fingers),
            value=FIRST_ANGLE.finger,
            description="finger",
            tooltip="Which finger",
            layout={"width": "220px"},
            style={"description_width": "initial"},
        )
        self.motion = W.Dropdown(
            options=[(angle.words, angle) for angle in fingers[FIRST_ANGLE.finger]],
            description="joint",
            tooltip="Which joint, counted from the palm, and which way it turns",
            layout={"width": "256px"},
            style={"description_width": "initial"},
        )
        self.finger.observe(self._on_finger, "value")
        self.motion.observe(self._on_motion, "value")

    @cached_property
    def widget(self) -> W.Widget:
        """The menus in a row, for panels that do not place the menus themselves."""
        return row(self.finger, self.motion)

    @property
    def angle(self) -> JointAngle:
        """The angle that is chosen."""
        return self.motion.value or FIRST_ANGLE

    def _on_finger(self, change: Any) -> None:
        """Keep the joint and the motion where the other finger has them too."""
        words, angles = self.motion.label, by_finger()[change["new"]]
        self.motion.options = [(angle.words, angle) for angle in angles]
        self.motion.value = next((angle for angle in angles if angle.words == words), angles[0])

    def _on_motion(self, change: Any) -> None:
        if change["new"] is not None:
            self._on_change(change["new"])
