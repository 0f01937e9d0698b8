"""What the audit measures of each sequence: sums over its live frames, frozen spans, and a hash of its mirror image."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import xxhash
from jaxtyping import Float32, Int64

from data_tools.auditing.joint_limits import WITH_LIMIT
from data_tools.auditing.live_frames import EACH_SIDE, LiveFrames
from data_tools.auditing.pose_statistics import Measured
from data_tools.pose_layout import mirror_hands
from data_tools.scanning.dead_hands import SIDES
from data_tools.scanning.file_scan import Judged
from data_tools.scanning.sequence_tally import joined, listed, runs_of

SUMS = ("alive", "steps", "turned", "bends", "bent", "measured", "out_of_limit", "out_of_range", "beyond_pi")

_HASHED = 16  # one frame of so many
_ROUNDING = np.float32(1e4)  # a hash of values in steps of 1e-4 rad: 0.0 and -0.0 are one


class SequenceSums:
    """Adds up what is measured, by sequence, while the frames of a file go by.

    Args:
        starts: First frame of each sequence of the file, ascending from 0.
    """

    def __init__(self, starts: Int64[np.ndarray, "sequences"]) -> None:
        self.starts = starts
        self._sums = np.zeros((len(starts), 2 * len(SUMS)))
        self._frozen: dict[str, list[np.ndarray]] = {side: [np.zeros((0, 3), np.int64)] for side in SIDES}
        self._digests = [("", "")] * len(starts)
        self._open: int | None = None  # the sequence whose hashes go on
        self._own, self._mirrored = xxhash.xxh3_128(), xxhash.xxh3_128()

    def add_motion(self, frames: LiveFrames, measured: Measured | None) -> None:
        """Take in live frames; without ``measured`` (no mean hand known) only their motion."""
        if not len(frames):
            return
        starts = np.flatnonzero(np.diff(frames.sequence, prepend=-1))
        numbers = frames.sequence[starts]
        steps, bends = np.isfinite(frames.turned), np.isfinite(frames.bent)
        motion = [frames.live, steps, np.where(steps, frames.turned, 0), bends, np.where(bends, frames.bent, 0)]
        by_frame = np.concatenate(motion, axis=1, dtype=np.float64)
        self._sums[numbers, : by_frame.shape[1]] += np.add.reduceat(by_frame, starts, axis=0)
        if measured is None:
            return
        # As a matrix product that adds up each sequence's frames: joint by joint it is ten times as fast.
        each_sequence = (numbers[:, None] == frames.sequence).astype(np.float32)
        by_joint = (measured.out_of_limit, measured.out_of_range, measured.beyond_pi)
        counts = [each_sequence @ frames.live, *(each_sequence @ part @ EACH_SIDE for part in by_joint)]
        self._sums[numbers, by_frame.shape[1] :] += np.concatenate(counts, axis=1)

    def add_frames(self, judged: Judged, sequence: Int64[np.ndarray, "frames"], kept: slice, first: int) -> None:
        """Take in frames, dead or alive, for their frozen spans and hashes.

        Args:
            judged: A window.
            sequence: Which sequence each of its frames belongs to.
            kept: The window's own frames.
            first: Number in the file of the first of these.
        """
        sequence = sequence[kept]
        starts = np.flatnonzero(np.diff(sequence, prepend=-1))
        for side in SIDES:
            mask = judged.masks[f"frozen_{side}"][kept]
            if mask.any():
                self._frozen[side].append(runs_of(mask, starts, sequence[starts], first))
        self._add_hashes(judged.hands[kept], sequence, first)

    def _add_hashes(
        self, hands: Float32[np.ndarray, "frames 90"], sequence: Int64[np.ndarray, "frames"], first: int
    ) -> None:
        rows = np.flatnonzero((np.arange(first, first + len(hands)) - self.starts[sequence]) % _HASHED == 0)
        hands, sequence = hands[rows], sequence[rows]
        with np.errstate(invalid="ignore", over="ignore"):
            own, mirrored = ((part * _ROUNDING).astype(np.int32) for part in (hands, mirror_hands(hands)))
        edges = np.flatnonzero(np.diff(sequence)) + 1
        for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(rows)], strict=True):
            if start == stop:
                continue
            number = int(sequence[start])
            if self._open != number:
                self._close()
                self._open = number
                self._own, self._mirrored = xxhash.xxh3_128(), xxhash.xxh3_128()
            self._own.update(own[start:stop].data)
            self._mirrored.update(mirrored[start:stop].data)

    def _close(self) -> None:
        if self._open is not None:
            self._digests[self._open] = self._own.hexdigest(), self._mirrored.hexdigest()

    def table(self) -> pl.DataFrame:
        """One row per sequence: start, the sums, frozen spans (flat lists of starts and stops), and two hashes."""
        self._close()
        nobody = np.zeros(len(self.starts), bool)
        columns: dict[str, Any] = {"start": self.starts}
        for index, name in enumerate(SUMS):
            for side, word in enumerate(SIDES):
                columns[f"{name}_{word}"] = self._sums[:, 2 * index + side]
        for word, parts in self._frozen.items():
            spans = listed(joined(np.concatenate(parts)), nobody)
            columns[f"frozen_spans_{word}"] = pl.Series(spans, dtype=pl.List(pl.Int64))
        columns["hash"], columns["mirror_hash"] = zip(*self._digests, strict=True)
        return pl.DataFrame(columns)


def measures(sums: pl.DataFrame) -> pl.DataFrame:
    """Turn sums into measures: see :data:`.DEFINITIONS`.

    Args:
        sums: Rows of :meth:`SequenceSums.table`, or sums of such rows, with a column fps (null where unknown).

    Returns:
        ``sums`` with further columns; a measure is null where no frame or step can be measured.
    """
    rate = pl.col("fps").fill_null(1.0)
    both = {name: pl.col(f"{name}_left") + pl.col(f"{name}_right") for name in SUMS}
    sides = {word: {name: pl.col(f"{name}_{word}") for name in SUMS} for word in SIDES}
    columns = {"energy_unit": pl.when(pl.col("fps").is_null()).then(pl.lit("rad/frame")).otherwise(pl.lit("rad/s"))}
    for suffix, part in (("", both), *((f"_{word}", sides[word]) for word in SIDES)):
        columns[f"energy{suffix}"] = _ratio(part["turned"], part["steps"]).sqrt() * rate
        columns[f"noise{suffix}"] = _ratio(part["bent"] * part["steps"], 3 * part["turned"] * part["bends"])
        for name, joints in (("out_of_limit", WITH_LIMIT), ("out_of_range", 15), ("beyond_pi", 15)):
            columns[f"{name}_share{suffix}"] = _ratio(part[name], joints * part["measured"])
    return sums.with_columns(**columns)


def _ratio(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    return pl.when(below > 0).then(above / below)
