"""The map of distances between datasets, which says the number of the square that is pointed at."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from handprior_viz.auditing.dataset_looks import DistancesPicture
from handprior_viz.live_markup import PANEL_CSS


class DistanceView(anywidget.AnyWidget):
    """Shows a :class:`.DistancesPicture`; numbers of its squares by pointer and by arrow keys."""

    _esm = Path(__file__).with_name("distance_view.js").read_text(encoding="utf-8")
    _css = PANEL_CSS

    markup = traitlets.Unicode("").tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    values = traitlets.Bytes().tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)

    def show(self, picture: DistancesPicture) -> None:
        """Show a picture in place of what was shown."""
        if picture.markup != self.markup:
            with self.hold_sync():
                self.markup, self.names = picture.markup, list(picture.names)
                self.values = picture.values.astype("<f4").tobytes()
                self.version += 1
