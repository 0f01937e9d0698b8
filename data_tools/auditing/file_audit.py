"""The audit of one file: its frames read once more, in order, and everything measured that later steps need."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float32, Int64

from data_tools.auditing.convention_evidence import ConventionEvidence
from data_tools.auditing.live_frames import LiveFrames, live_frames
from data_tools.auditing.pose_statistics import PoseStatistics, measure
from data_tools.auditing.sequence_sums import SequenceSums
from data_tools.auditing.suspects import Suspects
from data_tools.auditing.turning_points import POINT_FIELDS, TurningPoints, turning_points
from data_tools.readers.reader import Reader, UnreadableFile
from data_tools.scanning.dead_hands import frozen_frames
from data_tools.scanning.file_scan import Window, judge, windows
from data_tools.sequence import HandMean

CHUNK_FRAMES = 4_096
"""Frames read and judged at once."""

BLOCK_FRAMES = 2_048
"""Frames whose joints are measured at once: all that is computed on the way stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class FileToAudit:
    """What the catalog says about one file.

    Attributes:
        path: The file.
        root: The data folder.
        reader: Its reader.
        starts: First frame of each sequence.
        frames: Frames in all.
        constant: (sequences, 2) hands that never move in a sequence.
        convention: Mean-hand convention.
        fps: Frames per second, where known.
        hands_mean: The model's mean hands, where known.
        stride: One of so many usable frames goes into the spread sample.
        phase: Which one.
        thinning: By how much turning points are thinned out.
    """

    path: Path
    root: Path
    reader: Reader
    starts: Int64[np.ndarray, "sequences"]
    frames: int
    constant: Bool[np.ndarray, "sequences 2"]
    convention: HandMean
    fps: float | None
    hands_mean: Float[np.ndarray, "90"] | None
    stride: int
    phase: int
    thinning: int = 1

    @property
    def is_known(self) -> bool:
        """Whether the hands can be brought to the model's convention."""
        return self.convention != "rel" or self.hands_mean is not None


@dataclass(frozen=True, eq=False)
class FileAudit:
    """What was measured in one file.

    Attributes:
        sequences: From :meth:`.SequenceSums.table`.
        suspects: From :meth:`.Suspects.table`.
        statistics: Of all live frames; of none where the mean hand is not known.
        evidence: For or against the stated convention.
        points: Turning points.
        sample: Spread sample of usable frames.
        sample_place: (sample, 2) sequence and frame of each.
    """

    sequences: pl.DataFrame
    suspects: pl.DataFrame
    statistics: PoseStatistics
    evidence: ConventionEvidence
    points: TurningPoints
    sample: Float32[np.ndarray, "sample 90"]
    sample_place: Int64[np.ndarray, "sample 2"]

    def to_table(self) -> pl.DataFrame:
        """Everything in one row of binary columns, to be kept in a cache."""
        arrays = {
            **{f"statistics.{key}": value for key, value in self.statistics.arrays().items()},
            **{f"evidence.{key}": value for key, value in self.evidence.arrays().items()},
            **{f"points.{key}": getattr(self.points, key) for key in POINT_FIELDS},
            "sample": self.sample,
            "sample_place": self.sample_place,
        }
        content = {name: [_array_bytes(values)] for name, values in arrays.items()}
        tables = {"sequences": self.sequences, "suspects": self.suspects}
        content |= {name: [_table_bytes(table)] for name, table in tables.items()}
        return pl.DataFrame(content, schema=dict.fromkeys(content, pl.Binary))

    @classmethod
    def of_table(cls, table: pl.DataFrame) -> FileAudit:
        """What :meth:`to_table` put into a row."""
        row = table.row(0, named=True)
        arrays = {name: np.load(io.BytesIO(value)) for name, value in row.items() if name not in _TABLES}
        sequences, suspects = (pl.read_ipc(io.BytesIO(row[name])) for name in _TABLES)
        return cls(
            sequences,
            suspects,
            PoseStatistics.of(_under("statistics.", arrays)),
            ConventionEvidence.of(_under("evidence.", arrays)),
            TurningPoints(**_under("points.", arrays)),
            arrays["sample"],
            arrays["sample_place"],
        )


_TABLES = ("sequences", "suspects")


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _array_bytes(values: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()


def _table_bytes(table: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    table.write_ipc(content)
    return content.getvalue()


def audit_file(file: FileToAudit, stop: threading.Event | None = None) -> FileAudit:
    """Read a file once and measure it; memory does not grow with the file, save for what is found.

    Raises:
        UnreadableFile: The file is damaged, or has changed since it was scanned.
        CancelledError: ``stop`` was set.
    """
    job, first = _FileAudit(file), 0
    chunks = file.reader.chunks(file.path, root=file.root, chunk_frames=CHUNK_FRAMES)
    for window in windows(chunks, frozen_frames(file.fps)):
        if stop is not None and stop.is_set():
            raise CancelledError(f"{file.path}: audit stopped")
        if first + window.high - window.low > file.frames:
            break
        job.add(window, first)
        first += window.high - window.low
    if first != file.frames:
        raise UnreadableFile(file.path, f"has not the {file.frames} frames it had when it was scanned; scan again")
    return job.result()


class _FileAudit:
    def __init__(self, file: FileToAudit) -> None:
        self.file = file
        self.offset = file.hands_mean if file.convention == "rel" else None
        self.sums = SequenceSums(file.starts)
        self.suspects = Suspects()
        self.statistics = PoseStatistics.none()
        self.evidence = ConventionEvidence.none()
        self.points: list[TurningPoints] = []
        self.sample: list[np.ndarray] = [np.zeros((0, 90), np.float32)]
        self.places: list[np.ndarray] = [np.zeros((0, 2), np.int64)]
        self.usable = 0

    def add(self, window: Window, first: int) -> None:
        """Measure a window whose first own frame is number ``first`` in the file."""
        file, kept = self.file, slice(window.low, window.high)
        judged = judge(window.span, file.convention, frozen_frames(file.fps), file.hands_mean)
        begin = first - window.low
        sequence = np.searchsorted(file.starts, np.arange(begin, begin + len(window.span)), side="right") - 1
        self.sums.add_frames(judged, sequence, kept, first)
        masks = {name: mask[kept] for name, mask in judged.masks.items()}
        self.evidence.add(judged.hands[kept], masks, file.constant[sequence[kept]], file.hands_mean)
        if file.is_known:
            self.suspects.add_dead(masks, judged.hands[kept], sequence[kept], first, self.offset)
        live = [
            self._measure(live_frames(judged, slice(low, high), sequence, begin, file.constant, self.offset))
            for low, high in pairwise([*range(window.low, window.high, BLOCK_FRAMES), window.high])
        ]
        hands, frame, of = (np.concatenate(parts) for parts in zip(*live, strict=True))
        self.points.append(turning_points(hands, frame, of, file.thinning))

    def _measure(self, frames: LiveFrames) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Measure live frames of a window; return their hands, their numbers in the file and their sequences."""
        if len(frames):
            measured = measure(frames, self.statistics) if self.file.is_known else None
            self.sums.add_motion(frames, measured)
            if measured is not None:
                self.suspects.add(frames, measured)
                self._draw(frames)
        return frames.hands, frames.frame, frames.sequence

    def _draw(self, frames: LiveFrames) -> None:
        """Take every so-manyth usable frame into the sample."""
        rows = np.flatnonzero(frames.live.all(axis=1))
        taken = rows[(self.file.phase - self.usable) % self.file.stride :: self.file.stride]
        self.usable += len(rows)
        self.sample.append(frames.hands[taken])
        self.places.append(np.stack([frames.sequence[taken], frames.frame[taken]], axis=1))

    def result(self) -> FileAudit:
        return FileAudit(
            sequences=self.sums.table(),
            suspects=self.suspects.table(),
            statistics=self.statistics,
            evidence=self.evidence,
            points=TurningPoints.joined(self.points),
            sample=np.concatenate(self.sample),
            sample_place=np.concatenate(self.places),
        )
