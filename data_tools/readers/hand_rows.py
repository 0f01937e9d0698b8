"""Rows of one hand each, as detectors give them, to frames of two hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from data_tools.readers.frame_clock import clock_of, usual_step
from data_tools.readers.reader import UnreadableFile

TIME_KEYS = ("frame", "frames", "frame_id", "frame_ids", "time")
"""Keys that say when each row was seen: its number in a video, or seconds. One value is for all rows; for ``frames``
it is how many there are, and says nothing here."""

PICTURE_KEYS = ("img_path", "img_paths", "img_name", "img_names", "imgname", "image_path", "image_name")
"""Keys that name the picture of each row."""

INDEX_KEY = "personid"
"""HaMeR's and WiLoR's number of a hand in its picture, from 0 in each (geopavlakos/hamer, vitdet_dataset.py)."""

_MICROSECOND = 1e-6


@dataclass(frozen=True, eq=False)
class HandFrames:
    """Which frame each row belongs to.

    Attributes:
        of_row: (rows,) a frame for each row, counted from 0.
        count: How many frames there are.
        clock: (frames,) when each was seen, where the rows say so; a gap where there are two frames of one moment.
        recording: (frames,) where they do not: pictures need not follow each other, so each frame is one of its own.
    """

    of_row: Int64[np.ndarray, "rows"]
    count: int
    clock: Int64[np.ndarray, "frames"] | None
    recording: Int64[np.ndarray, "frames"] | None


def hand_frames(path: Path, content: Mapping[str, Any], is_right: Bool[np.ndarray, "rows"]) -> HandFrames:
    """Pair the left and the right hand of each picture.

    A picture with one left hand, one right hand, or one of each is one frame. One with two hands of a side shows
    several people, and nothing says whose hands are whose: each of its rows stays a frame of one hand. So do all rows
    of a file that says nothing about pictures.

    Args:
        path: The file, for messages.
        content: What the file holds; see :data:`TIME_KEYS`, :data:`PICTURE_KEYS` and :data:`INDEX_KEY`.
        is_right: Which rows are right hands.

    Raises:
        UnreadableFile: One of these keys does not say one thing for each row.
    """
    times = _times(path, content, len(is_right))
    picture = _pictures(path, content, len(is_right)) if times is None else np.unique(times, return_inverse=True)[1]
    sides = [np.bincount(picture[is_right == side], minlength=len(is_right)) for side in (False, True)]
    is_pair = (sides[0] <= 1) & (sides[1] <= 1)
    row = np.arange(len(is_right))
    # The rows of a pair share the first number after their picture's; all others have their own.
    keys = np.stack([picture, np.where(is_pair[picture], 0, row)], axis=1)
    frames, of_row = np.unique(keys, axis=0, return_inverse=True)
    of_row = of_row.reshape(-1).astype(np.int64)
    if times is None:
        return HandFrames(of_row, len(frames), None, np.arange(len(frames), dtype=np.int64))
    moments = np.zeros(len(frames), np.int64)
    moments[of_row] = times
    return HandFrames(of_row, len(frames), clock_of(moments, usual_step(np.unique(times))), None)


def _times(path: Path, content: Mapping[str, Any], rows: int) -> Int64[np.ndarray, "rows"] | None:
    known = (key for key in TIME_KEYS if key in content and (np.ndim(content[key]) or not key.endswith("s")))
    key = next(known, None)
    if key is None:
        return None
    is_one = np.ndim(content[key]) == 0
    values = np.repeat(content[key], rows) if is_one else _of_each_row(path, content, key, rows)
    is_number = values.dtype.kind in "iuf" and bool(np.isfinite(values).all())
    if not is_number or np.abs(values.astype(float)).max(initial=0) >= 2**50:
        raise UnreadableFile(path, f"{key} holds {values.dtype}, expected the number or time of each row's frame")
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        return np.rint(values / _MICROSECOND).astype(np.int64)
    return values.astype(np.int64)


def _pictures(path: Path, content: Mapping[str, Any], rows: int) -> Int64[np.ndarray, "rows"]:
    """A number for the picture of each row, in the order in which pictures come; one each where nothing is said."""
    key = next((key for key in PICTURE_KEYS if key in content), None)
    if key is not None:
        named = content[key]
        if isinstance(named, str | bytes):
            return np.zeros(rows, np.int64)
        names = _of_each_row(path, content, key, rows).astype(str)
        _, first, picture = np.unique(names, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[picture.reshape(-1)].astype(np.int64)
    if INDEX_KEY in content:
        index = _of_each_row(path, content, INDEX_KEY, rows)
        if index.dtype.kind not in "iuf":
            raise UnreadableFile(path, f"{INDEX_KEY} holds {index.dtype}, expected a number for each row")
        return np.cumsum(np.append(False, index[1:] <= index[:-1])[:rows]).astype(np.int64)
    return np.arange(rows, dtype=np.int64)


def _of_each_row(path: Path, content: Mapping[str, Any], key: str, rows: int) -> np.ndarray:
    values = np.ravel(content[key])
    if len(values) != rows:
        raise UnreadableFile(path, f"{key} holds {values.shape}, expected one value for each of {rows} hands")
    return values
