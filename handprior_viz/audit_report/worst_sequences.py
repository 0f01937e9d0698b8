"""Which sequences of a dataset to look at first: the worst by each fault, a few of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from handprior_viz.audit_report.dataset_rows import degrees, energy_unit, joint_share, share

SHOWN = 12
"""Sequences shown per dataset, at most; the rest is in the Parquet files."""

_EACH = 3  # of each fault


@dataclass(frozen=True)
class SequenceRow:
    """One sequence; shares are 0 to 1 (of frames, or of live joints), energy in degrees per second or frame."""

    name: str
    path: str
    start: int
    stop: int
    dead: float
    energy: float | None
    energy_unit: str
    jitter: float | None
    out_of_limit: float | None
    beyond_pi: float | None
    nan: float | None
    flags: tuple[str, ...]


def worst_sequences(sequences: pl.DataFrame) -> dict[str, list[SequenceRow]]:
    """The sequences that most want a look, by dataset, worst first; datasets without a fault have none.

    Args:
        sequences: :attr:`data_tools.dataset_audit.Audit.sequences`.
    """
    if sequences.is_empty():
        return {}
    badness = _badness(sequences.columns)
    ranked = sequences.with_columns(**badness).with_columns(_total=pl.sum_horizontal(*badness))
    picked = [
        ranked.filter(pl.col(name) > 0).sort(name, descending=True, maintain_order=True).group_by("dataset").head(_EACH)
        for name in badness
    ]
    found = pl.concat(picked).unique(subset=["dataset", "path", "start"], keep="first", maintain_order=True)
    found = (
        found.sort("_total", descending=True, maintain_order=True).group_by("dataset", maintain_order=True).head(SHOWN)
    )
    rows: dict[str, list[SequenceRow]] = {}
    for row in found.iter_rows(named=True):
        rows.setdefault(row["dataset"], []).append(_row(row))
    return rows


def _badness(columns: list[str]) -> dict[str, pl.Expr]:
    """Each fault as a share, from the columns that there are."""
    frames = pl.col("frames").clip(lower_bound=1)
    counted = {name: pl.col(name) / frames for name in ("jitter", "nan")}
    shares = {name: pl.col(f"{name}_share") for name in ("jitter", "nan", "out_of_limit", "beyond_pi")}
    found = {"dead": 1 - pl.col("usable_frames") / frames}
    found |= {name: value for name, value in counted.items() if name in columns}
    found |= {name: value for name, value in shares.items() if f"{name}_share" in columns}
    return {f"_{name}": value.cast(pl.Float64).fill_nan(0).fill_null(0) for name, value in found.items()}


def _row(row: Mapping[str, Any]) -> SequenceRow:
    return SequenceRow(
        name=row["sequence"],
        path=row["path"],
        start=row["start"],
        stop=row["stop"],
        dead=1 - row["usable_frames"] / max(row["frames"], 1),
        energy=degrees(row, "energy"),
        energy_unit=energy_unit(row),
        jitter=share(row, "jitter"),
        out_of_limit=joint_share(row, "out_of_limit"),
        beyond_pi=joint_share(row, "beyond_pi"),
        nan=share(row, "nan"),
        flags=tuple(row.get("flags") or ()),
    )
