"""MapView: the map of a store's poses, and below it the hands that were chosen on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from html import escape

import numpy as np
from jaxtyping import Float, Int64

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
from handprior_viz.explorer.backdrop import Backdrop
from handprior_viz.explorer.finger_points import FingerPoints
from handprior_viz.explorer.hand_shelf import HandShelf, OnPose
from handprior_viz.explorer.pose_map import PoseMap
from handprior_viz.explorer.principal_map import PrincipalMap
from handprior_viz.explorer.real_frame import RealFrame
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import row

_NOTHING_CHOSEN = '<span class="hp-muted">Draw a line around some points: their hands are shown here.</span>'

POINTS_ON_MAP = 20_000
"""Poses on the map, as many of each dataset: what a browser draws without effort."""

HANDS_SHOWN = 12
DATASETS_NAMED = 6


class MapView:
    """A map with the shown pose marked: a click on a point loads its pose, a line around points shows their hands.

    Args:
        store: What is on the map.
        model: Hand model to measure and draw with.
        on_pose: Called with the pose that is chosen.
        on_error: What to do with an error in the background.

    Attributes:
        widget: What to show.
        map: The map itself.
        principal: What is laid out on it; None until that is known.
    """

    def __init__(
        self,
        store: PoseStore,
        model: HandModel | None = None,
        *,
        on_pose: OnPose | None = None,
        on_error: Callable[[Exception], object] | None = None,
    ) -> None:
        self._store, self._on_pose = store, on_pose
        self.principal: PrincipalMap | None = None
        self.map = PoseMap(on_pick=self._pick, on_choose=lambda indices, way: self._choosing.submit((indices, way)))
        self._shelf = HandShelf(model, on_pose=on_pose, synthetic=store.synthetic, columns=4, listed=False)
        self._shelf.show(_NOTHING_CHOSEN, ())
        self._choosing: LatestWins[tuple[np.ndarray, str]] = LatestWins(
            self._choose, on_error=on_error, name="explorer-chosen"
        )
        self.map.layout.flex, self._shelf.widget.layout.flex = "1.6 1 540px", "1 1 380px"
        self.widget = row(self.map, self._shelf.widget, classes=["hp-map-view"])

    def lay_out(self, at_most: int = POINTS_ON_MAP) -> None:
        """Sample the store, find the map's directions and show it; takes a second, so call it in the background."""
        sample = Backdrop.of(self._store, max(1, at_most // max(1, len(self._store.datasets))))
        self.principal = PrincipalMap.of(sample, FingerPoints(self._shelf.model))
        self.map.show(self.principal)

    def mark(self, pose: Float[np.ndarray, "dim"]) -> None:
        """Mark where a pose (radians) is."""
        if self.principal is not None:
            self.map.mark_at(self.principal.place(pose))

    def settle(self, timeout: float) -> bool:
        """Wait until the hands that were chosen are there."""
        return self._choosing.settle(timeout) and self._shelf.settle(timeout)

    def close(self) -> None:
        """End the threads and let the poses go; the widgets belong to the panel that shows them."""
        self._choosing.close()
        self._shelf.close()
        self.principal = None

    def _frame(self, index: int) -> RealFrame:
        assert self.principal is not None
        return RealFrame.of(self._store, int(self.principal.sample.rows[index]))

    def _pick(self, index: int) -> None:
        if self._on_pose is not None:
            frame = self._frame(index)
            self._on_pose(frame.pose, frame.words)

    def _choose(self, choice: tuple[Int64[np.ndarray, "chosen"], str]) -> None:
        indices, way = choice
        if self.principal is None:
            return
        drawn = evenly(indices, HANDS_SHOWN)
        names = [self.principal.sample.datasets[k][0] for k in self.principal.sample.dataset_of[indices]]
        order = [name for name, _ in self.principal.sample.datasets]
        self.map.number(drawn.tolist())
        self._shelf.show(escape(chosen_words(names, order, len(drawn), way)), [self._frame(int(k)) for k in drawn])


def evenly(indices: Int64[np.ndarray, "chosen"], at_most: int) -> Int64[np.ndarray, "drawn"]:
    """As many of some indices, evenly."""
    if len(indices) <= at_most:
        return indices
    return indices[np.round(np.linspace(0, len(indices) - 1, at_most)).astype(int)]


def chosen_words(names: list[str], order: list[str], drawn: int, way: str = "lasso") -> str:
    """Say which hands were chosen: ``17 hands chosen: GRAB 9, KIT 8; 12 of them drawn``.

    Args:
        names: Dataset of each hand.
        order: Order of the datasets.
        drawn: How many are drawn.
        way: ``lasso`` or ``around``.
    """
    if not names:
        return "No hands inside the line: draw it around some points."
    counts = Counter(names)
    listed = sorted(counts, key=lambda name: (-counts[name], order.index(name)))
    parts = [f"{name} {counts[name]:,}" for name in listed[:DATASETS_NAMED]]
    if len(listed) > DATASETS_NAMED:
        rest = sum(counts[name] for name in listed[DATASETS_NAMED:])
        more = len(listed) - DATASETS_NAMED
        parts.append(f"{more} more dataset{'s' if more > 1 else ''} {rest:,}")
    what = "chosen" if way == "lasso" else "around this place"
    said = f"{len(names):,} hand{'s' if len(names) > 1 else ''} {what}: {', '.join(parts)}"
    return said if drawn == len(names) else f"{said}; {drawn} of them drawn, evenly"
