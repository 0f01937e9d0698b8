"""The ways between the pins side by side, and the choice of one."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as W
import numpy as np

from data_tools.hand_model import HandModel
from data_tools.pose_layout import hands_of
from handprior_viz.explorer.shown import Shown
from handprior_viz.explorer.state import ExplorerState
from handprior_viz.explorer.walk import BLENDS, Blend, walk_poses
from handprior_viz.hand_grid import HandGrid
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import column, row
from training.prior import Prior

STOPS = 5
"""Poses shown of each way, its ends among them."""

_Ways = tuple[Prior, Shown, Shown]

_NO_PINS = '<div class="hp-empty">Pin a pose as A and another as B: the ways between them are shown here.</div>'


class WalkTab:
    """Small hands along each way from A to B, one way a row, and the choice of a way.

    Args:
        model: Hand model to draw with.
        on_blend: Called with the way that was chosen.
        on_stop: Called with the way and the position (0 to 1) of a pose that was clicked.
        synthetic: Whether the data are made up.
        on_error: What to do with an error in the background.

    Attributes:
        widget: What to show.
    """

    def __init__(
        self,
        model: HandModel | None = None,
        *,
        on_blend: Callable[[Blend], object],
        on_stop: Callable[[Blend, float], object],
        synthetic: bool = False,
        on_error: Callable[[Exception], object] | None = None,
    ) -> None:
        self._on_stop = on_stop
        self._ways: _Ways | None = None
        self.blend = W.ToggleButtons(
            options=list(BLENDS), tooltips=list(BLENDS.values()), style={"button_width": "auto"}
        )
        self._about = LiveMarkup()
        self.grid = HandGrid(
            model,
            columns=STOPS,
            cell=(76, 90),
            on_click=self._stop,
            synthetic=synthetic,
            action="Click to show this pose of the walk",
        )
        choice = row(W.Label("From A to B:"), self.blend, classes=["hp-tight", "hp-explorer-choices"])
        self.widget = column(choice, self._about, self.grid)
        self.blend.observe(lambda change: on_blend(change["new"]), "value")
        self._drawing = LatestWins(self._draw, on_error=on_error, name="explorer-ways")

    def show(self, prior: Prior, state: ExplorerState) -> None:
        """Show the ways between the pins of a state; returns at once, and does nothing where nothing changed."""
        self.blend.value = state.blend
        a, b = state.now.pin_a, state.now.pin_b
        self._about.markup = f'<p class="hp-said">{BLENDS[state.blend]}.</p>' if a and b else _NO_PINS
        ways = None if a is None or b is None else (prior, a, b)
        if ways != self._ways:
            self._ways = ways
            self._drawing.submit(ways)

    def settle(self, timeout: float) -> bool:
        """Wait until the ways are on their way to the page."""
        return self._drawing.settle(timeout) and self.grid.settle(timeout)

    def close(self) -> None:
        """End the threads."""
        self._drawing.close()
        self.grid.close()

    def _draw(self, ways: _Ways | None) -> None:
        if ways is None:
            self.grid.show(np.zeros((0, 90), np.float32))
            return
        stops = np.linspace(0, 1, STOPS)
        poses = [hands_of(walk_poses(*ways, stops, blend)) for blend in BLENDS]
        titles = [blend if k == 0 else f"{100 * stop:.0f} %" for blend in BLENDS for k, stop in enumerate(stops)]
        self.grid.show(np.concatenate(poses), titles=titles)

    def _stop(self, index: int) -> None:
        self._on_stop(list(BLENDS)[index // STOPS], float(np.linspace(0, 1, STOPS)[index % STOPS]))
