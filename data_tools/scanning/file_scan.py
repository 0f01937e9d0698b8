"""One file, read once from end to end: its sequences, their usable frames and what is wrong with the others.

Memory does not grow with the file: frames are judged in windows that overlap by as much as the rules look around,
so that the result does not depend on how the file is cut into chunks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float32

from data_tools.dataset_notes import DatasetNotes
from data_tools.pose_layout import HANDS_COLUMNS
from data_tools.readers.reader import Reader, UnreadableFile, join, take
from data_tools.scanning import boundaries
from data_tools.scanning.dead_hands import SIDES, UNCHANGED, alive, find_faults, frozen_frames, movement
from data_tools.scanning.sequence_tally import FAULT_COUNTS, SequenceTally
from data_tools.sequence import HandMean, PoseSequence

CHUNK_FRAMES = 8_192
"""Frames judged at once: small enough for the processor's cache."""

STILL = ("still_left", "still_right")
"""Columns with the 45 numbers of a hand that never moves: what a mean hand can be learnt from; not in the catalog."""

_ORDER = (
    *("dataset", "sequence", "path", "format", "start", "stop", "frames", "fps", "subject", "hand_mean", "has_body"),
    *("usable_frames", "live_left", "live_right", "usable_spans", "content_hash", "constant_left", "constant_right"),
    *FAULT_COUNTS,
    *STILL,
)


@dataclass(frozen=True)
class Window:
    """Consecutive frames, of which ``low`` to ``high`` are to be judged and the others are context."""

    span: PoseSequence
    low: int
    high: int


def windows(chunks: Iterable[PoseSequence], reach: int) -> Iterator[Window]:
    """Cut a stream of chunks into windows in which each judged frame sees ``reach`` frames to either side.

    Windows are shorter only at the ends of the stream, wherever the chunks end.
    """
    span, low = None, 0
    for chunk in chunks:
        span = chunk if span is None else join([span, chunk])
        high = len(span) - reach
        if high > low:
            yield Window(span, low, high)
            keep = max(high - reach, 0)
            span, low = take(span, slice(keep, None)), high - keep
    if span is not None:
        yield Window(span, low, len(span))


def scan_file(
    path: Path, root: Path, reader: Reader, notes: DatasetNotes, stop: threading.Event | None = None
) -> pl.DataFrame:
    """Read a file once and return one row per sequence.

    Args:
        path: The file.
        root: The data folder.
        reader: The file's reader.
        notes: What the user says about the datasets.
        stop: Set it from another thread to give up.

    Returns:
        Columns dataset, sequence, path (below the data folder), format, start, stop, frames, fps, subject, hand_mean,
        has_body, usable_frames, live_left, live_right, usable_spans, content_hash, a count per fault, and
        :data:`STILL`.

    Raises:
        UnreadableFile: The file is damaged.
        CancelledError: ``stop`` was set.
    """
    tally, first, head = SequenceTally(), 0, None
    recordings: list[str] = []
    chunks = reader.chunks(path, root=root, chunk_frames=CHUNK_FRAMES)
    try:
        head = next(iter(chunks))
    except StopIteration:
        raise UnreadableFile(path, "holds no frames") from None
    convention, fps = notes.convention(head.dataset, head.hand_mean), notes.rate(head.dataset, head.fps)
    frozen_after = frozen_frames(fps)
    for window in windows(_with_head(head, chunks), max(frozen_after, boundaries.REACH)):
        if stop is not None and stop.is_set():
            raise CancelledError(f"{path}: scan stopped")
        cuts, masks, hands = _judge(window, reader, notes, convention, frozen_after)
        cuts[0] |= first == 0
        masks |= {f"moves_{side}": masks[f"moves_{side}"] & ~cuts for side in SIDES}
        tally.add(first, cuts, masks, hands)
        if window.span.recording is not None:
            recordings += window.span.recording[window.low : window.high][cuts].astype(str).tolist()
        first += window.high - window.low
    place = reader.place(path, root)
    about = {
        "dataset": place.dataset,
        "path": path.relative_to(root).as_posix(),
        "format": reader.format,
        "fps": fps,
        "subject": head.subject,
        "hand_mean": convention,
        "has_body": head.has_body,
    }
    columns = tally.columns(first)
    numbered = [f"{index:06d}" for index in range(len(columns["start"]))]
    is_one = reader.one_recording_per_file and not recordings
    names = [place.name] if is_one else [f"{place.name}#{recording}" for recording in recordings or numbered]
    return _table(about, names, columns)


def _table(about: dict[str, Any], names: list[str], columns: dict[str, Any]) -> pl.DataFrame:
    count = len(names)
    table = {"sequence": names, **{key: [value] * count for key, value in about.items()}, **columns}
    types: dict[str, Any] = {"fps": pl.Float64, "subject": pl.String, "usable_spans": pl.List(pl.Int64)}
    types |= dict.fromkeys(STILL, pl.List(pl.Float32))
    return pl.DataFrame({key: table[key] for key in _ORDER}, schema_overrides=types)


def _with_head(head: PoseSequence, rest: Iterator[PoseSequence]) -> Iterator[PoseSequence]:
    yield head
    yield from rest


@dataclass(frozen=True, eq=False)
class Judged:
    """A window of frames and what is to be said about each.

    Attributes:
        hands: Both hands as stored.
        masks: By name: every fault, ``live_left`` and ``live_right``, ``usable`` (both), and ``moves_left`` and
            ``moves_right``: whether a hand moved since the frame before.
        moved: How far each hand moved since the frame before; infinite where nothing was recorded in between.
        starts: Frames that begin another recording than the frame before.
        gaps: Frames that do not follow the frame before in time.
    """

    hands: Float32[np.ndarray, "frames 90"]
    masks: dict[str, Bool[np.ndarray, "frames"]]
    moved: Float32[np.ndarray, "frames 2"]
    starts: Bool[np.ndarray, "frames"]
    gaps: Bool[np.ndarray, "frames"]


def judge(
    span: PoseSequence, convention: HandMean, frozen_after: int, hands_mean: Float[np.ndarray, "90"] | None
) -> Judged:
    """Say which hands of consecutive frames are dead and why.

    Args:
        span: The frames, with as much around the frames of interest as the rules look at.
        convention: Mean-hand convention of the values.
        frozen_after: From :func:`data_tools.scanning.dead_hands.frozen_frames`.
        hands_mean: The model's mean hands, where known.
    """
    hands = np.ascontiguousarray(span.poses[:, HANDS_COLUMNS])
    moved = movement(hands)
    starts, gaps = _interruptions(span)
    moved[gaps] = np.inf  # what was not recorded was neither still nor a jump
    masks = find_faults(
        hands,
        moved,
        frozen_after=frozen_after,
        hand_mean=convention,
        hands_mean=hands_mean,
        left_valid=span.left_valid,
        right_valid=span.right_valid,
    )
    if span.has_body:
        with np.errstate(over="ignore", invalid="ignore"):
            body = span.poses[:, : HANDS_COLUMNS.start]
            masks["nan"] |= ~np.isfinite(np.einsum("nc->n", body))
    beside_nan = masks["nan"] | np.append(False, masks["nan"][:-1])
    for side, name in enumerate(SIDES):
        masks[f"live_{name}"] = alive(masks, name)
        masks[f"moves_{name}"] = (moved[:, side] > UNCHANGED) & ~beside_nan & ~gaps
    masks["usable"] = masks["live_left"] & masks["live_right"]
    return Judged(hands, masks, moved, starts, gaps)


def _judge(
    window: Window, reader: Reader, notes: DatasetNotes, convention: HandMean, frozen_after: int
) -> tuple[Bool[np.ndarray, "frames"], dict[str, Bool[np.ndarray, "frames"]], Float32[np.ndarray, "frames 90"]]:
    span, kept = window.span, slice(window.low, window.high)
    mean = None if notes.hands_mean is None else np.asarray(notes.hands_mean)
    judged = judge(span, convention, frozen_after, mean)
    if reader.one_recording_per_file or span.recording is not None:
        cuts = judged.starts
    else:
        cuts = boundaries.find_cuts(span.poses, judged.moved, span.has_body, span.image_id)
    return cuts[kept], {name: mask[kept] for name, mask in judged.masks.items()}, judged.hands[kept]


def _interruptions(span: PoseSequence) -> tuple[Bool[np.ndarray, "frames"], Bool[np.ndarray, "frames"]]:
    """Frames that begin another recording than the frame before, and those that do not follow it in time."""
    starts, gaps = np.zeros(len(span), bool), np.zeros(len(span), bool)
    if span.recording is not None:
        starts[1:] = span.recording[1:] != span.recording[:-1]
    if span.clock is not None:
        gaps[1:] = np.diff(span.clock) != 1
    return starts, gaps | starts
