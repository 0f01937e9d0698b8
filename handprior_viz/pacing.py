"""Pacing: do the newest thing, not every thing, and never on the thread that talks to the browser.

A slider that is dragged produces values faster than hands can be drawn. :class:`LatestWins` keeps the newest value
only and works on a thread of its own, so that callbacks return at once and nothing queues. :class:`Every` calls a
function at a steady pace until it is closed. Both end their thread when closed and survive an error in the work.
"""

from __future__ import annotations

import atexit
import contextvars
import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")

logger = logging.getLogger(__name__)


class Worker(Protocol):
    """Something with a thread that :meth:`close` ends."""

    def close(self, timeout: float = ...) -> None:
        """End the thread; wait for it at most ``timeout`` s."""


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()
_LAST_WAIT = 2.0


def ends_with_python(worker: Worker) -> None:
    """Close a worker before Python ends: a thread that is inside torch by then would abort the whole process."""
    _workers.add(worker)


@atexit.register
def _end_all() -> None:
    for worker in list(_workers):
        worker.close(_LAST_WAIT)


class LatestWins(Generic[Item]):
    """Runs ``work(newest item)`` on one thread; an item that is overtaken before its turn is dropped.

    The last item submitted is always worked on. An exception goes to ``on_error`` (by default to the log), and the
    next item is worked on as if nothing had happened.

    Args:
        work: What to do with an item. Called on this object's thread, one call at a time.
        on_error: What to do with an exception of ``work``; called on the same thread.
        name: Of the thread.
    """

    def __init__(
        self,
        work: Callable[[Item], object],
        *,
        on_error: Callable[[Exception], object] | None = None,
        name: str = "latest-wins",
    ) -> None:
        self._work = work
        self._on_error = on_error or _log_error
        self._changed = threading.Condition()
        self._pending: list[Item] = []  # empty, or the one newest item
        self._busy = False
        self._closed = False
        # The thread keeps the context it was made in: ipykernel finds a message's parent through it.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name=name, daemon=True)
        self._thread.start()
        ends_with_python(self)

    def submit(self, item: Item) -> None:
        """Ask for ``work(item)`` soon, in place of any item that still waits. Returns at once."""
        with self._changed:
            if not self._closed:
                self._pending = [item]
                self._changed.notify_all()

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits and nothing is being worked on; False if that took longer than ``timeout`` s."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending and not self._busy, timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Drop what waits, let the present call finish (at most ``timeout`` s) and end the thread."""
        with self._changed:
            self._closed, self._pending = True, []
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._pending or self._closed)
                if self._closed:
                    return
                item, self._busy = self._pending.pop(), True
            try:
                self._work(item)
            except Exception as error:
                self._on_error(error)


class Every:
    """Calls ``work()`` each ``seconds`` on a thread of its own until closed, or until ``work`` returns False.

    A call that takes longer than the pace delays the next one; missed calls are not caught up.

    Args:
        seconds: From the start of one call to the start of the next.
        work: What to call.
        name: Of the thread.
    """

    def __init__(self, seconds: float, work: Callable[[], object], *, name: str = "every") -> None:
        if seconds <= 0:
            raise ValueError(f"seconds between two calls must be above 0, got {seconds}")
        self._seconds = seconds
        self._work = work
        self._ended = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name=name, daemon=True)
        self._thread.start()
        ends_with_python(self)

    @property
    def running(self) -> bool:
        """Whether there will be another call."""
        return not self._ended.is_set()

    def close(self, timeout: float = 5.0) -> None:
        """End the thread; waits for a call under way (at most ``timeout`` s)."""
        self._ended.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                if self._work() is False:
                    self._ended.set()
            except Exception as error:
                _log_error(error)
            self._ended.wait(max(0.0, self._seconds - (time.monotonic() - began)))


def _log_error(error: Exception) -> None:
    logger.error("background work failed: %s", error, exc_info=error)
