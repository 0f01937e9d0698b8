"""A clock to play by: what is shown at which second, in the background, and whether it plays at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from handprior_viz.pacing import Every


class PlayClock:
    """Asks for a picture at a steady pace while it plays; each shows where the clock stands, however late it is drawn.

    Whether it plays and what ``on_playing`` was last told change together: a button never says otherwise, whichever
    threads play and pause at the same time.

    Args:
        step: Called, on a thread of its own, to show what is to be seen at :attr:`at`; playing ends when it returns
            False.
        on_playing: Called with whether it plays, when that changes. It must not wait for ``step``.
        a_second: Pictures a second.
        name: Of the thread.
    """

    def __init__(
        self,
        step: Callable[[], bool],
        on_playing: Callable[[bool], object],
        *,
        a_second: float,
        name: str = "play",
    ) -> None:
        self._step, self._on_playing = step, on_playing
        self._seconds, self._name = 1 / a_second, name
        self._lock = threading.RLock()
        self._pace: Every | None = None
        self._at, self._since = 0.0, 0.0  # where it stood last, and when that was

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        with self._lock:
            return self._pace is not None

    @property
    def at(self) -> float:
        """Where it stands, seconds."""
        with self._lock:
            return self._at if self._pace is None else self._at + time.monotonic() - self._since

    def play(self, at: float) -> None:
        """Play on from a second; nothing if it plays already."""
        with self._lock:  # the first step waits until its pace is known
            if self._pace is None:
                self.seek(at)
                self._pace = Every(self._seconds, self._tick, name=self._name)
                self._on_playing(True)

    def seek(self, at: float) -> None:
        """Stand at a second; if it plays, it goes on from there."""
        with self._lock:
            self._at, self._since = at, time.monotonic()

    def close(self) -> None:
        """Pause, and wait for a step under way; it may play again."""
        with self._lock:
            pace = self._pace
            self._stand(pace)
        if pace is not None:
            pace.close()

    def _tick(self) -> bool:
        with self._lock:
            pace = self._pace
        if pace is None:
            return False
        if self._step():
            return True
        self._stand(pace)
        return False

    def _stand(self, pace: Every | None) -> None:
        """It plays no longer by this pace; if somebody began anew meanwhile, that goes on."""
        with self._lock:
            if pace is not None and self._pace is pace:
                self._at = self.at
                self._pace = None
                self._on_playing(False)
