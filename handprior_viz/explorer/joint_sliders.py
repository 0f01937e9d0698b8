"""Sliders for the angles of one finger's joints, with how far hands usually go marked on each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from html import escape

import ipywidgets as W
import numpy as np
from jaxtyping import Float

from data_tools.auditing.joint_limits import RANGE_SOURCE
from data_tools.pose_layout import HAND_DIM
from handprior_viz.explorer.state import ExplorerState
from handprior_viz.joint_angles import JOINT_ANGLES, JointAngle
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.panel import column, row
from handprior_viz.slider_rack import Slider, SliderRack

BEYOND = 30.0
"""Degrees that a slider goes beyond what is usual: people's hands do, and fits to video do more often."""

FINGER_NAMES = {"thumb": "thumb", "index": "index", "middle": "middle", "ring": "ring", "little": "little finger"}

_ABOUT = (
    f'<span class="hp-muted" title="Sources: {escape(RANGE_SOURCE)}">Joint angles in degrees. The band is how far '
    "hands usually go; double-click straightens a joint.</span>"
)


class JointSliders:
    """Sliders for bend, spread and twist of the joints of one finger, on one hand or on both.

    Args:
        on_turn: Called with the angles that were set (one, or one on each hand), degrees, and the gesture.

    Attributes:
        widget: What to show.
    """

    def __init__(self, on_turn: Callable[[Sequence[JointAngle], float, int], object]) -> None:
        self._on_turn = on_turn
        self._pose: Float[np.ndarray, "dim"] | None = None
        self.hand = W.ToggleButtons(
            options=[("left hand", "left"), ("both", "both"), ("right hand", "right")],
            value="left",
            tooltips=["Turn the left hand's joints", "Turn both hands alike", "Turn the right hand's joints"],
            style={"button_width": "auto"},
        )
        self.finger = W.ToggleButtons(
            options=[(label, name) for name, label in FINGER_NAMES.items()],
            value="index",
            tooltips=[f"The joints of the {label}" for label in FINGER_NAMES.values()],
            style={"button_width": "auto"},
        )
        self.rack = SliderRack([], on_move=self._move)
        self.rack.add_class("hp-explorer-joints")
        for choice in (self.hand, self.finger):
            choice.observe(lambda _: self._rebuild(), "value")
        about = LiveMarkup(_ABOUT)
        self.widget = column(row(self.hand, self.finger, classes=["hp-tight", "hp-explorer-choices"]), self.rack, about)
        self._rebuild()

    @property
    def angles(self) -> Sequence[Sequence[JointAngle]]:
        """The angles behind each slider, from the palm outwards: one, or one on each hand."""
        hands = ("left", "right") if self.hand.value == "both" else (self.hand.value,)
        by_hand = [_angles_of(hand, self.finger.value) for hand in hands]
        return list(zip(*by_hand, strict=True))

    def show(self, pose: Float[np.ndarray, "dim"]) -> None:
        """Put the sliders where a pose (radians) has its joints; for both hands, in the middle between the two."""
        self._pose = pose
        if (self.hand.layout.display == "none") != (len(pose) == HAND_DIM):  # one hand: no choice of hands
            self.hand.layout.display = "none" if len(pose) == HAND_DIM else None
        self.rack.show(self._values())

    def _values(self) -> list[float]:
        if self._pose is None:
            return [0.0] * len(self.angles)
        return [float(np.mean([angle.measure(self._pose) for angle in angles])) for angles in self.angles]

    def _rebuild(self) -> None:
        self.rack.show(self._values(), [_slider(angles[0]) for angles in self.angles])

    def _move(self, rank: int, degrees: float, gesture: int) -> None:
        self._on_turn(self.angles[rank], degrees, gesture)


def turned(
    angles: Sequence[JointAngle], degrees: float, gesture: Hashable = None
) -> Callable[[ExplorerState], ExplorerState]:
    """The step that turns joints of the pose shown, each until its angle is ``degrees``."""

    def step(state: ExplorerState) -> ExplorerState:
        pose = np.array(state.pose)
        for angle in angles:
            pose = angle.put(pose, degrees)
        return state.posed(pose.tolist(), gesture=gesture)

    return step


def _angles_of(hand: str, finger: str) -> list[JointAngle]:
    return [angle for angle in JOINT_ANGLES if angle.hand == hand and f" {finger}" in angle.finger]


def _slider(angle: JointAngle) -> Slider:
    low, high = angle.usual
    title = f"{angle.words[0].upper()}{angle.words[1:]}; usually from {low:.0f}° to {high:.0f}°".replace("-", "−")
    return Slider(angle.words, low - BEYOND, high + BEYOND, 1, unit="°", digits=0, title=title, usual=(low, high))
