"""What the values of a dataset say about its mean-hand convention, against what is stated.

Three kinds of evidence, the strongest first:

* Hands that nobody captured. In data with the mean inside they equal the mean hand; in data relative to it they are
  zero. A dead hand of zeros in data said to be ``incl`` is no proof (some releases fill with zeros), but dead hands
  that equal the mean in data said to be ``rel`` are: added up, they would hold the mean twice.
* Fingers bent backwards. Relative values taken as they are bend the middle and last joints of half of all fingers the
  wrong way (three people of ARCTIC: 65 %, and 7 % with the mean added).
* The centre of the live hands: near the mean hand with the mean inside. It says nothing against ``rel``: hands that are
  bent twice as much as the mean hand centre there without it, too.

Where none is clear the table says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float32, Int64

from data_tools.auditing.audit_tables import CONVENTION_COLUMNS
from data_tools.auditing.pose_statistics import column_sums
from data_tools.hand_mean import equals_mean
from data_tools.pose_layout import HAND_DIM, HAND_JOINT_NAMES
from data_tools.scanning.dead_hands import SIDES

_CLEARLY = 0.75
"""The centre speaks for ``incl`` if it lies nearer to the mean hand than to zero by this factor."""

_BACKWARDS = 0.15
"""Share of finger joints bent backwards above which values look relative, if adding the mean halves it."""

_HINGE_NAMES = ("index2", "index3", "middle2", "middle3", "ring2", "ring3")
_HINGES = tuple(3 * HAND_JOINT_NAMES.index(name) + 2 for name in _HINGE_NAMES)
_BENDS = (-1.0, 1.0)  # the sign of their z when a left and a right hand bends
_SLACK = 0.1  # radians: a straight finger is not bent backwards


@dataclass(eq=False)
class ConventionEvidence:
    """Sums over frames as stored; those of two files add up.

    Attributes:
        equal: (2,) frames in which the left and right hand equal the model's mean hand as stored.
        zero: (2,) frames in which they are zero.
        live: (2,) frames that count for the centre: live, and with no vector beyond pi.
        total: (90,) sum of these hands as stored.
        backwards: (2,) how many of their finger joints (six of each hand) are bent backwards as stored.
        backwards_added: (2,) and with the mean hand added.
    """

    equal: Int64[np.ndarray, "2"]
    zero: Int64[np.ndarray, "2"]
    live: Int64[np.ndarray, "2"]
    total: Float[np.ndarray, "90"]
    backwards: Int64[np.ndarray, "2"]
    backwards_added: Int64[np.ndarray, "2"]

    @classmethod
    def none(cls) -> ConventionEvidence:
        """No evidence."""
        equal, zero, live, backwards, added = (np.zeros(2, np.int64) for _ in range(5))
        return cls(equal, zero, live, np.zeros(90), backwards, added)

    def merge(self, other: ConventionEvidence) -> None:
        """Take in further evidence."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything, by name, to be kept."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> ConventionEvidence:
        """The evidence that :meth:`arrays` gave."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def add(
        self,
        hands: Float32[np.ndarray, "frames 90"],
        masks: Mapping[str, Bool[np.ndarray, "frames"]],
        constant: Bool[np.ndarray, "frames 2"],
        hands_mean: Float[np.ndarray, "90"] | None,
    ) -> None:
        """Take in a window of frames as stored.

        Args:
            hands: Both hands.
            masks: What the scan says about them.
            constant: Whether each hand never moves in its sequence.
            hands_mean: The model's mean hands, where known.
        """
        for side, word in enumerate(SIDES):
            hand = hands[:, side * HAND_DIM : (side + 1) * HAND_DIM]
            self.zero[side] += np.count_nonzero(masks[f"zero_{word}"])
            if hands_mean is not None:
                mean = hands_mean[side * HAND_DIM : (side + 1) * HAND_DIM]
                near = np.flatnonzero(np.abs(hand[:, 0] - mean[0]) <= 1e-5)
                self.equal[side] += np.count_nonzero(equals_mean(hand[near], mean)) if len(near) else 0
            live = masks[f"live_{word}"] & ~constant[:, side] & ~masks["beyond_pi"]
            self.live[side] += np.count_nonzero(live)
            part = hand if live.all() else hand[live]
            self.total[side * HAND_DIM : (side + 1) * HAND_DIM] += column_sums(part)
            bend = part[:, _HINGES] * np.float32(_BENDS[side])
            self.backwards[side] += np.count_nonzero(bend < -_SLACK)
            if hands_mean is not None:
                added = (mean[list(_HINGES)] * _BENDS[side]).astype(np.float32)
                self.backwards_added[side] += np.count_nonzero(bend < -_SLACK - added)

    def centre(self) -> Float[np.ndarray, "90"]:
        """Mean of the live hands as stored; NaN for a hand that never lives."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.total / self.live.repeat(HAND_DIM)


def convention_table(
    sequences: pl.DataFrame, evidence: Mapping[str, ConventionEvidence], hands_mean: Float[np.ndarray, "90"] | None
) -> pl.DataFrame:
    """One row per dataset: which convention is stated, which the data indicate, and why (:data:`.CONVENTION_COLUMNS`).

    Args:
        sequences: The catalog's rows.
        evidence: By dataset.
        hands_mean: The model's mean hands, where known.
    """
    about = sequences.group_by("dataset").agg(pl.col("frames").sum(), pl.col("hand_mean").unique().sort())
    rows = []
    for dataset, frames, conventions in about.sort("dataset").iter_rows():
        stated = ", ".join(conventions)
        indicated, words = judge_convention(stated, evidence[dataset], frames, hands_mean)
        is_known = stated in ("incl", "rel") and indicated != "unclear"
        rows.append((dataset, stated, indicated, stated == indicated if is_known else None, words))
    return pl.DataFrame(rows, schema=CONVENTION_COLUMNS, orient="row")


def judge_convention(
    stated: str, evidence: ConventionEvidence, frames: int, hands_mean: Float[np.ndarray, "90"] | None
) -> tuple[str, str]:
    """Say which convention the values indicate, and why.

    Args:
        stated: What the reader or the user says.
        evidence: Sums over the dataset.
        frames: Frames of the dataset.
        hands_mean: The model's mean hands, where known.

    Returns:
        ``incl``, ``rel`` or ``unclear``; and one line of evidence.
    """
    if evidence.equal.any():
        left, right = evidence.equal / frames
        line = f"dead hands equal the mean hand (left {100 * left:.1f} %, right {100 * right:.1f} % of the frames)"
        if stated == "rel":
            line += ": relative data would hold zero there, and adding the mean would add it twice"
        return "incl", line
    words = []
    if evidence.zero.any():
        left, right = evidence.zero / frames
        words.append(f"dead hands are zero (left {100 * left:.1f} %, right {100 * right:.1f} % of the frames)")
    if not evidence.live.any():
        return "unclear", "; ".join([*words, "no live hand to tell by"])
    looks_relative, bent = _about_bending(evidence, hands_mean)
    looks_inside, centred = _about_centre(evidence, hands_mean)
    words += [bent, centred]
    if looks_relative:
        return "rel", "; ".join(words)
    if looks_inside and stated != "rel":
        return "incl", "; ".join(words)
    return "unclear", "; ".join([*words, "that tells nothing for sure"])


def _about_bending(evidence: ConventionEvidence, hands_mean: Float[np.ndarray, "90"] | None) -> tuple[bool, str]:
    """Whether values look relative by how many fingers they bend backwards, and the shares in words."""
    joints = len(_HINGES) * evidence.live.sum()
    stored, added = float(evidence.backwards.sum() / joints), float(evidence.backwards_added.sum() / joints)
    words = f"{100 * stored:.0f} % of the finger joints are bent backwards as stored"
    if hands_mean is None:
        return False, words
    return stored > _BACKWARDS and added < stored / 2, f"{words}, {100 * added:.0f} % with the mean hand added"


def _about_centre(evidence: ConventionEvidence, hands_mean: Float[np.ndarray, "90"] | None) -> tuple[bool, str]:
    """Whether live hands centre near the mean hand, and where they do in words."""
    centre = evidence.centre()
    known = np.isfinite(centre)
    from_zero = _mean_joint_angle(centre[known])
    if hands_mean is None:
        return False, f"live hands centre {from_zero:.0f} degrees per joint from zero; no mean hand is known"
    from_mean = _mean_joint_angle((centre - hands_mean)[known])
    words = f"live hands centre {from_mean:.0f} degrees per joint from the mean hand and {from_zero:.0f} from zero"
    return from_mean < _CLEARLY * from_zero, words


def _mean_joint_angle(vector: Float[np.ndarray, "columns"]) -> float:
    """Degrees, as people read them."""
    return float(np.degrees(np.linalg.norm(vector.reshape(-1, 3), axis=1).mean()))
