"""The common part of readers of small files, which are read whole: pickles, ``.npy``, JSON."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from data_tools.pose_layout import COLUMNS, POSE_DIM
from data_tools.readers.container import container_of
from data_tools.readers.contents import file_contents
from data_tools.readers.reader import CHUNK_FRAMES, Reader, UnreadableFile, take
from data_tools.sequence import HandMean, PoseSequence

PICKLED = frozenset({"pickle", "torch", "npy of objects"})
"""Containers of Python dictionaries, which different people save in different ways."""

_MISFITS = (ValueError, TypeError, OverflowError)
"""What numpy says of lists of unequal length, and of objects where numbers should be; UnreadableFile is one of them."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """What one file says; the fields are those of :class:`~data_tools.sequence.PoseSequence`."""

    poses: Float32[np.ndarray, "frames 165"]
    hand_mean: HandMean
    has_body: bool
    fps: float | None = None
    subject: str | None = None
    left_valid: Bool[np.ndarray, "frames"] | None = None
    right_valid: Bool[np.ndarray, "frames"] | None = None
    image_id: Shaped[np.ndarray, "frames"] | None = None
    clock: Int64[np.ndarray, "frames"] | None = None
    recording: Shaped[np.ndarray, "frames"] | None = None


class WholeFileReader(Reader):
    """Base of the readers of files that are read whole: subclasses say what is theirs and what it means."""

    suffixes: ClassVar[tuple[str, ...]] = (".pkl",)
    containers: ClassVar[frozenset[str]] = PICKLED

    @abstractmethod
    def is_mine(self, content: Any) -> bool:
        """Tell from the keys and shapes whether the content is of this format, well-formed or not."""

    @abstractmethod
    def recorded(self, path: Path, content: Any) -> Recorded:
        """Say what the content means; raises :class:`UnreadableFile` where a shape or type is wrong."""

    def recognises(self, path: Path) -> bool:
        if container_of(path) not in self.containers:
            return False
        try:
            return self.is_mine(self.contents(path))
        except _MISFITS:
            return False

    def contents(self, path: Path) -> Any:
        """Read the file; a reader may leave out what is large and not for it."""
        return file_contents(path)

    def frames(self, path: Path) -> int:
        return len(self._recorded(path).poses)

    def chunks(
        self, path: Path, *, root: Path | None = None, chunk_frames: int = CHUNK_FRAMES
    ) -> Iterator[PoseSequence]:
        found = self._recorded(path)
        place = self.place(path, path.parent if root is None else root)
        whole = PoseSequence(
            dataset=place.dataset,
            name=place.name,
            path=str(path),
            poses=found.poses,
            frame_index=np.arange(len(found.poses), dtype=np.int64),
            hand_mean=found.hand_mean,
            has_body=found.has_body,
            fps=found.fps,
            subject=found.subject or place.subject,
            left_valid=found.left_valid,
            right_valid=found.right_valid,
            image_id=found.image_id,
            clock=found.clock,
            recording=found.recording,
        )
        for start in range(0, len(whole), chunk_frames):
            yield take(whole, slice(start, start + chunk_frames))

    def _recorded(self, path: Path) -> Recorded:
        content = self.contents(path)
        try:
            if not self.is_mine(content):
                raise UnreadableFile(path, f"is not of the format {self.format}: {describe(content)}")
            found = self.recorded(path, content)
        except UnreadableFile:
            raise
        except _MISFITS as error:
            reason = " ".join(str(error).split())[:120]
            raise UnreadableFile(path, f"holds values that are no array of numbers ({reason})") from error
        if not len(found.poses):
            raise UnreadableFile(path, "holds no frames")
        return found


def pose_of(frames: int, **parts: Float32[np.ndarray, "frames columns"] | None) -> Float32[np.ndarray, "frames 165"]:
    """Put parts of a pose, named as in :data:`~data_tools.pose_layout.COLUMNS`, in their columns; others are zero."""
    poses = np.zeros((frames, POSE_DIM), np.float32)
    for part, values in parts.items():
        if values is not None:
            poses[:, COLUMNS[part]] = values
    return poses


def columns_of(
    path: Path, content: Any, key: str, columns: int, *, frames: int | None = None
) -> Float32[np.ndarray, "frames columns"]:
    """Take one array of numbers out of a content and check its shape.

    Args:
        path: The file, for messages.
        content: A mapping.
        key: The array's key.
        columns: Numbers per frame; (frames, columns / 3, 3) and further axes that flatten to it are taken too.
        frames: How many frames there must be, if known.

    Raises:
        UnreadableFile: It is not there, holds no numbers, or has another shape.
    """
    if key not in content:
        raise UnreadableFile(path, f"has no {key}; found {', '.join(map(str, list(content)[:8])) or 'nothing'}")
    try:
        values = np.asarray(content[key])
    except ValueError:
        values = np.empty(0, object)
    if values.dtype.kind not in "fiu":
        raise UnreadableFile(path, f"{key} holds {values.dtype}, expected numbers")
    if values.ndim < 2 or int(np.prod(values.shape[1:])) != columns:
        raise UnreadableFile(path, f"{key} has shape {values.shape}, expected (frames, {columns})")
    if frames is not None and len(values) != frames:
        raise UnreadableFile(path, f"{key} has {len(values)} frames, expected {frames}")
    with np.errstate(over="ignore"):
        return values.reshape(len(values), columns).astype(np.float32)


def describe(content: Any) -> str:
    """Say in a few words what a content is, for messages."""
    if isinstance(content, dict):
        return f"found the keys {', '.join(map(str, list(content)[:8])) or '(none)'}"
    if isinstance(content, np.ndarray):
        return f"found an array of shape {content.shape} {content.dtype}"
    return f"found {type(content).__name__}"
