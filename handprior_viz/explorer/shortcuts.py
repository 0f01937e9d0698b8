"""Undo and redo by keyboard, wherever in a panel the keyboard is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget


class Shortcuts(anywidget.AnyWidget):
    """Listens for Ctrl+Z and Ctrl+Shift+Z in the panel that it is put into; shows nothing.

    Args:
        on_undo: Called for Ctrl+Z (Cmd+Z).
        on_redo: Called for Ctrl+Shift+Z, and Ctrl+Y.
    """

    _esm = Path(__file__).with_name("shortcuts.js").read_text(encoding="utf-8")

    def __init__(self, *, on_undo: Callable[[], object], on_redo: Callable[[], object]) -> None:
        super().__init__()
        self._calls = {"undo": on_undo, "redo": on_redo}
        self.on_msg(self._hear)

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        call = self._calls.get(str(content.get("key"))) if isinstance(content, dict) else None
        if call is not None:
            call()
