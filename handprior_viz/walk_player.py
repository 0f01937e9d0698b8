"""Plays a walk back and forth."""

from __future__ import annotations

from collections.abc import Callable

from handprior_viz.play_clock import PlayClock

PICTURES_PER_SECOND = 30
WALK_SECONDS = 3.0


class Player:
    """Calls ``walk(position)`` from 0 to 1 and back until paused.

    Args:
        walk: Called with a position, 0 to 1; playing ends when it returns False.
        on_playing: Called with whether it plays, when that changes.
    """

    def __init__(self, walk: Callable[[float], bool], on_playing: Callable[[bool], object]) -> None:
        self._clock = PlayClock(
            lambda: walk(back_and_forth(self._clock.at)), on_playing, a_second=PICTURES_PER_SECOND, name="walk-play"
        )

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._clock.playing

    def play(self, start: float = 0.0) -> None:
        """Begin at ``start``, on the way to 1; nothing if it plays already."""
        self._clock.play(WALK_SECONDS * start)

    def close(self) -> None:
        """Pause; it may play again."""
        self._clock.close()


def back_and_forth(seconds: float) -> float:
    """Where a walk stands, 0 to 1, so long after it began: at its end after :data:`WALK_SECONDS`, and back again."""
    phase = seconds / WALK_SECONDS % 2
    return phase if phase <= 1 else 2 - phase
