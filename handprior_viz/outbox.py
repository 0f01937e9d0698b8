"""What a widget sends its page, at a pace: of what comes faster only the newest goes out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any


class Outbox:
    """Hands on new values of traits at once, or when the shortest interval since the last time is over.

    Safe to use from any thread.

    Args:
        send: Takes the newest value of every trait that was offered since the last time.
        interval: Shortest time between two calls of it, seconds.
        lock: Re-entrant; held while sending. The owner's own, or two threads could wait for each other.
    """

    def __init__(
        self, send: Callable[[Mapping[str, Any]], object], interval: float, lock: AbstractContextManager[Any]
    ) -> None:
        self.interval = interval
        self._send = send
        self._lock = lock
        self._newest: dict[str, Any] = {}
        self._sent_at = -interval
        self._timer: threading.Timer | None = None

    def offer(self, **traits: Any) -> None:
        """Send these soon; other values offered before that take their place."""
        with self._lock:
            self._newest |= traits
            if self._timer is not None:
                return
            wait = self._sent_at + self.interval - time.monotonic()
            if wait <= 0:
                self.flush()
            else:
                self._timer = later(wait, self.flush)

    def flush(self) -> None:
        """Send now what waits."""
        with self._lock:
            self._stop()
            newest, self._newest = self._newest, {}
            if newest:
                self._sent_at = time.monotonic()
                self._send(newest)

    def close(self) -> None:
        """Forget what waits."""
        with self._lock:
            self._stop()
            self._newest = {}

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def later(seconds: float, act: Callable[[], object]) -> threading.Timer:
    """Call ``act()`` on a thread of its own after some seconds, unless the timer is cancelled."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer
