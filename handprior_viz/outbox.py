"""What a widget sends its page, at a pace: of what comes faster only the newest goes out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

logger = logging.getLogger(__name__)


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
        self._alarm = Alarm(self.flush)

    def offer(self, **traits: Any) -> None:
        """Send these soon; other values offered before that take their place."""
        with self._lock:
            self._newest |= traits
            if self._alarm.is_set:
                return
            wait = self._sent_at + self.interval - time.monotonic()
            if wait <= 0:
                self.flush()
            else:
                self._alarm.set(wait)

    def flush(self) -> None:
        """Send now what waits."""
        with self._lock:
            self._alarm.stop()
            newest, self._newest = self._newest, {}
            if newest and not self._alarm.closed:
                self._sent_at = time.monotonic()
                self._send(newest)

    def close(self) -> None:
        """Forget what waits, and send nothing from now on."""
        with self._lock:
            self._alarm.close()
            self._newest = {}


class Alarm:
    """Calls ``act()`` on a thread of its own some time after it was set; once closed, never again.

    Whoever shares it between threads holds a lock of their own. ``act`` stops it, or it counts as set for ever. The
    thread stays while it is set again and again (in ipykernel each thread that sends opens a socket), and ends after a
    rest.
    """

    REST = 5.0
    """Seconds after which a thread that is not needed ends."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._changed = threading.Condition()
        self._due: float | None = None
        self._awaited = False
        self._thread: threading.Thread | None = None
        self.closed = False

    @property
    def is_set(self) -> bool:
        """Whether a call is to come, or under way and not stopped yet."""
        return self._awaited

    def set(self, seconds: float) -> None:
        """Call after this many seconds, unless a call is to come anyway."""
        with self._changed:
            if self._awaited or self.closed:
                return
            self._awaited, self._due = True, time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Take back a call that is still to come."""
        with self._changed:
            self._awaited, self._due = False, None
            self._changed.notify_all()

    def close(self) -> None:
        """Take it back, and set it never again."""
        with self._changed:
            self.closed = True
            self.stop()

    def _run(self) -> None:
        while self._comes():
            try:
                self._act()
            except Exception as error:
                logger.error("background work failed: %s", error, exc_info=error)

    def _comes(self) -> bool:
        """Wait for the time of the next call; False when this thread is to end."""
        with self._changed:
            rest = time.monotonic() + self.REST
            while not self.closed:
                until, now = rest if self._due is None else self._due, time.monotonic()
                if until > now:
                    self._changed.wait(until - now)
                elif self._due is None:
                    break
                else:
                    self._due = None
                    return True
            self._thread = None
            return False
