"""An audit whose every number is planted, for tests of what is shown of it: no data are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from data_tools.auditing.audit_tables import (
    BINS,
    CONVENTION_COLUMNS,
    DUPLICATE_COLUMNS,
    EXAMPLE_COLUMNS,
    JOINT_COLUMNS,
    AngleHistograms,
    DatasetDistances,
)
from data_tools.dataset_audit import Audit
from data_tools.pose_layout import HAND_JOINT_NAMES


def made_up_audit(names: Sequence[str], *, sequences: int = 4, **changes: Any) -> Audit:
    """An audit of healthy datasets of 1,000, 2,000, ... frames, all live, nothing suspicious.

    Args:
        names: Datasets.
        sequences: Of each, all alike.
        changes: Attributes of the audit to replace.
    """
    count = len(names)
    frames = 1_000 * np.arange(1, count + 1)
    shares = dict.fromkeys(("jitter_share", "out_of_limit_share", "beyond_pi_share", "nan_share"), 0.0)
    datasets = pl.DataFrame(
        {"dataset": list(names), "sequences": sequences, "frames": frames, "usable_frames": frames, "hand_mean": "incl"}
    ).with_columns(
        usable=1.0,
        alive_left=1.0,
        alive_right=1.0,
        fps=pl.lit("30.0"),
        energy=np.pi / 4,
        energy_unit=pl.lit("rad/s"),
        cells=0.5,
        coverage_gain=0.1,
        novelty=0.3,
        verdict=pl.lit("both hands alive in every frame"),
        flags=pl.lit([], dtype=pl.List(pl.String)),
        **shares,
    )
    dataset = np.repeat(list(names), sequences)
    start = np.tile(100 * np.arange(sequences), count)
    rows = pl.DataFrame({"dataset": dataset, "start": start}).with_columns(
        sequence=pl.format("{}/{}", "dataset", "start"),
        path=pl.format("{}.npz", "dataset"),
        stop=pl.col("start") + 100,
        frames=100,
        usable_frames=100,
        energy=1.0,
        energy_unit=pl.lit("rad/s"),
        flags=pl.lit([], dtype=pl.List(pl.String)),
        **shares,
    )
    counts = np.zeros((count, 30, 3, BINS), np.int64)
    counts[..., BINS // 2 - 2 : BINS // 2 + 4] = [1, 5, 20, 20, 4, 1]
    flat = np.where(np.eye(count, dtype=bool), 0.0, 0.25)
    audit = Audit(
        datasets=datasets,
        sequences=rows,
        joints=pl.DataFrame(schema=JOINT_COLUMNS),
        histograms=AngleHistograms(tuple(names), counts),
        distances=DatasetDistances(
            tuple(names),
            per_joint=np.repeat(flat[..., None], 30, axis=2),
            pca=2 * flat,
            covered=1 - flat,
            explained=np.full(4, 0.2),
        ),
        duplicates=pl.DataFrame(schema=DUPLICATE_COLUMNS),
        conventions=pl.DataFrame(
            [[name, "incl", "incl", True, "dead hands equal the mean hand"] for name in names],
            schema=CONVENTION_COLUMNS,
            orient="row",
        ),
        examples=pl.DataFrame(schema=EXAMPLE_COLUMNS),
        root="/data/mocap",
        fingerprint="0123456789abcdef",
    )
    return replace(audit, **changes)


def example(dataset: str, kind: str = "typical", **changes: Any) -> dict[str, Any]:
    """A row of examples: the flat hands of frame 7."""
    return {
        "dataset": dataset,
        "sequence": f"{dataset}/0",
        "path": f"{dataset}.npz",
        "frame": 7,
        "kind": kind,
        "reason": f"{kind} of it",
        "side": "both",
        "score": None if kind == "typical" else 1.0,
        "hands": [0.0] * 90,
    } | changes


def joints(dataset: str, worst: str) -> list[dict[str, Any]]:
    """Rows of joints: one out of its limits in a quarter of the frames, the others never."""
    return [
        {
            "dataset": dataset,
            "side": side,
            "joint": joint,
            "frames": 1_000,
            "out_of_limit": 0.25 if f"{side}_{joint}" == worst else 0.0,
            "out_of_range": 0.0,
            "mean_angle": np.pi / 6,
            "limit_source": "a table of limits",
        }
        for side in ("left", "right")
        for joint in HAND_JOINT_NAMES
    ]


def with_row(table: pl.DataFrame, dataset: str, **values: Any) -> pl.DataFrame:
    """The table with some values of one dataset's rows replaced."""
    return table.with_columns(
        pl.when(pl.col("dataset") == dataset).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )
