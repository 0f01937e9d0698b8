"""A box with small live hands that are made when they are first needed, from whichever thread that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as W
import numpy as np
from jaxtyping import Float

from handprior_viz.panel import column


class GridBox:
    """Widgets, and below them a grid of small live hands once there is something to show.

    Making a grid reads the hand model and takes tenths of a second, so it is left to the thread that has the poses.

    Args:
        above: What stands above the hands.
        classes: Of the box.
        options: For :class:`~handprior_viz.hand_grid.HandGrid`.

    Attributes:
        widget: The box.
        grid: The grid; None while there is none.
    """

    def __init__(self, *above: W.Widget, classes: Sequence[str] = (), **options: Any) -> None:
        self._options = options
        self.grid: Any = None
        self.widget: W.VBox = column(*above, classes=classes)

    def show(self, poses: Float[np.ndarray, "n 90"], titles: Sequence[str] = (), colours: Sequence[str] = ()) -> None:
        """Show poses in place of those that were shown."""
        if self.grid is None:
            from handprior_viz.hand_grid import HandGrid

            self.grid = HandGrid(**self._options)
            self.widget.children = (*self.widget.children, self.grid)
        self.grid.show(poses, titles=titles, colours=colours)

    def settle(self, timeout: float) -> bool:
        """Wait until what was shown last is on its way to the page."""
        return self.grid is None or self.grid.settle(timeout)

    def close(self) -> None:
        """Free the hands; the box belongs to whoever shows it."""
        if self.grid is not None:
            self.grid.layout.close()  # a panel that closes while the grid is being made does not know of it
            self.grid.close()
