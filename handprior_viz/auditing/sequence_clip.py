"""A stretch of one sequence, read from its file in bounded memory, as hands that can be played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from jaxtyping import Float, Float32, Int64

from data_tools.dataset_notes import DatasetNotes
from data_tools.hand_mean import licensed_hands_mean, to_model_pose
from data_tools.readers import reader_for, reader_named
from data_tools.sequence import HandMean

MOST_FRAMES = 1_800
"""Frames that are held at once: a minute at the rate at which they are shown."""

SHOWN_FPS = 30.0
"""Frames per second that are kept of faster recordings; what does not say its rate is played at this one."""


@dataclass(frozen=True)
class ClipPlace:
    """Where a sequence lies.

    Attributes:
        dataset: Its dataset.
        name: Its name.
        path: File below the data folder.
        format: Its reader's name; empty to recognise it.
        start: First frame of the file.
        stop: Frame after the last.
        fps: Frames per second, where known.
        hand_mean: Mean-hand convention of its values.
        at: Frame of the file to begin at.
    """

    dataset: str
    name: str
    path: str
    format: str
    start: int
    stop: int
    fps: float | None
    hand_mean: HandMean
    at: int


@dataclass(frozen=True, eq=False)
class Clip:
    """What was read of a sequence.

    Attributes:
        place: Where from.
        frames: (frames,) numbers in the file, ascending.
        poses: (frames, 90) radians, mean included, principal; NaN where the file has NaN.
        fps: Of these frames, at the sequence's own speed.
        first: Place among them of the frame to begin at.
    """

    place: ClipPlace
    frames: Int64[np.ndarray, "frames"]
    poses: Float32[np.ndarray, "frames 90"]
    fps: float
    first: int

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def is_part(self) -> bool:
        """Whether the sequence goes on before or after it."""
        step = int(self.frames[1] - self.frames[0]) if len(self) > 1 else 1
        return int(self.frames[0]) > self.place.start or int(self.frames[-1]) + step < self.place.stop


def clip_frames(place: ClipPlace, most: int = MOST_FRAMES) -> Int64[np.ndarray, "frames"]:
    """Which frames of a sequence to read: thinned to what can be seen, and at most so many around where to begin."""
    every = max(1, round((place.fps or SHOWN_FPS) / SHOWN_FPS))
    frames = np.arange(place.start + (place.at - place.start) % every, place.stop, every, dtype=np.int64)
    if len(frames) <= most:
        return frames
    middle = int(np.searchsorted(frames, place.at))
    low = min(max(middle - most // 4, 0), len(frames) - most)
    return frames[low : low + most]


def read_clip(
    place: ClipPlace,
    root: Path | str,
    hands_mean: Sequence[float] | Float[np.ndarray, "90"] | None = None,
    most: int = MOST_FRAMES,
) -> Clip:
    """Read a sequence, or the stretch of it around where to begin.

    Args:
        place: Where it lies.
        root: The data folder.
        hands_mean: The mean hands (90, radians), for hands stored relative to them; if not given, those that the
            data's ``handprior.yaml`` states, or the user's model's.
        most: Most frames.

    Raises:
        ValueError: A path outside the data folder, a file that has changed since it was audited, or relative hands
            without a known mean.
        FileNotFoundError: The file is gone.
        UnreadableFile: It is damaged.
    """
    if PurePath(place.path).is_absolute() or ".." in PurePath(place.path).parts:
        raise ValueError(f"{place.path!r} lies outside the data folder; it is not read")
    path = Path(root) / place.path
    if not path.exists():
        raise FileNotFoundError(f"{path}: not there any more; audit the data again, or put it back")
    reader = reader_named(place.format) if place.format else reader_for(path)
    frames = clip_frames(place, most)
    if reader.frames(path) < place.stop:
        raise ValueError(f"{path}: ends before frame {place.stop:,}: it has changed; audit the data again")
    spans = list(reader.pick(path, frames, root=Path(root), hands_only=True))
    numbers = np.concatenate([span.frame_index for span in spans])
    mean = hands_mean
    if mean is None and place.hand_mean == "rel":
        noted = DatasetNotes.read(Path(root)).hands_mean
        mean = licensed_hands_mean() if noted is None else noted
    raw = np.concatenate([span.hands for span in spans])
    poses = to_model_pose(raw, place.hand_mean, None if mean is None else np.asarray(mean)).astype(np.float32)
    every = max(1, round((place.fps or SHOWN_FPS) / SHOWN_FPS))
    first = int(np.clip(np.searchsorted(numbers, place.at), 0, len(numbers) - 1))
    return Clip(place, numbers, poses, (place.fps or SHOWN_FPS) / every, first)
