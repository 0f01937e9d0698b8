"""One row per dataset: how much of it can be used, how its hands move, and a verdict in words."""

from __future__ import annotations

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
        Further columns: the shares jitter_share and nan_share, those of ``compared``, duplicate_sequences,
        duplicate_frames, also_in (other datasets that hold the same recordings), convention (as the data indicate)
        and convention_agrees.
    """
    judged = conventions.select("dataset", convention="indicated", convention_agrees="agrees")
    shares = {f"{name}_share": pl.col(name) / pl.col("frames") for name in ("jitter", "nan")}
    table = datasets.with_columns(**shares)
    for other in (compared, _copies(duplicates), judged):
        table = table.join(other, on="dataset", how="left")
    table = table.with_columns(
        pl.col("duplicate_sequences", "duplicate_frames").fill_null(0), pl.col("also_in").fill_null([])
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
    return counts.join(elsewhere.agg(also_in=pl.col("other").unique().sort()), on="dataset", how="left")


def _more_words(row: dict[str, object]) -> str:
    parts = []
    if row["convention_agrees"] is False:
        parts.append(f"said to be {row['hand_mean']}, but its hands look {row['convention']}: check the mean hand")
    others = row["also_in"]
    if isinstance(others, list) and others:
        parts.append(f"{_count(row, 'duplicate_sequences')} sequences stand in {', '.join(others)} too")
    elif copies := _count(row, "duplicate_sequences"):
        parts.append(f"{copies} sequences stand in it twice")
    return "".join(f"; {part}" for part in parts)


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
