"""The common part of readers of files that are too large to be read whole and have no rows to map."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from data_tools.readers.reader import CHUNK_FRAMES, Reader, UnreadableFile, join, take
from data_tools.readers.whole_file import Recorded
from data_tools.sequence import PoseSequence

PIECE_FRAMES = 2_048
"""Frames that a reader gathers before it hands them on: some ten megabytes of Python numbers."""


class StreamedReader(Reader):
    """Base of the readers that go through a file from front to back: subclasses yield it piece by piece."""

    @abstractmethod
    def pieces(self, path: Path) -> Iterator[Recorded]:
        """Yield consecutive frames, about :data:`PIECE_FRAMES` at a time; the same fields are None in every piece.

        Raises:
            UnreadableFile: The file is damaged, or not of this format.
        """

    def frames(self, path: Path) -> int:
        """Count the frames, which takes a pass through the file; the last few counts are kept."""
        try:
            status = path.stat()
        except OSError as error:
            raise UnreadableFile(path, f"cannot be opened ({error.strerror})") from error
        return _count(self, path, status.st_size, status.st_mtime_ns)

    def chunks(
        self, path: Path, *, root: Path | None = None, chunk_frames: int = CHUNK_FRAMES
    ) -> Iterator[PoseSequence]:
        held: list[PoseSequence] = []
        for piece in self._sequences(path, path.parent if root is None else root):
            held.append(piece)
            if sum(map(len, held)) >= chunk_frames:
                whole, start = join(held), 0
                while len(whole) - start >= chunk_frames:
                    yield take(whole, slice(start, start + chunk_frames))
                    start += chunk_frames
                held = [take(whole, slice(start, None))] if start < len(whole) else []
        if held:
            yield join(held)

    def _sequences(self, path: Path, root: Path) -> Iterator[PoseSequence]:
        place, first = self.place(path, root), 0
        for piece in self.pieces(path):
            count = len(piece.poses)
            yield PoseSequence(
                dataset=place.dataset,
                name=place.name,
                path=str(path),
                poses=piece.poses,
                frame_index=np.arange(first, first + count, dtype=np.int64),
                hand_mean=piece.hand_mean,
                has_body=piece.has_body,
                fps=piece.fps,
                subject=piece.subject or place.subject,
                left_valid=piece.left_valid,
                right_valid=piece.right_valid,
                image_id=piece.image_id,
                clock=piece.clock,
                recording=piece.recording,
            )
            first += count
        if first == 0:
            raise UnreadableFile(path, "holds no frames")


@lru_cache(maxsize=256)
def _count(reader: StreamedReader, path: Path, size: int, _: int) -> int:
    count = sum(len(piece.poses) for piece in reader.pieces(path))
    if count == 0:
        raise UnreadableFile(path, "holds no frames")
    return count
