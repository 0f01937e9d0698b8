"""What every panel shares: a frame in the project's style, one line for errors, and an end that leaves nothing behind.

Running a notebook cell again replaces what it showed, but nobody tells Python: the widgets of the first run would live
on, with their threads. A panel therefore closes the panels that an earlier run of the same cell made.
"""

from __future__ import annotations

import ctypes
import html
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import ipywidgets as W
import traitlets

from handprior_viz.cell_runs import Closable, forget, replace_earlier
from handprior_viz.live_markup import LiveMarkup

EXPECTED = (ValueError, OSError, RuntimeError, ArithmeticError)
"""Errors that are told in the panel, in one line; anything else is a defect and is raised."""


class Panel(W.VBox):
    """A framed column of widgets.

    Subclasses fill ``self.children`` through :meth:`arrange`, hand threads and the like to :meth:`ends_with`, and do
    what may fail inside ``with self.telling():``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.add_class("handprior")
        self.add_class("hp-panel")
        self.layout.width = "100%"
        self.layout.overflow = "hidden"
        self._said = LiveMarkup()
        self._ends: list[Closable] = []
        self._lock = threading.RLock()
        replace_earlier(self)

    @property
    def closed(self) -> bool:
        """Whether the panel was closed, by hand or because its cell ran again."""
        return self.comm is None

    def arrange(self, *parts: W.Widget) -> None:
        """Show these widgets one under the other, with the line for errors last."""
        self.children = (*parts, self._said)

    def ends_with(self, *closables: Closable) -> None:
        """Close these when the panel is closed."""
        self._ends.extend(closables)

    def say(self, text: str = "", kind: str = "said") -> None:
        """Show one line at the bottom; nothing takes it away.

        Args:
            text: Plain text.
            kind: ``said``, ``warning`` or ``error``.
        """
        alert = ' role="alert"' if kind == "error" else ""
        self._said.markup = f'<p class="hp-{kind}"{alert}>{html.escape(text)}</p>' if text else ""

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Turn an expected error into one line in the panel."""
        try:
            yield
        except EXPECTED as error:
            self.tell(error)

    def tell(self, error: BaseException) -> None:
        """Show an error as one line; one that is not expected is shown with its type, and raised."""
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, EXPECTED):
            self.say(text, "error")
        else:
            self.say(f"{type(error).__name__}: {text}", "error")
            raise error

    def close(self) -> None:
        """Take the panel away: threads end, and no widget of it stays in memory on either side."""
        if self.closed:
            return
        family = _family(self)  # before any of them is closed and forgets its parts
        for closable in reversed(self._ends):
            closable.close()
        self._ends.clear()
        forget(self)
        for widget in family:
            if widget is not self:
                widget.close()
        super().close()
        _give_back_memory()


def row(*parts: W.Widget, classes: Iterable[str] = ()) -> W.HBox:
    """Widgets side by side, wrapping where the page is narrow."""
    return _boxed(W.HBox(parts), ("hp-row", *classes))


def column(*parts: W.Widget, classes: Iterable[str] = ()) -> W.VBox:
    """Widgets one under the other."""
    return _boxed(W.VBox(parts), ("hp-column", *classes))


def _boxed(box: Any, classes: Iterable[str]) -> Any:
    for name in classes:
        box.add_class(name)
    return box


def button(label: str, title: str, on_click: Callable[[], object], *, main: bool = False, icon: str = "") -> W.Button:
    """A button that calls ``on_click()``; ``title`` is its tooltip."""
    made = W.Button(description=label, tooltip=title, icon=icon, layout={"width": "auto"})
    if main:
        made.add_class("hp-main")
    made.on_click(lambda _: on_click())
    return made


def set_enabled(widget: Any, enabled: bool, title: str, why_not: str) -> None:
    """Enable a control, or disable it and say why in its tooltip; sends nothing when nothing changes."""
    tooltip = title if enabled else why_not
    if widget.disabled == enabled:
        widget.disabled = not enabled
    if widget.tooltip != tooltip:
        widget.tooltip = tooltip


def short_path(path: Path | str) -> str:
    """A path as a person would type it here: relative where it lies below the working folder."""
    path = Path(path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _family(widget: W.Widget) -> list[W.Widget]:
    """The widget and every widget that its traits lead to: children, layouts, styles."""
    found: dict[str, W.Widget] = {}
    waiting: list[Any] = [widget]
    while waiting:
        item = waiting.pop()
        if isinstance(item, W.Widget):
            if item.comm is None or item.model_id in found:
                continue
            found[item.model_id] = item
            waiting.extend(_held(item))
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
    return list(found.values())


_HOLDERS = (traitlets.Instance, traitlets.List, traitlets.Tuple, traitlets.Dict, traitlets.Union)


def _held(widget: W.Widget) -> Iterator[Any]:
    for name, trait in widget.traits(sync=True).items():
        if isinstance(trait, _HOLDERS) and widget.trait_has_value(name):
            yield getattr(widget, name)


def _give_back_memory() -> None:
    """Hand freed memory back to the system: glibc keeps that of threads, a gigabyte after some tens of panels."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's; other systems' C libraries do it by themselves."""
    with suppress(OSError, AttributeError):
        trim = ctypes.CDLL("libc.so.6").malloc_trim
        trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
        return trim  # type: ignore[no-any-return]
    return None
