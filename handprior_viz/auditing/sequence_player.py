"""A sequence as a person watches it: live hands, play, pause, and a bar to scrub through it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from data_tools.hand_model import HandModel
from handprior_viz.auditing.flagged_sequences import FoundSequence
from handprior_viz.auditing.sequence_clip import Clip, read_clip
from handprior_viz.hand_view import HandView
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import button, column, row
from handprior_viz.play_clock import PlayClock
from handprior_viz.slider_rack import Slider, SliderRack

TICKS = 25
"""Pictures a second while it plays; each shows the frame whose turn it is, however long the last one took."""

_EARLY = 1e-6  # seconds: frame k begins at k / fps as a computer divides


class SequencePlayer:
    """Plays sequences from their files. Reading and drawing happen in the background; the last one opened wins.

    Args:
        root: The data folder.
        hands_mean: The mean hands (90), for hands stored relative to them.
        model: Draws the hands; the user's licensed model if there is one, else the open hand.
        synthetic: Whether the data are made up.
        on_error: Called with an exception of the work in the background.

    Attributes:
        widget: All of it; empty until a sequence is opened.
        clip: What is played; None before the first.
        position: Which of its frames is shown.
    """

    def __init__(
        self,
        root: Path | str,
        hands_mean: Sequence[float] | None = None,
        *,
        model: HandModel | None = None,
        synthetic: bool = False,
        on_error: Callable[[Exception], object] | None = None,
    ) -> None:
        self.root, self._mean, self._model, self._synthetic = root, hands_mean, model, synthetic
        self.clip: Clip | None = None
        self.position = 0
        self._lock = threading.RLock()  # clip, position and clock change together
        self._clock = PlayClock(self._show_next, self._show_playing, a_second=TICKS, name="player-play")
        self._view: HandView | None = None
        self._title, self._now, self._faults = LiveMarkup(), LiveMarkup(), LiveMarkup()
        self._button = button("Play", "Play the sequence at its own speed", self.toggle, main=True, icon="play")
        self._rack = SliderRack([_slider(2)], on_move=lambda _, value, __: self.seek(round(value)))
        bar = column(self._rack, self._faults, classes=["hp-fill", "hp-audit-scrub"])
        self.widget = column(self._title, row(self._button, bar), self._now)
        self.widget.layout.display = "none"  # until there is something to play
        self._reading = LatestWins(self._read, on_error=on_error, name="player-read")
        self._drawing = LatestWins(self._draw, on_error=on_error, name="player-draw")

    @property
    def is_playing(self) -> bool:
        """Whether it plays."""
        return self._clock.playing

    def open(self, found: FoundSequence) -> None:
        """Show a sequence, standing at the frame where its fault begins. Returns at once."""
        self.pause()
        self._title.markup = _title(found, "reading\N{HORIZONTAL ELLIPSIS}")
        self.widget.layout.display = ""
        self._reading.submit(found)

    def toggle(self) -> None:
        """Play, or pause."""
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def play(self) -> None:
        """Play on from the frame that is shown; from the first if it is the last."""
        with self._lock:
            if self.clip is not None:
                at = 0 if self.position >= len(self.clip) - 1 else self.position
                self._clock.play(at / self.clip.fps)

    def pause(self) -> None:
        """Stand still."""
        self._clock.close()

    def seek(self, position: int) -> None:
        """Show another frame of the clip; playing goes on from there."""
        with self._lock:
            if self.clip is None:
                return
            self._stand_at(self.clip, min(max(position, 0), len(self.clip) - 1))

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until what was asked for is shown."""
        return self._reading.settle(timeout) and self._drawing.settle(timeout)

    def close(self) -> None:
        """End the threads and take the hands away; the other widgets belong to the panel that shows them."""
        self.pause()
        self._reading.close()
        self._drawing.close()
        if self._view is not None:
            self._view.close()

    def _read(self, found: FoundSequence) -> None:
        try:
            clip = read_clip(found.place, self.root, self._mean)
        except Exception:
            self._title.markup = _title(found, "cannot be played")
            raise
        self._show_hands()
        with self._lock:
            self.clip = clip
            self._rack.show([clip.first], [_slider(len(clip))])
            self._stand_at(clip, clip.first)
        self._faults.markup = fault_bar(clip, found.faulty)
        self._title.markup = _title(found, _span(clip))

    def _show_hands(self) -> None:
        """Make the hands when they are first needed: that takes a second."""
        if self._view is None:
            self._view = HandView(self._model, height=320, synthetic=self._synthetic)
            title, *rest = self.widget.children
            self.widget.children = (title, self._view, *rest)

    def _stand_at(self, clip: Clip, position: int) -> None:
        self.position = position
        self._clock.seek(position / clip.fps)
        self._rack.show([position])
        self._drawing.submit(position)

    def _show_next(self) -> bool:
        """Show the frame whose turn it is; False at the last one."""
        with self._lock:
            clip = self.clip
            if clip is None:
                return False
            self.position = min(int((self._clock.at + _EARLY) * clip.fps), len(clip) - 1)
            self._drawing.submit(self.position)
            self._rack.show([self.position])
            return self.position < len(clip) - 1

    def _show_playing(self, playing: bool) -> None:
        self._button.description, self._button.icon = ("Pause", "pause") if playing else ("Play", "play")

    def _draw(self, position: int) -> None:
        clip, view = self.clip, self._view
        if clip is None or view is None:
            return
        position = min(position, len(clip) - 1)
        pose = clip.poses[position]
        is_whole = bool(np.isfinite(pose).all())
        if is_whole:
            view.show(pose)
        self._now.markup = _where(clip, position, is_whole)


def _slider(frames: int) -> Slider:
    title = "Which frame of the clip is shown; drag, or use the arrow keys"
    return Slider(label="frame", low=0, high=max(frames - 1, 1), step=1, digits=0, title=title)


def _title(found: FoundSequence, state: str) -> str:
    place, said = found.place, "; ".join(found.reasons) or "nothing wrong is known of it"
    return (
        f'<p class="hp-audit-playing"><b>{escape(place.name)}</b> <span class="hp-muted">{escape(place.dataset)}, '
        f"{escape(state)}</span><br>{escape(said)}</p>"
    )


def _span(clip: Clip) -> str:
    part = "part of it: " if clip.is_part else ""
    return f"{part}frames {clip.frames[0]:,} to {clip.frames[-1]:,} of {clip.place.path}"


def _where(clip: Clip, position: int, is_whole: bool) -> str:
    speed = "" if clip.place.fps else f", shown at {clip.fps:.0f} frames a second: its own rate is not known"
    seconds = f", {position / clip.fps:.1f} of {(len(clip) - 1) / clip.fps:.1f} s"
    broken = '<b class="hp-low"> not a number here: the hands stay as they were</b>' if not is_whole else ""
    return f'<p class="hp-said">frame {clip.frames[position]:,} of the file{seconds}{speed}{broken}</p>'


def fault_bar(clip: Clip, faulty: Sequence[tuple[int, int]]) -> str:
    """Where in the clip not both hands are live, as a bar to lay under the slider; empty where they always are.

    Args:
        clip: What is played.
        faulty: Spans of frames of the file, start and stop.
    """
    low, high = int(clip.frames[0]), int(clip.frames[-1]) + 1
    parts = []
    for start, stop in faulty:
        a, b = max(start, low), min(stop, high)
        if a < b:
            left, width = 100 * (a - low) / (high - low), 100 * (b - a) / (high - low)
            parts.append(f'<i style="left:{left:.2f}%;width:{width:.2f}%" title="frames {a:,} to {b - 1:,}"></i>')
    if not parts:
        return ""
    return (
        f'<div class="hp-audit-faults" title="Marked: frames without two live hands"><span>{"".join(parts)}</span>'
        '<em class="hp-muted">marked: without two live hands</em></div>'
    )
