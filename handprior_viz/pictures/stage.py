"""Where hands and camera stand in every picture: two upright hands, each turning about its own axis.

Turning each hand in place, and not the pair, keeps the left hand on the left and lets neither hide the other. The
camera frames the flat hand with a margin and never moves with the pose, so that pictures can be compared.
Metres, y up, camera on +z. ``hand_stage.js`` follows the same rules with the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from jaxtyping import Float, Float32, Int

if TYPE_CHECKING:  # takes seconds to import, which trying out OpenGL has no need of
    from data_tools.hand_model import HandModel

View = Literal["palm", "back", "thumb"]
"""From which side each hand is seen; ``thumb`` is a three-quarter view from the palm and the thumb."""

TURNS: dict[str, float] = {"palm": 0.0, "back": math.pi, "thumb": math.radians(-55)}
"""Radians that the right hand turns about its own vertical axis; the left one turns the other way round."""

_FIELD_OF_VIEW = math.radians(22)
_MARGIN = 1.12
_SIDE_MARGIN = 1.03
# Joints of a hand: the knuckles at both edges of the palm, and the thumb from its root to its tip.
_INDEX, _PINKY, _THUMB = 1, 7, [13, 14, 15, 20]


@dataclass(frozen=True)
class Stage:
    """Numbers that place hands and camera, all in metres.

    Attributes:
        palm_gap: From the middle of the picture to the axis of each hand when palms face the viewer.
        back_gap: The same when backs face the viewer and thumbs point inwards.
        middle: Height at which the camera looks.
        half_width: What must be visible to each side of the middle.
        half_height: What must be visible above and below it.
        wrist_end: Height of the lowest point of the hands at rest.
    """

    palm_gap: float
    back_gap: float
    middle: float
    half_width: float
    half_height: float
    wrist_end: float

    @classmethod
    def of(cls, model: HandModel) -> Stage:
        """Measure a model's flat hands."""
        flat = np.zeros(90, np.float32)
        palm, back = model.hands(flat, arrange="display"), model.hands(flat, arrange="back")
        gaps = [float(np.abs(mesh.joints[:, [0, _INDEX, _PINKY], 0].mean(axis=1)).mean()) for mesh in (palm, back)]
        low, high = palm.vertices.min(axis=0), palm.vertices.max(axis=0)
        # The widest a hand can be: the thumb stretched out to the side.
        thumb = palm.joints[:, _THUMB]
        stretched = np.abs(thumb[:, 0, 0]) + np.linalg.norm(np.diff(thumb, axis=1), axis=2).sum(axis=1)
        return cls(
            palm_gap=gaps[0],
            back_gap=gaps[1],
            middle=float(low[1] + high[1]) / 2,
            half_width=float(stretched.max()) * _SIDE_MARGIN,
            half_height=float(high[1] - low[1]) / 2 * _MARGIN,
            wrist_end=float(low[1]),
        )

    def camera_distance(self, size: tuple[int, int]) -> float:
        """Distance from the origin at which a picture of ``size`` (width, height) holds both hands."""
        reach = max(self.half_width * size[1] / size[0], self.half_height)
        return reach / math.tan(_FIELD_OF_VIEW / 2)

    @property
    def field_of_view(self) -> float:
        """Vertical angle of view, radians."""
        return _FIELD_OF_VIEW

    def turn(
        self, vertices: Float[np.ndarray, "V 3"], side: Int[np.ndarray, "V"], view: View
    ) -> Float32[np.ndarray, "V 3"]:
        """Turn hands that show their palms so that they are seen from another side.

        Args:
            vertices: As :meth:`HandModel.hands` arranges them for display.
            side: 0 for the left hand's vertices, 1 for the right one's.
            view: ``palm``, ``back`` or ``thumb``.

        Raises:
            ValueError: Unknown view.
        """
        if view not in TURNS:
            raise ValueError(f"view must be one of {', '.join(get_args(View))}, got {view!r}")
        angle = TURNS[view]
        sign = np.where(side == 0, -1, 1).astype(np.float32)
        share = (1 - math.cos(angle)) / 2
        gap = self.palm_gap + share * (self.back_gap - self.palm_gap)
        x, z = vertices[:, 0] - sign * self.palm_gap, vertices[:, 2]
        turned_x = math.cos(angle) * x + sign * math.sin(angle) * z
        turned_z = -sign * math.sin(angle) * x + math.cos(angle) * z
        return np.stack([turned_x + sign * gap, vertices[:, 1], turned_z], axis=1).astype(np.float32)

    def project(self, points: Float[np.ndarray, "V 3"], size: tuple[int, int]) -> Float32[np.ndarray, "V 3"]:
        """Return x and y in pixels from the upper left corner, and one over the distance."""
        nearness = 1 / (self.camera_distance(size) - points[:, 2])
        scale = nearness * (size[1] / 2 / math.tan(_FIELD_OF_VIEW / 2))
        x = size[0] / 2 + scale * points[:, 0]
        y = size[1] / 2 - scale * (points[:, 1] - self.middle)
        return np.stack([x, y, nearness], axis=1).astype(np.float32)

    def label_places(self, size: tuple[int, int], view: View) -> tuple[tuple[float, float], tuple[float, float]]:
        """Pixels, x and y, below the middle of the left and of the right wrist."""
        points = np.array([[-self.palm_gap, self.wrist_end, 0], [self.palm_gap, self.wrist_end, 0]], np.float32)
        (lx, ly, _), (rx, ry, _) = self.project(self.turn(points, np.array([0, 1]), view), size).tolist()
        return (lx, ly), (rx, ry)
