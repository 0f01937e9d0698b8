"""HandView: the live hands in a notebook, drawn by the browser's graphics card.

    view = HandView()
    view                      # shows it
    view.show(pose)           # (90,) left then right hand, mean included, axis-angle in radians
    view.ghost(other)         # a pose to compare with, see-through; None takes it away

What is drawn is state of the widget, not a message: a page that opens later, or again, sees the newest pose.
"""

from __future__ import annotations

import base64
import io
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from jaxtyping import Float
from PIL import Image

from data_tools.hand_model import HandModel
from handprior_viz.lighting import LOOK
from handprior_viz.render import Renderer, caption_of, render_hands
from handprior_viz.stage import TURNS
from handprior_viz.style import CSS, TOKENS

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

    # One module made of two files: anywidget has no way for one file to import the other.
    _esm = (_FOLDER / "hand_picture.js").read_text() + (_FOLDER / "hand_view.js").read_text()
    _css = CSS + (_FOLDER / "hand_view.css").read_text()

    caption = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(420).tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)
    positions = traitlets.Bytes().tag(sync=True)
    ghost_positions = traitlets.Bytes().tag(sync=True)
    # Never change after the start.
    look = traitlets.Dict().tag(sync=True)
    stage = traitlets.Dict().tag(sync=True)
    faces = traitlets.Bytes().tag(sync=True)
    left_count = traitlets.Int().tag(sync=True)
    nails = traitlets.Bytes().tag(sync=True)
    indptr = traitlets.Bytes().tag(sync=True)
    indices = traitlets.Bytes().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)

    def __init__(self, model: HandModel | None = None, *, height: int = 420, synthetic: bool = False) -> None:
        """Set up the view with the model's mean hands.

        Args:
            model: Default: the user's licensed model if there is one, else the open hand.
            height: CSS pixels.
            synthetic: Say in the caption that the data is synthetic.
        """
        # The rasteriser's parts are what the page needs, and it draws the picture for saved notebooks.
        self._renderer = Renderer(model, platform=None)
        self.model = self._renderer.model
        self._lock = threading.RLock()
        self._newest: dict[str, bytes] = {}
        self._sent_at = 0.0
        self._timer: threading.Timer | None = None
        self._pose = self.model.hands_mean
        super().__init__(
            caption=caption_of(self.model, synthetic=synthetic),
            height=height,
            look=LOOK.as_message(),
            stage=self._stage_message(),
            positions=self._packed(self._pose),
            **self._topology(),
        )

    def show(self, pose: Float[np.ndarray, "90"]) -> None:
        """Show a pose.

        Args:
            pose: Left then right hand, mean included, axis-angle in radians.

        Raises:
            ValueError: Wrong shape or NaN.
        """
        packed = self._packed(pose)
        self._pose = np.array(pose, np.float32)
        self._offer(positions=packed)

    def ghost(self, pose: Float[np.ndarray, "90"] | None) -> None:
        """Show a second pose see-through in the accent colour, or take it away with None.

        Raises:
            ValueError: Wrong shape or NaN.
        """
        self._offer(ghost_positions=b"" if pose is None else self._packed(pose))

    def picture(self, size: tuple[int, int] = (720, 420)) -> bytes:
        """Return a still of the shown pose as PNG, for places where the live view cannot be."""
        image = render_hands(self._pose, size=size, caption=self.caption, renderer=self._renderer)
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        return file.getvalue()

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

    def _offer(self, **state: bytes) -> None:
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

    def _packed(self, pose: Float[np.ndarray, "90"]) -> bytes:
        """Four float32 for each coarse vertex: x, y, z in metres, and how much of its surroundings it sees."""
        vertices = self._renderer.vertices(pose)
        return np.column_stack([vertices, self._renderer.occlusion.pose(vertices)]).astype("<f4").tobytes()

    def _stage_message(self) -> dict[str, Any]:
        stage = self._renderer.stage
        colours = {"accent": TOKENS.accent, "ghost_opacity": TOKENS.ghost_opacity}
        return {**asdict(stage), "field_of_view": stage.field_of_view, "turns": TURNS, **colours}

    def _topology(self) -> dict[str, Any]:
        mesh = self._renderer.mesh
        right = (mesh.subdivision @ self.model.side.astype(np.float32))[mesh.faces[:, 0]] > 0.5
        faces = np.concatenate([mesh.faces[~right], mesh.faces[right]])  # each hand is drawn by itself
        return {
            "faces": faces.astype("<u4").tobytes(),
            "left_count": int(3 * (~right).sum()),
            "nails": mesh.nail.astype("<f4").tobytes(),
            "indptr": mesh.subdivision.indptr.astype("<u4").tobytes(),
            "indices": mesh.subdivision.indices.astype("<u4").tobytes(),
            "weights": mesh.subdivision.data.astype("<f4").tobytes(),
        }
