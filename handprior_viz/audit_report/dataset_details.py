"""What a dataset shows when it is opened: pictures of its hands, its joint angles, its worst sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from data_tools.dataset_audit import Audit
from handprior_viz.audit_report.dataset_pairs import joint_words
from handprior_viz.audit_report.dataset_rows import DatasetRow, number
from handprior_viz.audit_report.joint_histograms import HistogramSheet, JointLine
from handprior_viz.audit_report.worst_sequences import SequenceRow, worst_sequences
from handprior_viz.figures import minus
from handprior_viz.number_words import percent

Draw = Callable[[Float[np.ndarray, "90"]], str | None]
"""Turns a pose into a data URI; None for one that cannot be drawn."""

Progress = Callable[[int, int, str], None]

PICTURES = 380
"""Pictures in a report, at most: about 2.5 MB."""

_EACH = 12  # pictures of a dataset, at most
_TYPICAL = 4
_JOINTS = 6


@dataclass(frozen=True)
class Picture:
    """A drawn hand: what is wrong with it, and its file and frame. ``uri`` is None where it cannot be drawn."""

    uri: str | None
    reason: str
    path: str
    frame: int


@dataclass(frozen=True)
class WorstJoint:
    """A joint, and how often it lies out of its limits and beyond the anatomical range."""

    words: str
    out_of_limit: float
    out_of_range: float | None
    mean_angle: str


@dataclass(frozen=True)
class DatasetDetails:
    """All that one opened line shows."""

    facts: tuple[tuple[str, str], ...]
    typical: tuple[Picture, ...]
    suspicious: tuple[Picture, ...]
    lines: tuple[JointLine, ...]
    joints: tuple[WorstJoint, ...]
    joints_source: str
    sequences: tuple[SequenceRow, ...]


def dataset_details(
    audit: Audit,
    rows: Sequence[DatasetRow],
    sheet: HistogramSheet,
    draw: Draw,
    progress: Progress | None = None,
) -> dict[str, DatasetDetails]:
    """Prepare what each dataset shows, by name.

    Args:
        audit: From :func:`data_tools.audit`.
        rows: Datasets in order.
        sheet: Histograms, from the same audit.
        draw: Draws a pose.
        progress: Called after each dataset.
    """
    pictures = max(2, min(_EACH, PICTURES // max(len(rows), 1)))
    typical = min(_TYPICAL, pictures // 2)
    worst = worst_sequences(audit.sequences)
    details = {}
    for done, row in enumerate(rows, start=1):
        mine = audit.examples.filter(pl.col("dataset") == row.name)
        details[row.name] = DatasetDetails(
            facts=_facts(row),
            typical=_pictures(mine.filter(pl.col("kind") == "typical").head(typical), draw),
            suspicious=_pictures(_suspicious(mine).head(pictures - typical), draw),
            lines=tuple(sheet.lines(row.name)),
            joints=_worst_joints(joints := audit.joints.filter(pl.col("dataset") == row.name)),
            joints_source="; ".join(joints["limit_source"].drop_nulls().unique().sort()),
            sequences=tuple(worst.get(row.name, ())),
        )
        if progress:
            progress(done, len(rows), row.name)
    return details


def _suspicious(examples: pl.DataFrame) -> pl.DataFrame:
    """Suspicious hands, the worst of each reason first: how bad two of different reasons are cannot be compared."""
    found = examples.filter(pl.col("kind") == "suspicious").sort("score", descending=True, nulls_last=True)
    rank = pl.int_range(pl.len()).over("reason")
    return found.sort(rank, pl.col("score").is_null(), maintain_order=True)


def _facts(row: DatasetRow) -> tuple[tuple[str, str], ...]:
    """What the table has no room for."""
    shares = (
        ("of its motion is noise", row.noise),
        ("of live joints beyond the anatomical range", row.out_of_range),
        ("of frames hold NaN", row.nan or None),
    )
    facts = [(percent(value), words) for words, value in shares if value is not None]
    if row.apart is not None:
        facts.append((f"{row.apart:.2f}", "from all other datasets together (0 alike, 1 unlike)"))
    if row.doubled:
        facts.append((f"{row.doubled:,}", "frames that stand elsewhere too"))
    return tuple(facts)


def _pictures(examples: pl.DataFrame, draw: Draw) -> tuple[Picture, ...]:
    return tuple(
        Picture(
            draw(np.asarray(one["hands"], np.float32)),
            _reason(one),
            one["path"],
            one["frame"],
        )
        for one in examples.iter_rows(named=True)
    )


def _reason(example: Mapping[str, Any]) -> str:
    """What is wrong with a hand, and which; empty for a typical one."""
    if example["kind"] == "typical":
        return ""
    reason, side = example["reason"], example["side"]
    if side in ("left", "right") and side not in reason:
        return f"{reason}, {side} hand"
    return str(reason)


def _worst_joints(joints: pl.DataFrame) -> tuple[WorstJoint, ...]:
    found = joints.filter(pl.col("out_of_limit").fill_nan(0) > 0).sort("out_of_limit", descending=True).head(_JOINTS)
    return tuple(
        WorstJoint(
            joint_words(f"{row['side']}_{row['joint']}"),
            row["out_of_limit"],
            number(row, "out_of_range"),
            "–" if (angle := number(row, "mean_angle")) is None else minus(f"{np.degrees(angle):.0f}°"),
        )
        for row in found.iter_rows(named=True)
    )
