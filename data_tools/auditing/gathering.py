"""What an audit gathers from all files before it compares: sums and spread samples by dataset, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from data_tools.auditing.convention_evidence import ConventionEvidence
from data_tools.auditing.file_audit import FileAudit
from data_tools.auditing.point_file import PointFile
from data_tools.auditing.pose_statistics import PoseStatistics


@dataclass(eq=False)
class DatasetGathered:
    """What is gathered of one dataset.

    Attributes:
        statistics: Of all its live frames.
        evidence: For or against its stated mean-hand convention.
    """

    statistics: PoseStatistics = field(default_factory=PoseStatistics.none)
    evidence: ConventionEvidence = field(default_factory=ConventionEvidence.none)
    _samples: list[np.ndarray] = field(default_factory=lambda: [np.zeros((0, 90), np.float32)])
    _places: list[np.ndarray] = field(default_factory=lambda: [np.zeros((0, 2), np.int64)])

    def add(self, result: FileAudit, first_row: int) -> None:
        """Take in a file whose first sequence is number ``first_row`` of the catalog."""
        self.statistics.add(result.statistics)
        self.evidence.merge(result.evidence)
        self._samples.append(result.sample)
        self._places.append(result.sample_place + np.array([first_row, 0]))

    @property
    def sample(self) -> Float32[np.ndarray, "sample 90"]:
        """A spread sample of the usable frames, model convention."""
        return _joined(self._samples)

    @property
    def places(self) -> Int64[np.ndarray, "sample 2"]:
        """Row of the catalog and frame of the file of each sampled frame."""
        return _joined(self._places)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Join arrays once: in the list the whole takes the place of its parts, so that all who ask share it."""
    if len(parts) > 1:
        parts[:] = [np.concatenate(parts)]
    return parts[0]


class Gathered:
    """Everything that is gathered, file by file.

    Args:
        sequences: The catalog's rows, by dataset, path and start.
        points: Takes the turning points of all files; ``sequence`` is a row of the catalog, ascending.

    Attributes:
        datasets: By name, in alphabetical order.
        sequences: The catalog's rows.
        points: All turning points.
    """

    def __init__(self, sequences: pl.DataFrame, points: PointFile) -> None:
        self.sequences, self.points = sequences, points
        self.datasets = {name: DatasetGathered() for name in sequences["dataset"].unique().sort()}
        files = sequences.with_row_index("row").group_by("dataset", "path").agg(pl.col("row").min())
        self._first = {(dataset, path): row for dataset, path, row in files.iter_rows()}
        self._sums: list[pl.DataFrame] = []
        self._suspects: list[pl.DataFrame] = []

    def add(self, table: pl.DataFrame, result: FileAudit) -> None:
        """Take in the audit of the file whose sequences are ``table``."""
        dataset, path = str(table["dataset"][0]), str(table["path"][0])
        first = self._first[dataset, path]
        self.datasets[dataset].add(result, first)
        rows = pl.Series("row", np.arange(first, first + len(table)), dtype=pl.Int64)
        self._sums.append(result.sequences.drop("start").with_columns(rows))
        self._suspects.append(result.suspects.with_columns(row=pl.col("sequence") + first))
        self.points.add(replace(result.points, sequence=result.points.sequence + np.int32(first)))

    def sums(self) -> pl.DataFrame:
        """Sums by sequence, with the catalog's columns; null in files that could not be read."""
        rows = self.sequences.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"))
        if not self._sums:
            return rows
        # Joined to the numbers alone, so that the catalog's columns are shared and not copied.
        sums = rows.select("row").join(pl.concat(self._sums), on="row", how="left", maintain_order="left")
        return rows.hstack(sums.drop("row"))

    def suspects(self) -> pl.DataFrame:
        """Suspicious hands of all files, with ``row``: the number of their sequence in the catalog."""
        return pl.concat(self._suspects)

    def total(self) -> PoseStatistics:
        """Statistics of the whole corpus."""
        whole = PoseStatistics.none()
        for gathered in self.datasets.values():
            whole.add(gathered.statistics)
        return whole
