"""The row of buttons under the hands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as W

from handprior_viz.explorer.state import ExplorerState
from handprior_viz.panel import button, row, set_enabled

STEP_SIZE = 0.5
"""Standard deviations of the small random step, on every axis."""

_UNDO = "Take the last step back (Ctrl+Z)"
_REDO = "Take the undone step again (Ctrl+Shift+Z)"


class Toolbar:
    """Undo and redo, and ways to another pose.

    Args:
        on_undo: Called when a person presses Undo; and so on for the others.
        on_frame: None where there is no store to take a frame from.
        like: Shown beside Sample, on the same line: what samples are to be like.
        more: Shown at the end.

    Attributes:
        widget: What to show.
    """

    def __init__(
        self,
        *,
        on_undo: Callable[[], object],
        on_redo: Callable[[], object],
        on_reset: Callable[[], object],
        on_sample: Callable[[], object],
        on_step: Callable[[], object],
        on_frame: Callable[[], object] | None,
        like: W.Widget,
        more: Sequence[W.Widget] = (),
    ) -> None:
        self.undo = button("Undo", _UNDO, on_undo, icon="undo")
        self.redo = button("Redo", _REDO, on_redo, icon="repeat")
        about_step = f"A small step from here: {STEP_SIZE:g} sd on every axis, at random"
        tools = [
            self.undo,
            self.redo,
            button("Reset", "Back to the middle of the latent space", on_reset),
            _together(button("Sample", "A pose drawn from the prior", on_sample, main=True), like),
            button("Random step", about_step, on_step),
        ]
        if on_frame is not None:
            tools.append(button("Real frame", "A held-out frame of the store, exactly as it is", on_frame))
        self.widget = row(*tools, *more, classes=["hp-tight"])

    def show(self, state: ExplorerState) -> None:
        """Offer what can be undone and redone."""
        set_enabled(self.undo, state.can_undo, _UNDO, "Nothing to take back yet")
        set_enabled(self.redo, state.can_redo, _REDO, "Nothing was undone")


def _together(*widgets: W.Widget) -> W.HBox:
    """Widgets that stay on one line where the row they are in breaks."""
    return W.HBox(widgets, layout={"flex": "none", "overflow": "visible"})
