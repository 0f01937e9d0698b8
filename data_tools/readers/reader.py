"""What a reader of one on-disk format must do, and how files are named after the folders they lie in."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Int, Int64

from data_tools.sequence import HandMean, PoseSequence

CHUNK_FRAMES = 65_536
"""Frames per chunk unless the caller says otherwise: 43 MB of float32 poses."""


class UnreadableFile(ValueError):
    """One file cannot be read; the others can.

    Attributes:
        path: The file.
        reason: What is wrong with it and what was expected, in one line.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason


@dataclass(frozen=True)
class Place:
    """What a file's place below the data folder says about it.

    Attributes:
        dataset: The first folder below the data folder; the data folder itself for a file that lies in it.
        name: The file's path inside its dataset, without its suffix.
        subject: The folder that stands for a person, where there is one.
    """

    dataset: str
    name: str
    subject: str | None


@dataclass(frozen=True)
class FormatFacts:
    """What a list of formats says about one of them.

    Attributes:
        files: Which files of a release these are, and what is in them.
        hand_mean: Whether the mean hand is inside the values, as the format has it.
        fps: Where the frame rate comes from, or what it is.
        source: Where this was read, as owner/repository.
    """

    files: str
    hand_mean: HandMean
    fps: str
    source: str


class Reader(ABC):
    """Reads one on-disk format. One file per format; :data:`data_tools.readers.READERS` lists them.

    To add a format, subclass this (or :class:`~data_tools.readers.npz_reader.NpzReader`), state the facts below,
    and append an instance to the registry; the contract test then covers it. A reader changes no value: it puts
    columns in SMPL-X order and says what the file says. It never runs code from a file.

    Attributes:
        format: The name that ``--format`` takes.
        facts: What is worth knowing before reading, for the list of formats.
        suffixes: File suffixes worth opening, lower case.
        containers: Kinds of files that may be of this format, see :func:`~data_tools.readers.container.container_of`.
        one_recording_per_file: Whether a file is one continuous recording; if not, its sequences are found.
        needs_components: Whether hands are decoded with the principal components of the user's model file.
        no_motion: Patterns of the names of files that lie beside these recordings and hold no motion.
        sidecars: Names of files beside a recording that change what is read from it.
        subject_folder: Pattern of the folders that stand for a person.
        recording_folder: Pattern of the folders of one recording each: no such folder is a dataset of its own.
    """

    format: ClassVar[str]
    facts: ClassVar[FormatFacts]
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    containers: ClassVar[frozenset[str]] = frozenset({"npz", "npz of objects"})
    one_recording_per_file: ClassVar[bool] = True
    needs_components: ClassVar[bool] = False
    no_motion: ClassVar[tuple[str, ...]] = ()
    sidecars: ClassVar[tuple[str, ...]] = ()
    subject_folder: ClassVar[str] = r"s\d+|[Ss]ubject[-_ ]?\d+|P\d+"
    recording_folder: ClassVar[str] = r"(?!)"

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Tell from a file's content, cheaply, whether this reader is for it. Never raises on a foreign file."""

    def claims_folder(self, folder: Path, names: Sequence[str]) -> bool:
        """Tell from the names in a folder whether the folder itself is one recording, a file per frame or camera.

        Such a folder is then read as if it were a file, and its files are not looked at one by one.
        """
        return False

    def read_from(self, path: Path) -> Sequence[Path]:
        """Name every file that a recording is read from: for a folder those of its files that matter."""
        return [path]

    @abstractmethod
    def frames(self, path: Path) -> int:
        """Count the frames from the headers alone, after checking that the shapes fit together."""

    @abstractmethod
    def chunks(
        self, path: Path, *, root: Path | None = None, chunk_frames: int = CHUNK_FRAMES
    ) -> Iterator[PoseSequence]:
        """Yield consecutive spans of the file in order, holding one span in memory at a time.

        Args:
            path: The file.
            root: The data folder that names datasets; the file's own folder if not given.
            chunk_frames: Frames per span; the last may be shorter.

        Raises:
            UnreadableFile: The file is damaged or not of this format.
        """

    def read(self, path: Path, start: int = 0, stop: int | None = None, *, root: Path | None = None) -> PoseSequence:
        """Read frames ``start`` to ``stop`` (exclusive; to the end if None) into one sequence."""
        stop = self.frames(path) if stop is None else min(stop, self.frames(path))
        if not 0 <= start < stop:
            raise ValueError(f"{path}: frames {start} to {stop} are not a span of its {self.frames(path)} frames")
        return join(list(self.pick(path, np.arange(start, stop, dtype=np.int64), root=root)))

    def pick(
        self, path: Path, frames: Int[np.ndarray, "picked"], *, root: Path | None = None, hands_only: bool = False
    ) -> Iterator[PoseSequence]:
        """Yield the chosen frames, in order, in spans of bounded size, reading the file once.

        Args:
            path: The file.
            frames: Frame numbers in ascending order; repeated ones come back repeated.
            root: As for :meth:`chunks`.
            hands_only: Give poses of 90 columns, the hands, and read no more than they need.
        """
        for chunk in self.chunks(path, root=root):
            first, last = int(chunk.frame_index[0]), int(chunk.frame_index[-1])
            # Of the frames' own type, or all of them would be copied.
            low, high = np.searchsorted(frames, np.array([first, last + 1], frames.dtype))
            if high > low:
                chosen = replace(chunk, poses=chunk.hands) if hands_only else chunk
                yield take(chosen, np.searchsorted(chunk.frame_index, frames[low:high]))

    def place(self, path: Path, root: Path) -> Place:
        """Name the dataset, sequence and subject of a file from where it lies below ``root``."""
        parts = path.relative_to(root).with_suffix("").parts
        if len(parts) == 1:
            return Place(dataset=root.resolve().name or "data", name=parts[0], subject=None)
        if len(parts) == 2 and re.fullmatch(self.recording_folder, parts[0]):
            return Place(root.resolve().name or "data", "/".join(parts), self.subject_of(parts[:1]))
        return Place(parts[0], "/".join(parts[1:]), self.subject_of(parts[1:-1]))

    def subject_of(self, folders: tuple[str, ...]) -> str | None:
        """Name who moved from the folders between the dataset's and the file, where the release is laid out so."""
        return next((name for name in folders if re.fullmatch(self.subject_folder, name)), None)


def take(sequence: PoseSequence, rows: Int64[np.ndarray, "rows"] | slice) -> PoseSequence:
    """Keep some rows of a sequence, by position."""

    def pick(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[rows]

    return PoseSequence(
        dataset=sequence.dataset,
        name=sequence.name,
        path=sequence.path,
        poses=sequence.poses[rows],
        frame_index=sequence.frame_index[rows],
        hand_mean=sequence.hand_mean,
        has_body=sequence.has_body,
        fps=sequence.fps,
        subject=sequence.subject,
        left_valid=pick(sequence.left_valid),
        right_valid=pick(sequence.right_valid),
        image_id=pick(sequence.image_id),
        clock=pick(sequence.clock),
        recording=pick(sequence.recording),
    )


def join(spans: list[PoseSequence]) -> PoseSequence:
    """Put consecutive spans of one file back together."""
    if len(spans) == 1:
        return spans[0]

    def concatenate(field: str) -> np.ndarray | None:
        values = [getattr(span, field) for span in spans]
        return None if values[0] is None else np.concatenate(values)

    first = spans[0]
    return PoseSequence(
        dataset=first.dataset,
        name=first.name,
        path=first.path,
        poses=np.concatenate([span.poses for span in spans]),
        frame_index=np.concatenate([span.frame_index for span in spans]),
        hand_mean=first.hand_mean,
        has_body=first.has_body,
        fps=first.fps,
        subject=first.subject,
        left_valid=concatenate("left_valid"),
        right_valid=concatenate("right_valid"),
        image_id=concatenate("image_id"),
        clock=concatenate("clock"),
        recording=concatenate("recording"),
    )
