"""The audit: what can be trusted in each dataset, in numbers and in words."""

from __future__ import annotations

import polars as pl

from data_tools.catalog import Catalog
from data_tools.scanning.dead_hands import DEADLY, REPORTED, SIDES

_KINDS = {
    "nan": "NaN",
    "zero": "zero",
    "mean": "the mean hand",
    "frozen": "frozen",
    "invalid": "marked invalid by the source",
    "copied": "one hand copied onto the other",
}


def audit(catalog: Catalog) -> pl.DataFrame:
    """Sum up a catalog by dataset.

    Args:
        catalog: From :func:`data_tools.scan`.

    Returns:
        One row per dataset: sequences, frames, usable_frames, the shares of frames that are usable and whose left and
        right hand are alive, frames per fault, hand_mean (several joined by commas), fps likewise, flags, and a
        verdict in words.
    """
    counts = (*DEADLY, *REPORTED)
    table = (
        catalog.sequences.group_by("dataset", maintain_order=True)
        .agg(
            pl.col("frames", "usable_frames", "live_left", "live_right", *counts).sum(),
            sequences=pl.len().cast(pl.Int64),
            constant_left=pl.col("frames").filter("constant_left").sum(),
            constant_right=pl.col("frames").filter("constant_right").sum(),
            hand_mean=pl.col("hand_mean").unique().sort().str.join(", "),
            fps=pl.col("fps").unique().sort().cast(pl.String).str.join(", "),
            flags=pl.col("flags").explode().drop_nulls().unique().sort(),
        )
        .with_columns(
            usable=pl.col("usable_frames") / pl.col("frames"),
            **{f"alive_{side}": pl.col(f"live_{side}") / pl.col("frames") for side in SIDES},
        )
        .sort("dataset")
    )
    verdicts = [_verdict(row) for row in table.iter_rows(named=True)]
    lead = ("dataset", "sequences", "frames", "usable_frames", "usable", "alive_left", "alive_right")
    return table.with_columns(verdict=pl.Series(verdicts, dtype=pl.String)).select(
        *lead, "live_left", "live_right", "hand_mean", "fps", "flags", "verdict", *counts
    )


def _verdict(row: dict[str, object]) -> str:
    """One sentence about a dataset's hands."""
    frames = _count(row, "frames")
    parts = [_hands(row, frames)]
    faults = {kind: sum(_count(row, key) for key in DEADLY if key.split("_")[0] == kind) for kind in _KINDS}
    worst = max(faults, key=lambda kind: faults[kind])
    if faults[worst]:
        parts[0] += f" (mostly {_KINDS[worst]})" if sum(map(bool, faults.values())) > 1 else f" ({_KINDS[worst]})"
    if row["hand_mean"] == "unknown":
        parts.append("nobody says whether the mean hand is inside: taken as incl")
    if _count(row, "beyond_pi"):
        parts.append("angles beyond pi are brought back")
    if _count(row, "jitter") > 0.01 * frames:
        parts.append("jittery")
    return "; ".join(parts)


def _hands(row: dict[str, object], frames: int) -> str:
    left, right, usable = (_count(row, key) for key in ("live_left", "live_right", "usable_frames"))
    if left == right == 0:
        return "dead hands: nobody captured them"
    if usable == frames:
        return "both hands alive in every frame"
    if left == right == usable:
        return f"both hands alive in {usable / frames:.1%} of the frames"
    return f"left hand alive in {left / frames:.1%} of the frames, right in {right / frames:.1%}"


def _count(row: dict[str, object], key: str) -> int:
    value = row.get(key)
    return value if isinstance(value, int) else 0
