"""Measures of each dataset from the sums of its sequences, and of each of its joints."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from data_tools.auditing.audit_tables import JOINT_COLUMNS
from data_tools.auditing.joint_limits import HAS_LIMIT, LIMIT_SOURCE
from data_tools.auditing.pose_statistics import PoseStatistics
from data_tools.auditing.sequence_sums import SUMS, measures
from data_tools.pose_layout import HAND_JOINT_NAMES
from data_tools.scanning.dead_hands import SIDES


def dataset_measures(sums: pl.DataFrame) -> pl.DataFrame:
    """One row per dataset: its measures. Where some sequences have a frame rate, energy is of those alone.

    Args:
        sums: One row per sequence, from :meth:`.Gathered.sums`.
    """
    has_rate = pl.col("fps").is_not_null()
    moving = [f"{name}_{side}" for name in ("steps", "turned") for side in SIDES]
    rated = sums.with_columns(has_rate.any().over("dataset").alias("rated")).with_columns(
        # Radians per second, sequence by sequence; those of unknown rate do not count beside others.
        *(
            pl.when(pl.col("rated") & ~has_rate).then(0.0)
            .otherwise(pl.col(f"steps_{s}")).alias(f"steps_{s}")
            for s in SIDES
        ),
        *(
            pl.when(pl.col("rated")).then(pl.col(f"turned_{s}") * pl.col("fps").fill_null(0.0) ** 2)
            .otherwise(pl.col(f"turned_{s}")).alias(f"turned_{s}")
            for s in SIDES
        ),
    )  # fmt: skip
    energy = rated.group_by("dataset").agg(pl.col(moving).sum(), rated=pl.col("rated").first())
    unit_rate = pl.when("rated").then(1.0).alias("fps")  # the rate is inside the sums already
    energy = energy.with_columns(unit_rate, *(pl.lit(0.0).alias(name) for name in _all_sums() if name not in moving))
    whole = sums.group_by("dataset").agg(pl.col(_all_sums()).sum()).with_columns(fps=pl.lit(None, dtype=pl.Float64))
    names = ("noise", "out_of_limit_share", "out_of_range_share", "beyond_pi_share")
    rest = measures(whole).select("dataset", *(f"{name}{end}" for name in names for end in _ENDS))
    rest = rest.rename({f"{name}_share{s}": f"{name}{s}" for name in ("out_of_limit", "out_of_range") for s in _ENDS})
    return (
        measures(energy)
        .select("dataset", "energy", "energy_left", "energy_right", "energy_unit")
        .join(rest, on="dataset")
    )


_ENDS = ("", "_left", "_right")


def _all_sums() -> list[str]:
    return [f"{name}_{side}" for name in SUMS for side in SIDES]


def joint_table(statistics: Mapping[str, PoseStatistics]) -> pl.DataFrame:
    """One row per dataset, side and joint (:data:`.JOINT_COLUMNS`)."""
    rows = []
    for dataset, known in statistics.items():
        for joint in range(30):
            side, frames = joint // 15, int(known.live[joint // 15])
            shares = [float(part[joint]) / frames if frames else None for part in _parts(known)]
            limit = shares[0] if HAS_LIMIT[joint] else None
            name = HAND_JOINT_NAMES[joint % 15]
            source = LIMIT_SOURCE if HAS_LIMIT[joint] else None
            rows.append((dataset, SIDES[side], name, frames, limit, *shares[1:], source))
    return pl.DataFrame(rows, schema=JOINT_COLUMNS, orient="row")


def _parts(known: PoseStatistics) -> tuple[np.ndarray, ...]:
    return known.out_of_limit, known.out_of_range, known.angle
