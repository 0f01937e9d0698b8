"""What the live hands are coloured by, and whether the body is shown."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as W

from data_tools.pose_layout import POSE_DIM
from handprior_viz.explorer.shown import Shown
from handprior_viz.explorer.state import ExplorerState
from handprior_viz.panel import row

COLOURS = {
    "skin": "skin",
    "distance from pin A": "a",
    "distance from the prior's version": "prior",
}
"""What each point of the hands may be coloured by, in words."""


class LookBar:
    """A choice of colours, and of hands or body where poses have a body.

    Args:
        on_look: Called when something else was chosen.

    Attributes:
        widget: What to show.
    """

    def __init__(self, on_look: Callable[[], object]) -> None:
        self.colour = W.Dropdown(
            options=[*COLOURS.items()],
            description="colour",
            tooltip="Colour each point of the hands by how far it is from where it is in another pose, millimetres",
            style={"description_width": "3.5em"},
            layout={"width": "280px"},
        )
        self.body = W.ToggleButton(
            description="Body",
            tooltip="Show the whole body in place of the hands",
            layout={"width": "auto", "display": "none"},
        )
        for choice in (self.colour, self.body):
            choice.observe(lambda _: on_look(), "value")
        self.widget = row(self.colour, self.body, classes=["hp-tight"])

    def use(self, dim: int) -> None:
        """Offer the body where poses have one."""
        self.body.layout.display = None if dim == POSE_DIM else "none"

    def compared_with(self, state: ExplorerState) -> Shown | None:
        """What the shown pose is to be compared with, or None for plain skin.

        Raises:
            NotFoundYet: The prior has not been asked for its version yet.
        """
        if self.colour.value == "a":
            return state.now.pin_a
        if self.colour.value == "prior" and state.shown.by == "pose":
            return Shown.at(state.latent)
        return None
