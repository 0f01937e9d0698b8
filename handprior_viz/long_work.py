"""Long work behind a panel: on a thread of its own, with progress, time left, and a button that cancels it."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from html import escape
from typing import Any

from handprior_viz.live_markup import LiveMarkup
from handprior_viz.number_words import duration
from handprior_viz.pacing import ends_with_python

SHOWN_EVERY = 0.2
"""Seconds between two looks at the progress, at least."""


class Cancelled(Exception):
    """The work was cancelled; raised inside it wherever it says how far it is."""


class Report:
    """What work says how far it is through: call it as any ``progress`` of this project.

    Args:
        show: Called with markup, now and then.
    """

    def __init__(self, show: Callable[[str], object]) -> None:
        self._show = show
        self._cancelled = threading.Event()
        self._words = ""
        self._began = self._shown = 0.0

    def stage(self, words: str) -> None:
        """Say what is done next.

        Raises:
            Cancelled: It shall not be done.
        """
        self.check()
        self._words, self._began, self._shown = words, time.monotonic(), 0.0
        self._show(progress_markup(words))

    def __call__(self, done: int, total: int, item: str) -> None:
        """Say how much of the stage is done.

        Raises:
            Cancelled: The rest shall not be done.
        """
        self.check()
        now = time.monotonic()
        if now - self._shown >= SHOWN_EVERY:
            self._shown = now
            self._show(progress_markup(self._words, done, total, item, now - self._began))

    @property
    def cancelled(self) -> bool:
        """Whether the work shall end at the next look."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise :class:`Cancelled` if it was."""
        if self.cancelled:
            raise Cancelled

    def cancel(self) -> None:
        """Let the work end at the next look."""
        self._cancelled.set()


class LongWork:
    """One work at a time.

    Args:
        on_error: Called with an exception of the work, on its thread.

    Attributes:
        widget: Progress and the cancel button while there is work; nothing otherwise.
    """

    def __init__(self, on_error: Callable[[Exception], object]) -> None:
        self.widget = LiveMarkup(on_event=self._on_event)
        self._on_error = on_error
        self._thread: threading.Thread | None = None
        self._report: Report | None = None
        self._turn = threading.Lock()  # the work's thread and whoever cancels show things
        self._working = self._closed = False
        ends_with_python(self)

    @property
    def running(self) -> bool:
        """Whether there is work."""
        return self._thread is not None and self._thread.is_alive()

    def start(
        self, words: str, work: Callable[[Report], Any], *, on_end: Callable[[bool], object] | None = None
    ) -> None:
        """Begin; returns at once.

        Args:
            words: What is done first.
            work: Does it; what it raises goes to ``on_error``.
            on_end: Called on the work's thread when it is over, with whether it was cancelled.

        Raises:
            RuntimeError: Other work goes on, or the panel is closed.
        """
        if self.running or self._closed:
            raise RuntimeError("this panel is busy: wait for the work that goes on, or cancel it")
        self._report = report = Report(self._show_progress)
        self._working = True
        context = contextvars.copy_context()  # ipykernel finds a message's parent through it
        self._thread = threading.Thread(
            target=context.run, args=(self._run, words, work, report, on_end), name="long-work", daemon=True
        )
        self._thread.start()

    def cancel(self) -> None:
        """Let the work end soon."""
        with self._turn:
            if self._report is not None and self._working:
                self._report.cancel()
                self._show('<div class="hp-work"><span>Cancelling\N{HORIZONTAL ELLIPSIS}</span></div>')

    def settle(self, timeout: float | None = None) -> bool:
        """Wait for the end of the work; False if that takes longer than ``timeout`` s."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self.running

    def close(self, timeout: float = 5.0) -> None:
        """Cancel, and wait for the end at most ``timeout`` s."""
        self._closed = True
        if self._report is not None:
            self._report.cancel()
        self.settle(timeout)

    def _run(
        self, words: str, work: Callable[[Report], Any], report: Report, on_end: Callable[[bool], object] | None
    ) -> None:
        cancelled = False
        try:
            report.stage(words)
            work(report)
        except Cancelled:
            cancelled = True
        except Exception as error:
            if not self._closed:
                self._on_error(error)
        finally:
            with self._turn:
                self._working = False
                self._show("")
            if on_end is not None and not self._closed:
                on_end(cancelled)

    def _show_progress(self, markup: str) -> None:
        with self._turn:
            if self._report is not None and not self._report.cancelled:
                self._show(markup)

    def _show(self, markup: str) -> None:
        if not self._closed:
            self.widget.markup = markup

    def _on_event(self, event: str, target: str, value: Any) -> None:
        if event == "cancel":
            self.cancel()


def progress_markup(words: str, done: int = 0, total: int = 0, item: str = "", seconds: float = 0.0) -> str:
    """How far work is: a bar, the share, the time that is left, and a button that cancels it.

    Args:
        words: What is being done.
        done: Parts that are done.
        total: Of so many; 0 if nobody knows.
        item: What was done last.
        seconds: Since it began.
    """
    share = min(done / total, 1.0) if total else 0.0
    left = f", about {duration(seconds * (1 - share) / share)} left" if 0 < share < 1 and seconds >= 1 else ""
    said = f"{100 * share:.0f} %{left}" if total else ""
    return (
        f'<div class="hp-work" role="status"><span>{escape(words)}</span><span class="hp-progress" role="progressbar" '
        f'aria-valuenow="{100 * share:.0f}" aria-valuemin="0" aria-valuemax="100" aria-label="{escape(words)}">'
        f'<i style="width:{100 * share:.1f}%"></i></span><span class="hp-number">{said}</span>'
        f'<span class="hp-muted hp-work-item" title="{escape(item)}">{escape(item)}</span>'
        '<button data-event="cancel" title="End it soon; nothing half done is left behind">Cancel</button></div>'
    )
