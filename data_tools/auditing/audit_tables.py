"""What the audit's results look like: histograms and distances with their labels, and the columns of each table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int64

from data_tools.pose_layout import HAND_NAMES_90

ANGLES = ("flexion", "abduction", "twist")
"""The three angles of a joint (:mod:`data_tools.joint_axes`); of the thumb's base: opposition, adduction, lift."""

BINS = 72
EDGES: Float[np.ndarray, "73"] = np.linspace(-np.pi, np.pi, BINS + 1)
"""Edges of every histogram, radians: bins of 5 degrees, the same for all angles and datasets."""


@dataclass(frozen=True, eq=False)
class AngleHistograms:
    """How often each joint takes which angle, over the frames in which its hand is alive.

    Attributes:
        datasets: Names, in the order of the first axis.
        counts: (datasets, 30 joints, 3 angles, 72 bins) frames. All zero for a dataset with no hand alive, or whose
            hands are relative to a mean hand that is not known.
        joints: Names of the 30 joints, left hand first.
        angles: Names of the three angles.
        edges: (73,) radians.
    """

    datasets: tuple[str, ...]
    counts: Int64[np.ndarray, "datasets 30 3 72"]
    joints: tuple[str, ...] = HAND_NAMES_90
    angles: tuple[str, ...] = ANGLES

    @property
    def edges(self) -> Float[np.ndarray, "73"]:
        return EDGES

    def table(self) -> pl.DataFrame:
        """One row per bin that is not empty: dataset, joint, angle, low and high edge, frames."""
        dataset, joint, angle, place = np.nonzero(self.counts)
        return pl.DataFrame(
            {
                "dataset": pl.Series(np.array(self.datasets, dtype=object)[dataset].tolist(), dtype=pl.String),
                "joint": pl.Series(np.array(self.joints, dtype=object)[joint].tolist(), dtype=pl.String),
                "angle": pl.Series(np.array(self.angles, dtype=object)[angle].tolist(), dtype=pl.String),
                "low": EDGES[place],
                "high": EDGES[place + 1],
                "frames": self.counts[dataset, joint, angle, place],
            }
        )

    @classmethod
    def of_table(cls, table: pl.DataFrame, datasets: tuple[str, ...]) -> AngleHistograms:
        """What :meth:`table` was made from; datasets without frames are not in it, so all are named."""
        counts = np.zeros((len(datasets), len(HAND_NAMES_90), len(ANGLES), BINS), np.int64)
        columns = (("dataset", datasets), ("joint", HAND_NAMES_90), ("angle", ANGLES))
        place = np.searchsorted(EDGES, (table["low"].to_numpy() + table["high"].to_numpy()) / 2) - 1
        counts[(*(_places(table[name], among) for name, among in columns), place)] = table["frames"].to_numpy()
        return cls(datasets, counts)


@dataclass(frozen=True, eq=False)
class DatasetDistances:
    """How far datasets lie apart: Jensen-Shannon divergence in bits, 0 for equal and 1 for disjoint distributions.

    Attributes:
        datasets: Names, in the order of the axes.
        per_joint: (datasets, datasets, 30): mean over a joint's three angle histograms. NaN where one of the two has
            no live frames of that hand.
        pca: (datasets, datasets): mean over the histograms of the first principal components of both hands, taken
            over all usable frames of the whole corpus. NaN where one has no usable frames.
        covered: (datasets, datasets): share of the row's frames that some frame of the column comes near
            (:mod:`.coverage`).
        explained: Share of the corpus's variance along each of these components.
        joints: Names of the 30 joints.
    """

    datasets: tuple[str, ...]
    per_joint: Float[np.ndarray, "datasets datasets 30"]
    pca: Float[np.ndarray, "datasets datasets"]
    covered: Float[np.ndarray, "datasets datasets"]
    explained: Float[np.ndarray, "components"]
    joints: tuple[str, ...] = HAND_NAMES_90

    def table(self) -> pl.DataFrame:
        """One row per ordered pair of datasets: dataset_a, dataset_b, pca, joints (mean), covered."""
        first, second = (part.ravel() for part in np.indices(self.pca.shape))
        names = np.array(self.datasets, dtype=object)
        has_joint = np.isfinite(self.per_joint)
        joints = np.where(has_joint, self.per_joint, 0).sum(axis=-1) / np.maximum(has_joint.sum(axis=-1), 1)
        return pl.DataFrame(
            {
                "dataset_a": pl.Series(names[first].tolist(), dtype=pl.String),
                "dataset_b": pl.Series(names[second].tolist(), dtype=pl.String),
                "pca": self.pca.ravel(),
                "joints": np.where(has_joint.any(axis=-1), joints, np.nan).ravel(),
                "covered": self.covered.ravel(),
            }
        ).with_columns(pl.col("pca", "joints", "covered").fill_nan(None))

    def joint_table(self) -> pl.DataFrame:
        """One row per pair of datasets (each pair once) and joint: dataset_a, dataset_b, joint, divergence."""
        first, second = np.triu_indices(len(self.datasets), 1)
        names, joints = np.array(self.datasets, dtype=object), len(self.joints)
        return pl.DataFrame(
            {
                "dataset_a": np.repeat(names[first], joints).tolist(),
                "dataset_b": np.repeat(names[second], joints).tolist(),
                "joint": list(self.joints) * len(first),
                "divergence": self.per_joint[first, second].ravel(),
            },
            schema={"dataset_a": pl.String, "dataset_b": pl.String, "joint": pl.String, "divergence": pl.Float64},
        ).with_columns(pl.col("divergence").fill_nan(None))

    @classmethod
    def of_tables(
        cls,
        pairs: pl.DataFrame,
        joints: pl.DataFrame,
        histograms: AngleHistograms,
        explained: Float[np.ndarray, "components"],
    ) -> DatasetDistances:
        """What :meth:`table` (``pairs``) and :meth:`joint_table` (``joints``) were made from.

        A dataset's distance from itself is in neither: it is 0 for the joints that its histograms have frames of.
        """
        datasets = histograms.datasets
        first, second = _places(pairs["dataset_a"], datasets), _places(pairs["dataset_b"], datasets)
        pca, covered = (np.full((len(datasets), len(datasets)), np.nan) for _ in range(2))
        for name, square in (("pca", pca), ("covered", covered)):
            square[first, second] = pairs[name].fill_null(np.nan).to_numpy()
        per_joint = np.full((*pca.shape, len(HAND_NAMES_90)), np.nan)
        first, second = _places(joints["dataset_a"], datasets), _places(joints["dataset_b"], datasets)
        joint, apart = _places(joints["joint"], HAND_NAMES_90), joints["divergence"].fill_null(np.nan).to_numpy()
        per_joint[first, second, joint] = per_joint[second, first, joint] = apart
        itself = np.arange(len(datasets))
        per_joint[itself, itself] = np.where(histograms.counts.any(axis=(2, 3)), 0.0, np.nan)
        return cls(datasets, per_joint, pca, covered, explained)


def _places(column: pl.Series, among: tuple[str, ...]) -> Int64[np.ndarray, "rows"]:
    """Where each name of a column stands among all; one that does not is a ``PolarsError``."""
    names = column.cast(pl.String)
    return names.replace_strict(list(among), list(range(len(among))), return_dtype=pl.Int64).to_numpy()


DUPLICATE_COLUMNS = {
    "kind": pl.String,  # exact, mirrored or near
    "dataset_a": pl.String,
    "sequence_a": pl.String,
    "dataset_b": pl.String,
    "sequence_b": pl.String,
    "share": pl.Float64,  # of the shorter sequence that is found in the other
    "frames": pl.Int64,  # of the shorter sequence that are found in the other
    "rate": pl.Float64,  # frames of b for each frame of a
    "distance": pl.Float64,  # radians, RMS over joints
}
"""Columns of :attr:`~data_tools.dataset_audit.Audit.duplicates`."""

CONVENTION_COLUMNS = {
    "dataset": pl.String,
    "stated": pl.String,
    "indicated": pl.String,  # incl, rel or unclear
    "agrees": pl.Boolean,  # null where one of the two is not known
    "evidence": pl.String,
}

HANDS_TYPE = pl.Array(pl.Float32, 90)

EXAMPLE_COLUMNS = {
    "dataset": pl.String,
    "sequence": pl.String,
    "path": pl.String,
    "frame": pl.Int64,  # of the file
    "kind": pl.String,  # typical or suspicious
    "reason": pl.String,
    "side": pl.String,  # left, right or both
    "score": pl.Float64,  # how bad; null for typical hands
    "hands": HANDS_TYPE,  # model convention: mean included, principal, radians
}

JOINT_COLUMNS = {
    "dataset": pl.String,
    "side": pl.String,
    "joint": pl.String,  # index1 and so on
    "frames": pl.Int64,  # in which that hand is alive
    "out_of_limit": pl.Float64,  # share outside the box of limit_source
    "out_of_range": pl.Float64,  # share outside the anatomical range
    "mean_angle": pl.Float64,  # radians
    "limit_source": pl.String,
}
