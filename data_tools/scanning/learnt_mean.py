"""The mean hand, learnt from the user's own recordings where no model file gives it.

In data with the mean hand inside (AMASS, BEDLAM, MoSh++) a hand that nobody captured equals the model's mean hand in
every frame, to 5e-8 rad. So a value that hands hold from the first frame to the last, left and right mirror images of
each other, in sequence after sequence, is the mean hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from data_tools.hand_mean import equals_mean
from data_tools.pose_layout import mirror_hand
from data_tools.scanning.dead_hands import SIDES
from data_tools.scanning.file_scan import STILL

MANO_ANGLE = 0.5723
"""Mean joint angle of MANO's mean hand, radians: a value of this size needs no second witness."""

_ANGLE_TOLERANCE = 2e-4
_PLAUSIBLE = (0.2, 1.0)
"""Mean joint angle of a relaxed hand, radians. A flat hand has 0, a fist more than 1."""

_MIRRORED = 1e-3  # rad: room for float16
_SAME = 1e-3
_LEAST_SEQUENCES = 3


@dataclass(frozen=True)
class LearntMean:
    """A mean hand, and where it was learnt.

    Attributes:
        hands_mean: (90) left then right, axis-angle in radians.
        source: In words.
    """

    hands_mean: tuple[float, ...]
    source: str


def learn_mean_hand(sequences: pl.DataFrame) -> LearntMean | None:
    """Find the value that uncaptured hands share.

    It must be held by both hands as mirror images, be neither flat nor a fist, and be shared by several datasets; or by
    several sequences of the only dataset that holds such hands; or have the size that MANO's mean hand is known to
    have. Where several values qualify the one that most datasets share is taken; a draw teaches nothing.

    Args:
        sequences: One row per sequence: dataset, hand_mean, still_left, still_right (null where a hand moves).

    Returns:
        The mean hand, or None where it cannot be told.
    """
    still = sequences.filter(*(pl.col(name).is_not_null() for name in STILL), pl.col("hand_mean") != "rel")
    if still.is_empty():
        return None
    left, right = (np.array(still[name].to_list(), np.float64) for name in STILL)
    angles = np.linalg.norm(left.reshape(len(left), -1, 3), axis=2).mean(axis=1)
    mirrored = np.abs(left - mirror_hand(right)).max(axis=1) <= _MIRRORED
    is_fit = mirrored & (angles > _PLAUSIBLE[0]) & (angles < _PLAUSIBLE[1])
    hands, names, angles = np.hstack([left, right])[is_fit], still["dataset"].to_numpy()[is_fit], angles[is_fit]
    votes = []
    remaining = np.arange(len(hands))
    while len(remaining):
        same = np.abs(hands[remaining] - hands[remaining[0]]).max(axis=1) <= _SAME
        group, remaining = remaining[same], remaining[~same]
        is_mano = abs(float(angles[group[0]]) - MANO_ANGLE) <= _ANGLE_TOLERANCE
        votes.append((is_mano, len(set(names[group])), len(group), group))
    votes.sort(key=lambda vote: vote[:3], reverse=True)
    if not votes or (len(votes) > 1 and votes[0][:2] == votes[1][:2]):
        return None
    is_mano, datasets, count, group = votes[0]
    if not (is_mano or datasets > 1 or count >= _LEAST_SEQUENCES):
        return None
    mean = np.median(hands[group], axis=0)
    return LearntMean(tuple(mean.tolist()), f"learnt from {2 * count} uncaptured hands in {_listed(set(names[group]))}")


def _listed(names: set[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 4} more datasets" if len(ordered) > 4 else ""
    return ", ".join(ordered[:4]) + more


def needs_second_look(sequences: pl.DataFrame) -> list[str]:
    """Files in which a hand may equal the mean for a while: all but those whose hands never move, or are relative."""
    may_hold = (pl.col("hand_mean") != "rel") & ~(pl.col("constant_left") & pl.col("constant_right"))
    return sequences.filter(may_hold)["path"].unique().sort().to_list()


def with_mean_counted(sequences: pl.DataFrame, hands_mean: Float[np.ndarray, "90"]) -> pl.DataFrame:
    """Count the frames of hands that never move and equal the mean hand, as a scan that knew it would have.

    Args:
        sequences: Rows of files that are not read again.
        hands_mean: The mean hands.
    """
    columns = []
    for side, mean in zip(SIDES, np.split(hands_mean, 2), strict=True):
        still = sequences[f"still_{side}"]
        rows = np.flatnonzero(still.is_not_null().to_numpy() & (sequences["hand_mean"] != "rel").to_numpy())
        is_mean = np.zeros(len(sequences), bool)
        if len(rows):
            is_mean[rows] = equals_mean(np.array(still.gather(rows).to_list(), np.float64), mean)
        counted = pl.when(pl.Series(is_mean)).then(pl.col("frames")).otherwise(pl.col(f"mean_{side}"))
        columns.append(counted.alias(f"mean_{side}"))
    return sequences.with_columns(columns)


def unknown_mean(sequences: pl.DataFrame) -> str | None:
    """Say in one line why hands cannot be brought to one convention while no mean hand is known; None if they can.

    Args:
        sequences: One row per sequence: dataset, hand_mean.
    """
    by_convention = {
        "relative": sequences.filter(pl.col("hand_mean") == "rel"),
        "with it": sequences.filter(pl.col("hand_mean") != "rel"),
    }
    relative, others = (sorted(set(part["dataset"])) for part in by_convention.values())
    if not relative:
        return None
    beside = f", while {_listed(set(others))} hold it inside: mixed as they are, joints would be 32 degrees off"
    return (
        f"{_listed(set(relative))} store hands relative to a mean hand that is not known{beside if others else ''}; "
        "set SMPLX_MODEL_PATH to the model file, give its 90 numbers as `hands_mean` in handprior.yaml beside them, "
        "or scan them together with recordings whose uncaptured hands it can be learnt from (AMASS)"
    )
