"""What nearest distances say about a split: whether it leaks, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

Verdict = Literal["honest", "partly", "leaks", "cannot tell"]

HONEST, LEAKING = 0.10, 0.35
"""Share of test frames nearer to train than train frames lie to each other: up to the first a split is called honest,
from the second on it leaks. A shuffled split has one half."""

TELLING = 1.15
"""Leaks can be told only where frames of other sequences lie so many times farther than neighbours in time do."""

IDENTICAL = 1e-4
"""Frames nearer than this (radians, over both hands) are the same frame: rounding of float32 stays below it."""

FEW_COPIES, MANY_COPIES = 0.001, 0.01
"""Share of test or val frames that stand in train as well: beyond the first it is said, beyond the second it leaks."""

SHUFFLED = "test to train, had frames been shuffled"


@dataclass(frozen=True)
class LeakRow:
    """Nearest distances from some frames to others, radians over both hands.

    Attributes:
        name: From which frames to which.
        frames: How many were looked at.
        quarter: A quarter of the frames lies nearer.
        median: Half of the frames lies nearer.
        three_quarters: Three quarters of the frames lie nearer.
        nearer: Share of the frames nearer than the median distance between train frames.
        identical: Share of the frames that are there a second time; from test and val to train all frames are looked
            at, not only the sampled ones.
    """

    name: str
    frames: int
    quarter: float
    median: float
    three_quarters: float
    nearer: float
    identical: float

    @classmethod
    def of(cls, name: str, distances: Float[np.ndarray, "frames"], limit: float) -> LeakRow:
        """Sum up distances; ``limit`` is the median distance between train frames."""
        quarter, median, three_quarters = np.quantile(distances, [0.25, 0.5, 0.75]).tolist()
        near: Bool[np.ndarray, "frames"] = distances < limit
        return cls(
            name,
            len(distances),
            quarter,
            median,
            three_quarters,
            float(near.mean()),
            float((distances < IDENTICAL).mean()),
        )


def judged(rows: Mapping[str, LeakRow]) -> tuple[Verdict, str]:
    """What the distances say, in one word and in a sentence.

    Args:
        rows: By name; ``test to train``, ``train to train`` and :data:`SHUFFLED` are among them.
    """
    test, shuffled = rows["test to train"], rows[SHUFFLED]
    near = (
        f"{100 * test.nearer:.0f} % of the test frames lie nearer to a train frame than train frames lie to each "
        f"other; {100 * shuffled.nearer:.0f} % would if frames had been shuffled"
    )
    copies = {name: row.identical for name, row in rows.items() if name in ("test to train", "val to train")}
    if max(copies.values()) > FEW_COPIES:
        what = " and ".join(
            f"{100 * share:.1f} % of the {name.split()[0]} frames" for name, share in copies.items() if share
        )
        leaks = max(copies.values()) > MANY_COPIES
        end = "the split leaks" if leaks else "a few recordings are in the sources twice"
        return "leaks" if leaks else "partly", f"{what} stand in train as well: {end}. {near}"
    other = rows.get("train to train of other sequences")
    if test.nearer <= HONEST:
        return "honest", f"{near}: the split does not leak"
    if other is not None and other.median < TELLING * rows["train to train"].median:
        return "cannot tell", (
            f"{near}; but train frames lie as near to other sequences as to their own, because frames were drawn far "
            "apart in time or movements repeat: distances cannot tell a leak here"
        )
    if test.nearer >= LEAKING:
        return "leaks", f"{near}: the split leaks as a shuffled one does"
    return "partly", f"{near}: some test frames have close relatives in train; look for copies and for repeated takes"
