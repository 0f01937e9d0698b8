"""One row per dataset: how much of it can be used, how its hands move, and a verdict in words."""

from __future__ import annotations

from typing import Any

import polars as pl

from data_tools.scanning.dead_hands import DEADLY, REPORTED, SIDES

_KINDS = {
    "nan": "NaN",
    "zero": "zero",
    "mean": "the mean hand",
    "frozen": "frozen",
    "invalid": "marked invalid by the source",
    "copied": "one hand copied onto the other",
}


def dataset_table(sequences: pl.DataFrame) -> pl.DataFrame:
    """Sum up a catalog's sequences by dataset.

    Args:
        sequences: From :class:`data_tools.catalog.Catalog`.

    Returns:
        One row per dataset: sequences, frames, usable_frames, the shares of frames that are usable and whose left and
        right hand are alive, frames per fault, hand_mean (several joined by commas), fps likewise, flags, and a
        verdict in words.
    """
    counts = (*DEADLY, *REPORTED)
    table = (
        sequences.group_by("dataset", maintain_order=True)
        .agg(
            pl.col("frames", "usable_frames", "live_left", "live_right", *counts).sum(),
            sequences=pl.len().cast(pl.Int64),
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


def with_findings(
    datasets: pl.DataFrame, compared: pl.DataFrame, duplicates: pl.DataFrame, conventions: pl.DataFrame
) -> pl.DataFrame:
    """Add to :func:`dataset_table` what the audit found, and say in the verdict what needs a decision.

    Args:
        datasets: One row per dataset.
        compared: distance_to_rest, cells, coverage_gain and novelty by dataset.
        duplicates: Pairs of sequences that show the same recording.
        conventions: Stated and indicated mean-hand conventions.

    Returns:
        Further columns: the shares jitter_share and nan_share, those of ``compared``, duplicate_sequences and
        duplicate_frames (which stand in another sequence too), also_in (other datasets that hold the same recordings)
        and also_in_sequences (how many stand there), convention (as the data indicate) and convention_agrees.
    """
    judged = conventions.select("dataset", convention="indicated", convention_agrees="agrees")
    shares = {f"{name}_share": pl.col(name) / pl.col("frames") for name in ("jitter", "nan")}
    table = datasets.with_columns(**shares)
    for other in (compared, _copies(duplicates), judged):
        table = table.join(other, on="dataset", how="left")
    table = table.with_columns(
        pl.col("duplicate_sequences", "duplicate_frames", "also_in_sequences").fill_null(0),
        pl.col("also_in").fill_null([]),
    )
    words = [_more_words(row) for row in table.iter_rows(named=True)]
    return table.with_columns(verdict=pl.col("verdict") + pl.Series(words, dtype=pl.String))


def _copies(duplicates: pl.DataFrame) -> pl.DataFrame:
    """Sequences and frames of each dataset that stand elsewhere too, and where."""
    sides = (("a", "b"), ("b", "a"))
    both = pl.concat(
        [
            duplicates.select("frames", dataset=f"dataset_{own}", sequence=f"sequence_{own}", other=f"dataset_{far}")
            for own, far in sides
        ]
    )
    each = both.group_by("dataset", "sequence").agg(pl.col("frames").max())
    counts = each.group_by("dataset").agg(
        duplicate_sequences=pl.len().cast(pl.Int64), duplicate_frames=pl.col("frames").sum()
    )
    elsewhere = both.filter(pl.col("dataset") != pl.col("other")).group_by("dataset")
    others = elsewhere.agg(
        also_in=pl.col("other").unique().sort(), also_in_sequences=pl.col("sequence").n_unique().cast(pl.Int64)
    )
    return counts.join(others, on="dataset", how="left")


def _more_words(row: dict[str, Any]) -> str:
    parts = []
    if row["convention_agrees"] is False:
        parts.append(f"said to be {row['hand_mean']}, but its hands look {row['convention']}: check the mean hand")
    elsewhere, within = row["also_in_sequences"], row["duplicate_sequences"] - row["also_in_sequences"]
    if elsewhere:
        parts.append(f"{_sequences(elsewhere)} in {', '.join(row['also_in'])} too")
    if within:
        parts.append(f"{_sequences(within)} in another sequence of it too")
    return "".join(f"; {part}" for part in parts)


def _sequences(count: int) -> str:
    return "1 sequence stands" if count == 1 else f"{count:,} sequences stand"


def _verdict(row: dict[str, Any]) -> str:
    """One sentence about a dataset's hands."""
    parts = [_hands(row)]
    if row["hand_mean"] == "unknown":
        parts.append("nobody says whether the mean hand is inside: taken as incl")
    if row["beyond_pi"]:
        parts.append("angles beyond pi are brought back")
    if row["jitter"] > 0.01 * row["frames"]:
        parts.append("jittery")
    return "; ".join(parts)


def _hands(row: dict[str, Any]) -> str:
    """How many hands are alive, and what is wrong with most of the others."""
    left, right, usable, frames = (row[key] for key in ("live_left", "live_right", "usable_frames", "frames"))
    faults = {kind: sum(row[key] for key in DEADLY if key.split("_")[0] == kind) for kind in _KINDS}
    worst = max(faults, key=lambda kind: faults[kind])
    why = f"{'mostly ' if sum(map(bool, faults.values())) > 1 else ''}{_KINDS[worst]}" if faults[worst] else ""
    if left == right == 0:
        return "dead hands: nobody captured them" + (f" ({why})" if why else "")
    if usable == frames:
        return "both hands alive in every frame"
    if left == right == usable:
        alive = f"both hands alive in {100 * usable / frames:.1f} % of the frames"
    else:
        alive = f"left hand alive in {100 * left / frames:.1f} % of the frames, right in {100 * right / frames:.1f} %"
    return alive + (f", the rest {why}" if why else "")
