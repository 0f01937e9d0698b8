"""HandView: the live hands in a notebook, drawn by the browser's graphics card.

    view = HandView()
    view                      # shows it
    view.show(pose)           # (90,) left then right hand, mean included, axis-angle in radians
    view.ghost(other)         # a pose to compare with, see-through; None takes it away
    view.difference(other)    # colours the hands by how far each point is from where it is in the other pose
    view.colour(values, label="uncertainty, mm")  # or by a number for every vertex
    view.show_body()          # the whole body in place of the hands, for poses of 165 columns

What is drawn is state of the widget, not a message: a page that opens later, or again, sees the newest pose.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from jaxtyping import Float

from data_tools.hand_model import HandModel
from handprior_viz import hand_picture
from handprior_viz.live_figure import BodyFigure, Figure, HandsFigure
from handprior_viz.live_hands import LiveHands
from handprior_viz.outbox import Alarm, Outbox
from handprior_viz.pacing import LatestWins
from handprior_viz.pictures.colour_ramp import Colouring, Comparison
from handprior_viz.render import shared_rasteriser, still
from handprior_viz.style import CSS

_FOLDER = Path(__file__).parent

# A browser shows at most about this many pictures a second: more would only fill the line to it.
_SHORTEST_INTERVAL = 1 / 60

# Soft shadows follow the hands at this pace, in seconds.
_SHADOWS = 0.1


class HandView(LiveHands):
    """Both hands, live. Drag to turn, wheel to zoom, double-click to reset; arrow keys do the same.

    The last pose wins: however fast poses come, none waits in a queue. Safe to call from any thread. Soft shadows
    take as long to compute as the hands: a pose is sent with the last ones there are, and again with its own when no
    other has come for a tenth of a second.

    Attributes:
        caption: Below the hands, in the corner; starts with what the hand model asks for.
        height: In CSS pixels; the width follows the notebook.
        version: Counts the poses sent; the page shows the one it has drawn as ``data-positions-version``.
    """

    _esm = hand_picture.SCRIPT + (_FOLDER / "hand_view.js").read_text(encoding="utf-8")
    _css = CSS + (_FOLDER / "hand_view.css").read_text(encoding="utf-8")

    height = traitlets.Int(420).tag(sync=True)
    positions = traitlets.Bytes().tag(sync=True)
    joints = traitlets.Bytes().tag(sync=True)
    ghost_positions = traitlets.Bytes().tag(sync=True)
    shares = traitlets.Bytes().tag(sync=True)
    legend = traitlets.Dict().tag(sync=True)
    # Change only with the figure that is shown, and then its number does too.
    figure = traitlets.Int(0).tag(sync=True)
    joint_names: traitlets.List[Any] = traitlets.List().tag(sync=True)
    rough_faces = traitlets.Bytes().tag(sync=True)
    rough_left_count = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        model: HandModel | None = None,
        *,
        height: int = 420,
        synthetic: bool = False,
        body: bool = False,
    ) -> None:
        """Set up the view with the model's mean hands.

        Args:
            model: Default: the user's licensed model if there is one, else the open hand.
            height: CSS pixels.
            synthetic: Say in the caption that the data is synthetic.
            body: Show the whole body, see :meth:`show_body`.

        Raises:
            ValueError: A body is asked for and the model has hands only.
        """
        # The rasteriser's parts are what the page needs, and it draws the picture for saved notebooks.
        renderer = shared_rasteriser(model)
        self._lock = threading.RLock()
        self._outbox = Outbox(self._take, _SHORTEST_INTERVAL, self._lock)
        self._shading = Alarm(self._shade)
        self._figures: dict[bool, Figure] = {False: HandsFigure(renderer)}
        if body:
            self._figures[True] = BodyFigure(renderer.model)
        self._figure, self._with_body = self._figures[body], body
        self._pose = renderer.model.hands_mean
        self._ghost: np.ndarray | None = None
        self._compared: Comparison | None = None
        self._colouring: Colouring | None = None
        first = self._posed(self._pose, shadows=True)
        super().__init__(
            renderer,
            synthetic=synthetic,
            height=height,
            joint_names=self._figure.joint_names,
            **first,
            **self._figure.message(),
        )

    def show(self, pose: Float[np.ndarray, "columns"]) -> None:
        """Show a pose.

        Args:
            pose: 90 columns (left then right hand) or 165 (a whole pose, of which the hands are shown unless the body
                is), mean included, axis-angle in radians.

        Raises:
            ValueError: Wrong shape or NaN.
        """
        pose = np.array(pose, np.float32)
        with self._lock:
            state = self._posed(pose)
            self._pose = pose
            self._outbox.offer(**state)
            self._shading.set(_SHADOWS)

    def ghost(self, pose: Float[np.ndarray, "columns"] | None) -> None:
        """Show a second pose see-through in the accent colour, or take it away with None.

        Raises:
            ValueError: Wrong shape or NaN.
        """
        pose = None if pose is None else np.array(pose, np.float32)
        with self._lock:
            state = self._ghosted(pose)
            self._ghost = pose
            self._outbox.offer(**state)

    def colour(
        self,
        values: Float[np.ndarray, "V"] | None,
        low: float | None = None,
        high: float | None = None,
        label: str = "",
    ) -> None:
        """Colour what is shown by a number for every vertex, such as an uncertainty; None gives the skin back.

        Args:
            values: As many as the model has vertices (``len(view.model.side)``); NaN keeps the skin.
            low: Value of the first colour, blue; default: the least value.
            high: Value of the last colour, yellow; default: the greatest.
            label: For the legend: what is shown, and its unit.

        Raises:
            ValueError: Another number of values, infinite ones, or ends in the wrong order.
        """
        count = self._figure.vertices
        colouring = None if values is None else Colouring.of(values, low, high, label, vertices=count)
        with self._lock:
            self._compared = None
            self._outbox.offer(**self._coloured(colouring))

    def difference(
        self,
        pose: Float[np.ndarray, "columns"] | None,
        high: float | None = None,
        label: str = "difference, mm",
    ) -> None:
        """Colour what is shown by the distance of each point from where it is in another pose, in millimetres.

        Follows every pose shown from then on.

        Args:
            pose: What to compare with; None gives the skin back.
            high: Millimetres of the last colour; default: a round number above the greatest distance.
            label: For the legend.

        Raises:
            ValueError: Wrong shape or NaN, or ``high`` not above 0.
        """
        if pose is None:
            self.colour(None)
            return
        if high is not None and not high > 0:
            raise ValueError(f"high must be above 0 mm, got {high:g}")
        with self._lock:
            pose = np.array(pose, np.float32)
            self._compared = Comparison(pose, self._figure.posed(pose)[0], high, label)
            self._outbox.offer(**self._posed(self._pose))

    def show_body(self, body: bool = True) -> None:
        """Show the whole body in place of the hands, or the hands again. Ghost and colours are taken away.

        Returns at once; the first body is prepared on a thread and shown when it is there, with what ghost and
        difference have come since. Poses of 90 columns leave the body at rest.

        Raises:
            ValueError: The model has hands only.
        """
        if body:
            BodyFigure.check(self.model)
        with self._lock:
            if body == self._with_body:
                return
            self._with_body, self._ghost, self._compared = body, None, None
            if body in self._figures:
                self._stand_in(self._figures[body])
                return
            self._outbox.offer(**self._coloured(None), **self._ghosted(None))
            if self._work is None:
                self._work = LatestWins(self._prepare, name="hand-view")
            self._work.submit(body)

    def picture(self, size: tuple[int, int] = (720, 420)) -> bytes:
        """Return a still of the shown pose as PNG, for places where the live view cannot be."""
        self.settle()
        with self._lock:
            figure, pose, colouring = self._figure, self._pose, self._colouring
        drawn = figure.draw(pose, size, None if colouring is None else colouring.paint())
        hands = None if isinstance(figure, BodyFigure) else self._renderer.stage
        return hand_picture.as_png(still(drawn, self.caption, stage=hands, colouring=colouring))

    def settle(self, timeout: float | None = None) -> bool:
        """Send all that was asked for, soft shadows too; False if a body took longer than ``timeout`` s to prepare."""
        prepared = super().settle(timeout)
        self._shade()
        self._outbox.flush()
        return prepared

    def close(self) -> None:
        """Take the hands away and free everything they hold, here and in the page."""
        super().close()
        with self._lock:
            self._shading.close()
            self._outbox.close()

    def _prepare(self, body: bool) -> None:
        """Make the figure that was asked for; runs on the view's thread."""
        figure = self._figures.get(body) or BodyFigure(self.model)
        with self._lock:
            self._figures[body] = figure
            if self._with_body == body:
                self._stand_in(figure)

    def _stand_in(self, figure: Figure) -> None:
        """Show this figure from now on."""
        self._figure = figure
        if self._compared is not None:
            self._compared = replace(self._compared, vertices=figure.posed(self._compared.pose)[0])
        state = self._coloured(None) | self._ghosted(self._ghost) | self._posed(self._pose, shadows=True)
        mesh = {"rough_faces": b"", "rough_left_count": 0, **figure.message()}
        self._outbox.offer(**state, **mesh, joint_names=figure.joint_names, figure=self.figure + 1)

    def _shade(self) -> None:
        """Bring the soft shadows up to date, and send them if the pose is still the same."""
        with self._lock:
            figure, vertices = self._figure, self._vertices
        sky = figure.open_sky(vertices)  # no pose has to wait for it
        with self._lock:
            self._shading.stop()
            if figure is self._figure:
                self._sky = sky
            if vertices is self._vertices:
                self._outbox.offer(positions=hand_picture.packed(vertices, sky))
            else:
                self._shading.set(_SHADOWS)

    def _take(self, state: Mapping[str, Any]) -> None:
        with self.hold_sync():
            for name, value in state.items():
                setattr(self, name, value)
            self.version += "joints" in state  # positions alone are the same pose with its own shadows

    def _posed(self, pose: np.ndarray, *, shadows: bool = False) -> dict[str, Any]:
        """What the page needs of a pose to show; its own soft shadows only if asked for."""
        vertices, joints = self._figure.posed(pose)
        self._vertices = vertices
        if shadows:
            self._sky = self._figure.open_sky(vertices)
        state: dict[str, Any] = {
            "positions": hand_picture.packed(vertices, self._sky),
            "joints": joints.astype("<f4").tobytes(),
        }
        if self._compared is not None:
            state |= self._coloured(self._compared.colouring(vertices))
        return state

    def _ghosted(self, pose: np.ndarray | None) -> dict[str, Any]:
        if pose is None:
            return {"ghost_positions": b""}
        vertices, _ = self._figure.posed(pose)
        return {"ghost_positions": hand_picture.packed(vertices, np.ones(len(vertices), np.float32))}  # it has no light

    def _coloured(self, colouring: Colouring | None) -> dict[str, Any]:
        self._colouring = colouring
        if colouring is None:
            return {"shares": b"", "legend": {}}
        return {"shares": colouring.shares.astype("<f4").tobytes(), "legend": colouring.legend}
