"""Hands to look at: for every dataset some that are typical of it, and the most suspicious for each reason."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from data_tools.auditing.audit_tables import EXAMPLE_COLUMNS, HANDS_TYPE
from data_tools.auditing.clusters import k_means
from data_tools.auditing.gathering import Gathered
from data_tools.auditing.suspects import PER_REASON
from data_tools.pose_layout import HANDS_DIM

TYPICAL = 4
"""Typical hands of each dataset."""

_ROUNDS = 10


def typical_rows(poses: Float32[np.ndarray, "sample 90"], count: int = TYPICAL) -> Int64[np.ndarray, "typical"]:
    """Choose poses that stand for a sample: the real pose nearest to each of ``count`` centres (k-means).

    Args:
        poses: A spread sample of a dataset's frames.
        count: How many to choose; fewer where there are fewer.
    """
    count = min(count, len(poses))
    if count == 0:
        return np.zeros(0, np.int64)
    # Begin with poses spread over the sample: no chance is involved.
    begin = poses[np.linspace(0, len(poses) - 1, count).astype(int)]
    centres, label = k_means(poses, begin, _ROUNDS)
    chosen = []
    for cluster in np.argsort(-np.bincount(label, minlength=count), kind="stable"):
        members = np.flatnonzero(label == cluster)
        if len(members):
            apart = np.square(poses[members] - centres[cluster]).sum(axis=1)
            chosen.append(int(members[apart.argmin()]))
    return np.array(chosen, np.int64)


def example_table(gathered: Gathered) -> pl.DataFrame:
    """Hands to look at, by dataset, typical ones first (:data:`.EXAMPLE_COLUMNS`).

    Of suspicious hands each dataset keeps the two worst of each reason and side, from different sequences.
    """
    worst = gathered.suspects().sort("score", "row", "frame", "side", descending=[True, False, False, False])
    names = gathered.sequences.select("dataset", "sequence", "path").with_row_index("row").cast({"row": pl.Int64})
    worst = worst.drop("sequence").join(names, on="row", how="left", maintain_order="left")
    worst = worst.group_by("dataset", "reason", "side", maintain_order=True).head(PER_REASON)
    tables = [worst.with_columns(kind=pl.lit("suspicious"), score=pl.when(pl.col("score") > 0).then("score"))]
    for part in gathered.datasets.values():
        sample, places = part.sample, part.places
        rows = typical_rows(sample)
        typical = pl.DataFrame({"row": places[rows, 0], "frame": places[rows, 1]}).with_columns(
            hands=pl.Series(sample[rows].reshape(len(rows), HANDS_DIM), dtype=HANDS_TYPE),
            kind=pl.lit("typical"),
            reason=pl.lit("stands for many of its frames"),
            side=pl.lit("both"),
            score=pl.lit(None, dtype=pl.Float64),
        )
        tables.append(typical.join(names, on="row", how="left", maintain_order="left"))
    every = pl.concat([table.select(*EXAMPLE_COLUMNS) for table in tables])
    return every.sort("dataset", pl.col("kind") == "suspicious", "reason", maintain_order=True)
