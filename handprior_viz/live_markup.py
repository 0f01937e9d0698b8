"""HTML and SVG that pure functions write, shown in a notebook and kept up to date in place.

The browser changes only what differs from before, so a table of fifty rows follows a slider without flicker, keeps
its scroll position and focus, and flashes numbers that changed once. Plots drawn this way weigh a few kilobytes and
follow JupyterLab's light and dark themes; a plotly FigureWidget sends its five megabytes of JavaScript with every
figure, and once more into the saved notebook.

Markup may use:

- ``data-key``: identity of a row that may move or vanish;
- ``data-flash``: flash when the text inside changes;
- ``data-event`` (with ``data-target``) on buttons, selects and inputs: calls ``on_event``; a search
  field as it is typed;
- ``data-text`` and CSS variables: what :meth:`LiveMarkup.mark` changes without sending the markup again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from handprior_viz import style

_HERE = Path(__file__).parent

Event = Callable[[str, str, Any], object]
"""Called with the event's name, its target, and the element's value."""

PANEL_CSS = style.CSS + (_HERE / "panel.css").read_text(encoding="utf-8")


class LiveMarkup(anywidget.AnyWidget):
    """Markup in a notebook; set ``markup`` to change it.

    Args:
        markup: HTML. Escape what users named: :func:`html.escape`.
        on_event: Called when a person uses an element that carries ``data-event``.
    """

    _esm = (_HERE / "live_markup.js").read_text(encoding="utf-8")  # of a path anywidget would keep every widget alive
    _css = PANEL_CSS

    markup = traitlets.Unicode("").tag(sync=True)
    marks = traitlets.Dict().tag(sync=True)

    def __init__(self, markup: str = "", *, on_event: Event | None = None, **traits: Any) -> None:
        super().__init__(markup=markup, **traits)
        self._on_event = on_event
        self.on_msg(self._hear)

    def mark(self, variables: Mapping[str, str], texts: Mapping[str, str] | None = None) -> None:
        """Change CSS variables (``--name``) and the text of ``data-text`` elements: a few bytes, for every move.

        Replaces what was marked before.
        """
        self.marks = {"variables": dict(variables), "texts": dict(texts or {})}

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        if self._on_event is not None and isinstance(content, dict) and "event" in content:
            self._on_event(str(content["event"]), str(content.get("target", "")), content.get("value"))
