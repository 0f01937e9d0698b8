"""What every widget of live hands has: the mesh it sends once, a thread for slow work, a still, and an end."""

from __future__ import annotations

import base64
import threading
from typing import Any

import anywidget
import traitlets

from data_tools.hand_model import HandModel
from handprior_viz.cell_runs import forget, replace_earlier
from handprior_viz.pacing import LatestWins
from handprior_viz.pictures.lighting import LOOK
from handprior_viz.render import Renderer, caption_of


class LiveHands(anywidget.AnyWidget):
    """Hands that the browser draws. A subclass has a script that goes behind :data:`.hand_picture.SCRIPT`.

    A cell that is run again closes those of the same kind that it made before.

    Attributes:
        caption: Below the hands; starts with what the hand model asks for.
        version: Counts what was shown; the page tells which one it has drawn.
        model: The hand model.
    """

    caption = traitlets.Unicode().tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)
    look = traitlets.Dict().tag(sync=True)
    stage = traitlets.Dict().tag(sync=True)
    faces = traitlets.Bytes().tag(sync=True)
    left_count = traitlets.Int().tag(sync=True)
    nails = traitlets.Bytes().tag(sync=True)
    indptr = traitlets.Bytes().tag(sync=True)
    indices = traitlets.Bytes().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)

    _work: LatestWins[Any] | None = None  # a subclass may have a thread for what takes long

    def __init__(self, renderer: Renderer, *, synthetic: bool, **traits: Any) -> None:
        """Set up the widget.

        Args:
            renderer: Of the stills; its parts are what the page needs, too.
            synthetic: Say in the caption that the data is synthetic.
            **traits: Of the subclass, and the mesh's.
        """
        self._renderer = renderer
        super().__init__(caption=caption_of(self.model, synthetic=synthetic), look=LOOK.as_message(), **traits)
        if threading.current_thread() is threading.main_thread():  # what a panel's thread makes, the panel ends
            replace_earlier(self)

    @property
    def model(self) -> HandModel:
        """The hand model."""
        return self._renderer.model

    def picture(self) -> bytes:
        """Return a still of what is shown as PNG; nothing where nothing is."""
        raise NotImplementedError

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until what was asked for last is on its way to the page; False if that takes over ``timeout`` s."""
        return self._work is None or self._work.settle(timeout)

    def close(self) -> None:
        """Take the hands away and free everything they hold, here and in the page."""
        if self._work is not None:
            self._work.close()
        forget(self)
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Add a still to what the notebook saves, so that it shows something where no kernel runs."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        still = self.picture()
        if data is not None and still:
            data["image/png"] = base64.b64encode(still).decode()
        return bundle
