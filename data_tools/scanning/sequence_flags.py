"""What is wrong with a sequence, in words that people read: flags from the counts of faulty frames."""

from __future__ import annotations

import polars as pl

from data_tools.scanning.dead_hands import SIDES

JITTER_FRAMES = 5
"""A sequence with at least so many jittering frames is flagged."""

DEAD = "dead hands"
"""Flag of a sequence in which neither hand was captured."""

MEAN_UNKNOWN = "mean hand unknown"
"""Flag of a sequence whose source does not say whether the mean hand is inside its values."""


def _flags() -> dict[str, pl.Expr]:
    """The condition of each flag, over the columns of a file's scan."""
    flags = {
        DEAD: (pl.col("live_left") == 0) & (pl.col("live_right") == 0),
        "NaN frames": pl.col("nan") > 0,
        "copied hands": pl.col("copied") > 0,
        "jitter": pl.col("jitter") >= JITTER_FRAMES,
        "angles beyond pi": pl.col("beyond_pi") > 0,
        MEAN_UNKNOWN: pl.col("hand_mean") == "unknown",
        "frame rate unknown": pl.col("fps").is_null(),
    }
    for side in SIDES:
        other = "right" if side == "left" else "left"
        flags[f"dead {side} hand"] = (pl.col(f"live_{side}") == 0) & (pl.col(f"live_{other}") > 0)
        flags[f"constant {side} hand"] = pl.col(f"constant_{side}")
        flags[f"frozen {side} hand"] = (pl.col(f"frozen_{side}") > 0) & ~pl.col(f"constant_{side}")
        for kind in ("zero", "mean", "invalid"):
            flags[f"{kind} {side} hand"] = pl.col(f"{kind}_{side}") > 0
    return flags


FLAGS = tuple(_flags())
"""Every flag that a sequence can have."""


def with_flags(sequences: pl.DataFrame) -> pl.DataFrame:
    """Add the column ``flags``: a list of what is worth knowing about each sequence."""
    words = [pl.when(condition).then(pl.lit(flag)) for flag, condition in _flags().items()]
    return sequences.with_columns(flags=pl.concat_list(words).list.drop_nulls())
