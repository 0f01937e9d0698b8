"""Plays a walk back and forth."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from handprior_viz.pacing import Every

PICTURES_PER_SECOND = 30
WALK_SECONDS = 3.0


class Player:
    """Calls ``walk(position)`` from 0 to 1 and back until paused.

    Args:
        walk: Called with a position, 0 to 1; playing ends when it returns False.
        on_playing: Called with whether it plays, when that changes.
    """

    def __init__(self, walk: Callable[[float], bool], on_playing: Callable[[bool], object]) -> None:
        self._walk, self._on_playing = walk, on_playing
        self._lock = threading.RLock()
        self._pace: Every | None = None

    @property
    def playing(self) -> bool:
        return self._pace is not None

    def play(self, start: float = 0.0) -> None:
        """Begin at ``start``; nothing if it plays already."""
        with self._lock:  # the first call waits until its pace is known
            if self._pace is None:
                began = time.monotonic() - WALK_SECONDS * start
                self._pace = Every(1 / PICTURES_PER_SECOND, lambda: self._on(began), name="walk-play")
        self._on_playing(True)

    def close(self) -> None:
        """Pause; it may play again."""
        with self._lock:
            pace, self._pace = self._pace, None
        if pace is not None:
            pace.close()
        self._on_playing(False)

    def _on(self, began: float) -> bool:
        phase = (time.monotonic() - began) / WALK_SECONDS % 2
        with self._lock:
            if self._pace is None:
                return False
        if not self._walk(phase if phase <= 1 else 2 - phase):
            self.close()
            return False
        return True
