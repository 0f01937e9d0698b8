"""A strip of tabs over parts of which one is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

import ipywidgets as W

from handprior_viz.live_markup import LiveMarkup
from handprior_viz.panel import column


class Tabs:
    """Parts that take turns in one place. All stay alive: what was typed, scrolled or drawn in them is kept.

    Args:
        parts: What to show under each name; the first is open.
        on_open: Called with the name of a tab that was opened.

    Attributes:
        widget: What to show.
        chosen: Name of the open tab.
    """

    def __init__(self, parts: Mapping[str, W.Widget], *, on_open: Callable[[str], object] | None = None) -> None:
        self._parts = {name: column(part, classes=["hp-explorer-tab"]) for name, part in parts.items()}
        self._on_open = on_open or (lambda _: None)
        self._strip = LiveMarkup(on_event=lambda _, name, __: self.open(name))
        self.chosen = next(iter(self._parts))
        self.widget = column(self._strip, *self._parts.values(), classes=["hp-explorer-tabs"])
        self._show()

    def open(self, name: str) -> None:
        """Show a part.

        Raises:
            ValueError: No such part.
        """
        if name not in self._parts:
            raise ValueError(f"no tab {name!r}: there are {', '.join(self._parts)}")
        if name == self.chosen:
            return
        self.chosen = name
        self._show()
        self._on_open(name)

    def _show(self) -> None:
        for name, part in self._parts.items():
            part.layout.display = None if name == self.chosen else "none"
        buttons = (
            f'<button role="tab" data-event="tab" data-target="{escape(name)}" data-key="{escape(name)}" '
            f'aria-selected="{str(name == self.chosen).lower()}">{escape(name)}</button>'
            for name in self._parts
        )
        self._strip.markup = f'<div class="hp-explorer-strip" role="tablist">{"".join(buttons)}</div>'
