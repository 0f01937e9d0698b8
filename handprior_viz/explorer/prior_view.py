"""How far a prior's own version of a pose is from the pose, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float

from data_tools.pose_layout import hands_of
from data_tools.rotations import geodesic_angle
from handprior_viz.joint_angles import JOINT_WORDS
from handprior_viz.live_markup import LiveMarkup

SAME_DEGREES = 0.1
"""Poses whose joints all agree this closely look the same."""


@dataclass(frozen=True)
class PriorView:
    """How two pairs of hands differ.

    Attributes:
        mean: Angle between a joint in the one and in the other, mean over all joints of the hands, degrees.
        most: The largest such angle, degrees.
        joint: Where it is, in words.
    """

    mean: float
    most: float
    joint: str

    @classmethod
    def of(cls, pose: Float[np.ndarray, "dim"], seen: Float[np.ndarray, "dim"]) -> PriorView:
        """Compare a pose with what a prior makes of it (any layout, axis-angle in radians)."""
        first, second = (hands_of(np.asarray(one, np.float64)).reshape(-1, 3) for one in (pose, seen))
        apart = np.rad2deg(geodesic_angle(first, second))
        worst = int(apart.argmax())
        return cls(float(apart.mean()), float(apart[worst]), JOINT_WORDS[worst])

    @property
    def words(self) -> str:
        """One sentence."""
        if self.most < SAME_DEGREES:
            return "The prior makes the same of it."
        return (
            f"The prior's own version is {self.mean:.1f}° off per joint on average, "
            f"{self.most:.0f}° at most ({self.joint})."
        )


class SeenLine:
    """One line: whether the prior made the pose shown, or how close it comes to it.

    Args:
        on_show: Called when a person wants to see the prior's own version.

    Attributes:
        widget: What to show.
    """

    def __init__(self, on_show: Callable[[], object]) -> None:
        self.widget = LiveMarkup(on_event=lambda *_: on_show())
        self.made_by_the_prior()

    def made_by_the_prior(self) -> None:
        """Say that the pose is what the prior decodes from the axes."""
        self.widget.markup = _LINE.format("Shown as the prior makes it.")

    def tell(self, view: PriorView) -> None:
        """Say how close the prior comes to the pose, which is shown exactly."""
        offer = "" if view.most < SAME_DEGREES else _OFFER
        self.widget.markup = _LINE.format(f"<span>Shown exactly as set. {escape(view.words)}</span>{offer}")


_LINE = '<div class="hp-explorer-seen">{}</div>'
_OFFER = (
    '<button data-event="as_prior" title="Show what the prior decodes from the latent it finds for this pose">'
    "As the prior sees it</button>"
)
