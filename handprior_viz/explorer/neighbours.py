"""Neighbours: the real frames that come nearest to the shown pose, as small live hands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import ipywidgets as W
import numpy as np
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
from handprior_viz.explorer.finger_points import FingerPoints
from handprior_viz.explorer.hand_shelf import HandShelf, OnPose
from handprior_viz.explorer.nearest_frames import NearestFrames
from handprior_viz.explorer.real_frame import RealFrame
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins

COUNT = 8

SETTLED_SECONDS = 0.15
"""A pose is looked for once it has stood still for so long."""

NO_STORE = '<div class="hp-empty">Give a store to see the nearest real frames: LatentExplorer(prior, store="…").</div>'

_DISTANCE = (
    "Both wrists laid on each other, the typical (root mean square) distance of 30 points: the middle and last joint "
    "and the tip of each finger"
)


class Neighbours:
    """The nearest real frames of a pose, at most one of each sequence; a click loads one.

    The search is prepared in the background when a pose is first shown, and runs when a pose has stood still.

    Args:
        store: Where to look: the frames that priors learn from. Without one the widget says what to do.
        model: Hand model to measure and draw with; the user's licensed one if there is one, else the open hand.
        on_pose: Called with the frame that is chosen.
        synthetic: Whether the store's data are made up.
        on_error: What to do with an error in the background.

    Attributes:
        widget: What to show.
        found: The frames shown and their distances, millimetres.
    """

    def __init__(
        self,
        store: PoseStore | None,
        model: HandModel | None = None,
        *,
        on_pose: OnPose | None = None,
        synthetic: bool = False,
        on_error: Callable[[Exception], object] | None = None,
    ) -> None:
        self._store = store
        self._frames: NearestFrames | None = None
        self.found: list[tuple[RealFrame, float]] = []
        self._asked = 0.0
        self._ended = threading.Event()
        self._shelf: HandShelf | None = None
        self._finding: LatestWins[np.ndarray] | None = None
        if store is None:
            self.widget: W.Widget = LiveMarkup(NO_STORE)
            return
        self._shelf = HandShelf(model, on_pose=on_pose, synthetic=synthetic)
        self._shelf.show('<span class="hp-muted">Looking through the store…</span>', ())
        self._finding = LatestWins(self._find, on_error=on_error, name="explorer-neighbours")
        self.widget = self._shelf.widget

    def show(self, pose: Float[np.ndarray, "dim"]) -> None:
        """Find the neighbours of a pose (radians) once it stands still; returns at once."""
        self._asked = time.monotonic()
        if self._finding is not None:
            self._finding.submit(np.array(pose, np.float32))

    def settle(self, timeout: float) -> bool:
        """Wait until the neighbours of the pose last shown are there."""
        if self._finding is None or self._shelf is None:
            return True
        return self._finding.settle(timeout) and self._shelf.settle(timeout)

    def close(self) -> None:
        """End the threads and let the frames go; the widgets belong to the panel that shows them."""
        self._ended.set()
        if self._finding is not None and self._shelf is not None:
            self._finding.close()
            self._shelf.close()
        self._frames = None

    def _find(self, pose: Float[np.ndarray, "dim"]) -> None:
        assert self._store is not None
        assert self._shelf is not None
        if self._frames is None:
            points = FingerPoints(self._shelf.model)
            frames = NearestFrames.of(self._store, points, stretches=COUNT, go_on=lambda: not self._ended.is_set())
            if self._ended.is_set():
                return
            self._frames = frames
        moved = self._asked
        while (left := moved + SETTLED_SECONDS - time.monotonic()) > 0:
            if self._ended.wait(left) or self._asked != moved:
                return  # overtaken: the newer pose waits its turn
        self.found = self._frames.find(pose, COUNT)
        marks = [f"{distance:.1f} mm" for _, distance in self.found]
        self._shelf.show(_heading(self._frames), [frame for frame, _ in self.found], marks)


def _heading(frames: NearestFrames) -> str:
    every = f" (one in {frames.stride}, and all around the best)" if frames.stride > 1 else ""
    count = len(frames.store.split(frames.split))
    kind = {"train": "training"}.get(frames.split, frames.split)
    return (
        f"Nearest of {count:,} {kind} frames{every}, at most one of each sequence "
        f'<span class="hp-muted" title="{_DISTANCE}">· mm between the finger joints, wrist on wrist</span>'
    )
