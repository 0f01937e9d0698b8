"""A strip of tabs over parts of which one is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ipywidgets as W

from handprior_viz.panel import column, row
from handprior_viz.tab_strip import TabStrip


class Tabs:
    """Parts that take turns in one place. All stay alive: what was typed, scrolled or drawn in them is kept.

    Args:
        parts: What to show under each name, and what to say of it on hover; the first is open.
        on_open: Called with the name of a tab that was opened.

    Attributes:
        widget: What to show.
        strip: The tabs.
    """

    def __init__(
        self, parts: Mapping[str, tuple[W.Widget, str]], *, on_open: Callable[[str], object] = lambda _: None
    ) -> None:
        self._parts = {name: column(part) for name, (part, _) in parts.items()}
        self._on_open = on_open
        self.strip = TabStrip({name: (name, title) for name, (_, title) in parts.items()}, on_open=self._opened)
        self.widget = column(row(self.strip, classes=["hp-tabbed"]), *self._parts.values())
        self._show()

    @property
    def chosen(self) -> str:
        """Name of the open tab."""
        return str(self.strip.chosen)

    def open(self, name: str) -> None:
        """Show a part.

        Raises:
            ValueError: No such part.
        """
        if name not in self._parts:
            raise ValueError(f"no tab {name!r}: there are {', '.join(self._parts)}")
        if name != self.chosen:
            self.strip.chosen = name
            self._opened(name)

    def _opened(self, name: str) -> None:
        self._show()
        self._on_open(name)

    def _show(self) -> None:
        for name, part in self._parts.items():
            part.layout.display = None if name == self.chosen else "none"
