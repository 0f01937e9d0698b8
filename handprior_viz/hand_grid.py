"""HandGrid: many small live hands in one WebGL context.

    grid = HandGrid(on_click=lambda index: print(names[index]))
    grid                                  # shows it, empty
    grid.show(poses, titles=names)        # (N, 90); N may change, none take all away

A browser allows about sixteen WebGL contexts in a page, and drops the oldest without a word: a contact sheet of live
hands must live in one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.pose_layout import HANDS_DIM
from handprior_viz import hand_picture
from handprior_viz.live_hands import LiveHands
from handprior_viz.pacing import LatestWins
from handprior_viz.pictures.stage import TURNS, View
from handprior_viz.render import contact_sheet, shared_rasteriser
from handprior_viz.style import CSS

_FOLDER = Path(__file__).parent

MOST = 64
"""Poses in a grid; more are neither seen at a glance nor drawn in good time."""

_Shown = tuple[np.ndarray, list[dict[str, str]]]


class HandGrid(LiveHands):
    """Small live hands side by side, all turning together. The newest poses win; safe to call from any thread.

    Attributes:
        caption: Below the hands, once; what the hand model asks for and whether the data is synthetic.
        cards: For every pose its title, colour and mark.
        version: Counts what was shown; the page gives the one it has drawn as ``data-poses-version``.
    """

    _esm = hand_picture.SCRIPT + (_FOLDER / "hand_grid.js").read_text(encoding="utf-8")
    _css = CSS + (_FOLDER / "hand_grid.css").read_text(encoding="utf-8")

    cards: traitlets.List[Any] = traitlets.List().tag(sync=True)
    poses = traitlets.Bytes().tag(sync=True)
    # Never change after the start.
    columns = traitlets.Int(4).tag(sync=True)
    cell: traitlets.List[Any] = traitlets.List().tag(sync=True)
    view = traitlets.Unicode("palm").tag(sync=True)
    action = traitlets.Unicode().tag(sync=True)
    step = traitlets.Float(hand_picture.STEP).tag(sync=True)

    def __init__(
        self,
        model: HandModel | None = None,
        *,
        columns: int = 4,
        cell: tuple[int, int] = (180, 150),
        on_click: Callable[[int], object] | None = None,
        synthetic: bool = False,
        view: View = "palm",
        action: str = "Click to choose",
    ) -> None:
        """Set up an empty grid.

        Args:
            model: Default: the user's licensed model if there is one, else the open hand.
            columns: How many hands stand side by side at most; a narrow page shows fewer.
            cell: Least width and the height of each picture, CSS pixels.
            on_click: Called with the index of the pose that was clicked, or chosen with Enter.
            synthetic: Say in the caption that the data is synthetic.
            view: ``palm``, ``back`` or ``thumb``.
            action: What a click does, for the tooltip; only said where there is ``on_click``.

        Raises:
            ValueError: An unknown view, or no column.
        """
        if view not in TURNS:
            raise ValueError(f"view must be one of {', '.join(TURNS)}, got {view!r}")
        if columns < 1:
            raise ValueError(f"a grid needs at least one column, got {columns}")
        renderer = shared_rasteriser(model)
        self._on_click = on_click
        self._view: View = view
        self._synthetic = synthetic
        self._shown: _Shown = (np.zeros((0, HANDS_DIM), np.float32), [])
        self._work: LatestWins[_Shown] | None = LatestWins(self._publish, name="hand-grid")
        super().__init__(
            renderer,
            synthetic=synthetic,
            columns=columns,
            cell=list(cell),
            view=view,
            action=action if on_click else "",
            stage=hand_picture.stage_message(renderer.stage),
            **hand_picture.topology(renderer.mesh, renderer.model.faces, renderer.model.side, fine=False),
        )
        self.on_msg(self._hear)

    def show(
        self,
        poses: Float[np.ndarray, "N 90"],
        titles: Sequence[str] = (),
        colours: Sequence[str] = (),
        marks: Sequence[str] = (),
    ) -> None:
        """Show these poses in place of what was shown. Returns at once; the work is done on a thread.

        Args:
            poses: Left then right hand, mean included, axis-angle in radians; none take all away.
            titles: One for every pose, or none at all.
            colours: CSS colours of a small square before each title, such as a dataset's; or none at all.
            marks: A few characters in the corner of each picture, such as a distance or a pin's letter; or none.

        Raises:
            ValueError: Wrong shape, NaN, more than :data:`MOST` poses, or words for another number of poses.
        """
        poses = np.array(poses, np.float32)
        if poses.size == 0:
            poses = poses.reshape(0, HANDS_DIM)
        if poses.ndim != 2 or poses.shape[1] != HANDS_DIM:
            raise ValueError(f"poses of a grid must be (N, {HANDS_DIM}), both hands, got {poses.shape}")
        if len(poses) > MOST:
            raise ValueError(f"a grid shows at most {MOST} poses, got {len(poses)}: choose among them")
        broken = np.flatnonzero(~np.isfinite(poses).all(axis=1))
        if len(broken):
            raise ValueError(f"poses of a grid must be finite, number {broken[0]} holds NaN or infinite values")
        words = {"title": titles, "colour": colours, "mark": marks}
        for name, given in words.items():
            if len(given) not in (0, len(poses)):
                raise ValueError(f"{name}s must be one for each of the {len(poses)} poses, got {len(given)}")
        cards = [{name: str(given[k]) for name, given in words.items() if len(given)} for k in range(len(poses))]
        self._shown = (poses, cards)
        if self._work is not None:
            self._work.submit(self._shown)

    def picture(self) -> bytes:
        """Return a still of what is shown as PNG; nothing for an empty grid."""
        poses, cards = self._shown
        if not len(poses):
            return b""
        sheet = contact_sheet(
            poses,
            columns=self.columns,
            titles=[card.get("title", "") for card in cards],
            view=self._view,
            synthetic=self._synthetic,
            cell=(max(self.cell[0], 120), max(self.cell[1], 90) + 24),
            renderer=self._renderer,
        )
        return hand_picture.as_png(sheet)

    def _publish(self, shown: _Shown) -> None:
        poses, cards = shown
        occlusion = self._renderer.occlusion
        meshes = map(self._renderer.vertices, poses)
        data = b"".join(hand_picture.packed_small(mesh, occlusion.pose(mesh)) for mesh in meshes)
        with self.hold_sync():
            self.cards, self.poses = cards, data
            self.version += 1

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        """A click counts only for what the page showed when it was made."""
        if self._on_click is None or not isinstance(content, dict) or content.get("version") != self.version:
            return
        index = content.get("clicked")
        if isinstance(index, int) and 0 <= index < len(self.cards):
            self._on_click(index)
