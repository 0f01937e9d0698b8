"""HandShelf: real frames as small live hands, with a list that says where each is from; a click loads one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from jaxtyping import Float

from data_tools.hand_model import HandModel, default_hand_model
from data_tools.pose_layout import hands_of
from handprior_viz.explorer.real_frame import RealFrame
from handprior_viz.hand_grid import HandGrid
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.panel import column

OnPose = Callable[[Float[np.ndarray, "dim"], str], object]
"""Called with a pose (radians) and words for where it is from."""


class HandShelf:
    """Hands of a store side by side.

    Args:
        model: Hand model to draw with; the user's licensed one if there is one, else the open hand.
        on_pose: Called with the frame that is chosen.
        synthetic: Whether the store's data are made up.
        columns: Hands side by side at most.
        cell: Width and height of a hand, CSS pixels.
        listed: Whether to list below the hands where each is from; the title of each says it in any case.

    Attributes:
        widget: What to show.
        model: The hand model.
        frames: The frames shown.
    """

    def __init__(
        self,
        model: HandModel | None = None,
        *,
        on_pose: OnPose | None = None,
        synthetic: bool = False,
        columns: int = 4,
        cell: tuple[int, int] = (112, 104),
        listed: bool = True,
    ) -> None:
        self.model = model or default_hand_model()
        self._on_pose, self._listed = on_pose, listed
        self.frames: tuple[RealFrame, ...] = ()
        self._heading = LiveMarkup()
        self._list = LiveMarkup(on_event=lambda event, target, value: self._load(int(target)))
        self._grid = HandGrid(
            self.model,
            columns=columns,
            cell=cell,
            on_click=self._load if on_pose else None,
            synthetic=synthetic,
            action="Click to load this pose",
        )
        self.widget = column(self._heading, self._grid, self._list, classes=["hp-shelf"])

    def show(self, heading: str, frames: Sequence[RealFrame], marks: Sequence[str] = ()) -> None:
        """Show frames in place of those shown; returns at once.

        Args:
            heading: HTML above them.
            frames: What to show; none take all away.
            marks: What to say about each, such as its distance.
        """
        self.frames = tuple(frames)
        self._heading.markup = f'<p class="hp-shelf-heading">{heading}</p>' if heading else ""
        poses = hands_of(np.stack([frame.pose for frame in frames])) if frames else np.zeros((0, 90), np.float32)
        self._grid.show(
            poses,
            titles=[f"{k}  {frame.words}" for k, frame in enumerate(frames, 1)],
            colours=[frame.colour for frame in frames],
            marks=marks,
        )
        rows = "".join(self._row(k, frame, marks[k] if marks else "") for k, frame in enumerate(frames))
        self._list.markup = f'<div class="hp-shelf-list">{rows}</div>' if rows and self._listed else ""

    def settle(self, timeout: float) -> bool:
        """Wait until the hands are on their way to the page."""
        return self._grid.settle(timeout)

    def close(self) -> None:
        """End the grid's thread."""
        self._grid.close()

    def _row(self, index: int, frame: RealFrame, mark: str) -> str:
        words = escape(frame.words)
        inside = (
            f"<b>{index + 1}</b><i style='background:{frame.colour}'></i><span>{words}</span><em>{escape(mark)}</em>"
        )
        if self._on_pose is None:
            return f'<div class="hp-shelf-row" title="{words}">{inside}</div>'
        about = f'data-event="load" data-target="{index}" title="{words}&#10;Click to load this pose"'
        return f'<button class="hp-shelf-row" {about}>{inside}</button>'

    def _load(self, index: int) -> None:
        frames = self.frames
        if self._on_pose is not None and 0 <= index < len(frames):
            self._on_pose(frames[index].pose, frames[index].words)
