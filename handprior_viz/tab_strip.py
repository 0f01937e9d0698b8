"""A strip of tabs, by pointer and by keyboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from handprior_viz.live_markup import PANEL_CSS


class TabStrip(anywidget.AnyWidget):
    """The tabs alone; whoever makes them shows what belongs to each.

    Args:
        tabs: What is written on each, by key, and what to say of it on hover; the first is open.
        on_open: Called with the key of the tab that a person opened.

    Attributes:
        chosen: Key of the open tab.
    """

    _esm = Path(__file__).with_name("tab_strip.js").read_text(encoding="utf-8")
    _css = PANEL_CSS

    tabs = traitlets.List(traitlets.Dict()).tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)

    def __init__(self, tabs: Mapping[str, tuple[str, str]], *, on_open: Callable[[str], object]) -> None:
        listed = [{"key": key, "label": label, "title": title} for key, (label, title) in tabs.items()]
        super().__init__(tabs=listed, chosen=listed[0]["key"])
        self._on_open = on_open
        self.on_msg(self._hear)

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        key = str(content.get("open")) if isinstance(content, dict) else ""
        if key != self.chosen and any(tab["key"] == key for tab in self.tabs):
            self.chosen = key
            self._on_open(key)
