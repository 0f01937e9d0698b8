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

import base64
import threading
import time
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from jaxtyping import Float

from data_tools.hand_model import HandModel
from handprior_viz import hand_picture
from handprior_viz.live_figure import BodyFigure, Figure, HandsFigure
from handprior_viz.pictures.colour_ramp import Colouring, nice_above
from handprior_viz.pictures.lighting import LOOK
from handprior_viz.render import Renderer, caption_of, still
from handprior_viz.style import CSS

_FOLDER = Path(__file__).parent

# A browser shows at most about this many pictures a second: more would only fill the line to it.
_SHORTEST_INTERVAL = 1 / 60


class HandView(anywidget.AnyWidget):
    """Both hands, live. Drag to turn, wheel to zoom, double-click to reset; arrow keys do the same.

    The last pose wins: however fast poses come, none waits in a queue. Safe to call from any thread.

    Attributes:
        caption: Below the hands, in the corner; starts with what the hand model asks for.
        height: In CSS pixels; the width follows the notebook.
        version: Counts the poses sent; the page shows the one it has drawn as ``data-positions-version``.
    """

    _esm = hand_picture.SCRIPT + (_FOLDER / "hand_view.js").read_text(encoding="utf-8")
    _css = CSS + (_FOLDER / "hand_view.css").read_text(encoding="utf-8")

    caption = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(420).tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)
    positions = traitlets.Bytes().tag(sync=True)
    joints = traitlets.Bytes().tag(sync=True)
    ghost_positions = traitlets.Bytes().tag(sync=True)
    shares = traitlets.Bytes().tag(sync=True)
    legend = traitlets.Dict().tag(sync=True)
    look = traitlets.Dict().tag(sync=True)
    # Change only with the figure that is shown, and then its number does too.
    figure = traitlets.Int(0).tag(sync=True)
    joint_names: traitlets.List[Any] = traitlets.List().tag(sync=True)
    stage = traitlets.Dict().tag(sync=True)
    faces = traitlets.Bytes().tag(sync=True)
    left_count = traitlets.Int().tag(sync=True)
    rough_faces = traitlets.Bytes().tag(sync=True)
    rough_left_count = traitlets.Int().tag(sync=True)
    nails = traitlets.Bytes().tag(sync=True)
    indptr = traitlets.Bytes().tag(sync=True)
    indices = traitlets.Bytes().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)

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
        self._renderer = Renderer(model, platform=None)
        self.model = self._renderer.model
        self._figures: dict[bool, Figure] = {}
        self._figure = self._figure_of(body)
        self._lock = threading.RLock()
        self._newest: dict[str, Any] = {}
        self._sent_at = 0.0
        self._timer: threading.Timer | None = None
        self._pose = self.model.hands_mean
        self._compared: tuple[np.ndarray, float | None, str] | None = None
        self._colouring: Colouring | None = None
        super().__init__(
            caption=caption_of(self.model, synthetic=synthetic),
            height=height,
            look=LOOK.as_message(),
            joint_names=self._figure.joint_names,
            **self._posed(self._pose),
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
            self._offer(**state)

    def ghost(self, pose: Float[np.ndarray, "columns"] | None) -> None:
        """Show a second pose see-through in the accent colour, or take it away with None.

        Raises:
            ValueError: Wrong shape or NaN.
        """
        with self._lock:
            self._offer(**self._ghosted(pose))

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
            self._offer(**self._coloured(colouring))

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
            other = self._figure.posed(np.array(pose, np.float32))[0]
            self._compared = (other, high, label)
            self._offer(**self._posed(self._pose))

    def show_body(self, body: bool = True) -> None:
        """Show the whole body in place of the hands, or the hands again. Ghost and colours are taken away.

        Poses of 90 columns leave the body at rest.

        Raises:
            ValueError: The model has hands only.
        """
        if body == isinstance(self._figure, BodyFigure):
            return
        figure = self._figure_of(body)
        with self._lock:
            self._figure, self._compared = figure, None
            names = {"joint_names": figure.joint_names, "figure": self.figure + 1}
            self._offer(
                **self._coloured(None),
                **self._ghosted(None),
                **self._posed(self._pose),
                **{"rough_faces": b"", "rough_left_count": 0, **figure.message()},
                **names,
            )

    def picture(self, size: tuple[int, int] = (720, 420)) -> bytes:
        """Return a still of the shown pose as PNG, for places where the live view cannot be."""
        with self._lock:
            figure, pose, colouring = self._figure, self._pose, self._colouring
        drawn = figure.draw(pose, size, None if colouring is None else colouring.paint())
        hands = None if isinstance(figure, BodyFigure) else self._renderer.stage
        return hand_picture.as_png(still(drawn, self.caption, stage=hands, colouring=colouring))

    def close(self) -> None:
        """Take the view away and free everything it holds, here and in the page."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._newest = {}
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Add a still to what the notebook saves, so that it shows something where no kernel runs."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["image/png"] = base64.b64encode(self.picture()).decode()
        return bundle

    def _offer(self, **state: Any) -> None:
        """Send at once, or when the shortest interval is over; by then only the newest counts."""
        with self._lock:
            self._newest |= state
            if self._timer is not None:
                return
            wait = self._sent_at + _SHORTEST_INTERVAL - time.monotonic()
            if wait <= 0:
                self._deliver()
                return
            self._timer = threading.Timer(wait, self._deliver)
            self._timer.daemon = True
            self._timer.start()

    def _deliver(self) -> None:
        with self._lock:
            self._timer = None
            state, self._newest = self._newest, {}
            self._sent_at = time.monotonic()
            if not state:
                return
            with self.hold_sync():
                for name, value in state.items():
                    setattr(self, name, value)
                self.version += "positions" in state

    def _figure_of(self, body: bool) -> Figure:
        if body not in self._figures:
            self._figures[body] = BodyFigure(self.model) if body else HandsFigure(self._renderer)
        return self._figures[body]

    def _posed(self, pose: np.ndarray) -> dict[str, Any]:
        """What the page needs of a pose to show."""
        vertices, open_sky, joints = self._figure.posed(pose)
        state: dict[str, Any] = {
            "positions": hand_picture.packed(vertices, open_sky),
            "joints": joints.astype("<f4").tobytes(),
        }
        if self._compared is not None:
            other, high, label = self._compared
            apart = 1000 * np.linalg.norm(vertices - other, axis=1)
            top = nice_above(float(apart.max())) if high is None else high
            state |= self._coloured(Colouring.of(apart, 0.0, top, label, vertices=len(apart)))
        return state

    def _ghosted(self, pose: np.ndarray | None) -> dict[str, Any]:
        return {"ghost_positions": b"" if pose is None else hand_picture.packed(*self._figure.posed(pose)[:2])}

    def _coloured(self, colouring: Colouring | None) -> dict[str, Any]:
        self._colouring = colouring
        if colouring is None:
            return {"shares": b"", "legend": {}}
        return {"shares": colouring.shares.astype("<f4").tobytes(), "legend": colouring.legend}
