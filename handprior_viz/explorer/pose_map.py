"""PoseMap: many poses as points on a plane, the shown one marked live; click one, or drag around some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from jaxtyping import Float, Int64

from handprior_viz.explorer.principal_map import PrincipalMap
from handprior_viz.live_markup import PANEL_CSS

_FOLDER = Path(__file__).parent

_ABOUT = ("first direction: {} of all variation", "second: {}")
"""What stands at the axes; the upright one has little room."""


class PoseMap(anywidget.AnyWidget):
    """A map of poses. Points and colours are sent once; a moved mark is a few bytes. Safe to call from any thread.

    Args:
        on_pick: Called with the index of the pose whose point was clicked.
        on_choose: Called with the indices of the poses that were chosen together, and how: ``lasso`` for those inside a
            drawn line, ascending; ``around`` for those near the shown pose or the keyboard's cross, the nearest first.

    Attributes:
        said: What stands in the place of the map while it is empty.
        hidden: Datasets that the legend hides.
        numbered: Poses that carry a number, 1 for the first.
        version: Counts the maps shown.
    """

    # One module made of several files: anywidget has no way for one file to import another.
    _esm = "".join(
        (_FOLDER / name).read_text(encoding="utf-8") for name in ("map_legend.js", "map_overlay.js", "pose_map.js")
    )
    _css = PANEL_CSS

    said = traitlets.Unicode("Laying out the map…").tag(sync=True)
    points = traitlets.Bytes().tag(sync=True)
    dataset_of = traitlets.Bytes().tag(sync=True)
    datasets = traitlets.List(traitlets.Dict()).tag(sync=True)
    axes = traitlets.Dict().tag(sync=True)
    mark = traitlets.List(traitlets.Float()).tag(sync=True)
    numbered = traitlets.List(traitlets.Int()).tag(sync=True)
    hidden = traitlets.List(traitlets.Int()).tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        *,
        on_pick: Callable[[int], object] | None = None,
        on_choose: Callable[[Int64[np.ndarray, "chosen"], str], object] | None = None,
        **traits: Any,
    ) -> None:
        super().__init__(**traits)
        self._on_pick, self._on_choose = on_pick, on_choose
        self._order = np.zeros(0, np.int64)
        self.on_msg(self._hear)

    def show(self, principal: PrincipalMap) -> None:
        """Show a map in place of what was shown."""
        sample = principal.sample
        # Datasets are drawn through each other, or the last would hide the first.
        self._order = np.random.default_rng(0).permutation(len(principal.places))
        counts = np.bincount(sample.dataset_of, minlength=len(sample.datasets))
        with self.hold_sync():
            self.points = principal.places[self._order].astype("<f4").tobytes()
            self.dataset_of = sample.dataset_of[self._order].astype("<u2").tobytes()
            self.datasets = [
                {"name": name, "colour": colour, "count": int(count)}
                for (name, _), colour, count in zip(sample.datasets, sample.colours, counts, strict=True)
            ]
            self.axes = {
                name: {"low": low, "high": high, "about": about.format(f"{100 * share:.0f} %")}
                for name, about, share, (low, high) in zip(
                    ("across", "up"), _ABOUT, principal.shares, principal.ends, strict=True
                )
            }
            self.mark, self.numbered, self.hidden = [], [], []
            self.version += 1

    def mark_at(self, place: Sequence[float] | Float[np.ndarray, "2"]) -> None:
        """Mark the shown pose's place."""
        self.mark = [float(value) for value in place]

    def number(self, indices: Sequence[int]) -> None:
        """Number these poses on the map, in this order."""
        where = np.argsort(self._order)
        self.numbered = [int(where[index]) for index in indices]

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        picked = content.get("picked")
        if isinstance(picked, int) and 0 <= picked < len(self._order) and self._on_pick is not None:
            self._on_pick(int(self._order[picked]))
        if "chosen" in content and buffers and self._on_choose is not None:
            chosen = np.frombuffer(buffers[0], "<u4")
            chosen = self._order[chosen[chosen < len(self._order)]]
            way = str(content.get("from", ""))
            self._on_choose(chosen if way == "around" else np.sort(chosen), way)
