"""What each score of a table means: its name in front of people, unit, direction and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Score:
    """One column of the table.

    Attributes:
        key: Its name in CSV and JSON.
        title: Its name in front of people.
        unit: Of the number as it is shown; empty for a bare number.
        better: Where a good prior goes: ``lower``, ``higher``, ``real`` (as near as possible to the real row), or
            empty where it is a matter of cost or of taste.
        digits: Decimals that are shown.
        about: What is computed, in plain words.
        source: Paper or document of the definition; empty where it is our own.
        group: Under which heading of the table it stands.
    """

    key: str
    title: str
    unit: str
    better: Literal["lower", "higher", "real", ""]
    digits: int
    about: str
    source: str
    group: str

    def words(self, row: Mapping[str, Any]) -> str:
        """The number of a row as it is shown; a dash where it was not measured."""
        return self.number(row.get(self.key))

    def number(self, value: float | None) -> str:
        """A value as it is shown: thousands separated, a real minus sign, percentages as such."""
        if value is None:
            return "–"
        value = 100 * value if self.unit == "%" else value
        text = f"{value:,.{self.digits}f}"
        return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


LIKELIHOOD, LATENTS, SAMPLES, COST = "likelihood", "through the latents", "drawn poses", "cost"

SCORES: tuple[Score, ...] = (
    Score(
        "nll", "NLL", "nats", "lower", 2,
        "Negative log-likelihood of held-out frames: mean over frames of minus the natural logarithm of the density "
        "over axis-angle in radians, of the columns that move; the log-determinant of the standardisation is inside. "
        "Where a prior has a bound only (≤), it is the importance-weighted one: the true value is not above it, on "
        "average.",
        "Burda et al. 2016, arXiv 1509.00519 (the bound)", LIKELIHOOD,
    ),
    Score(
        "bpd", "BPD", "bits", "lower", 3,
        "The same in bits per moving column: NLL / (columns × ln 2).", "", LIKELIHOOD,
    ),
    Score(
        "reconstruction_degrees", "reconstruction", "°", "lower", 2,
        "Held-out poses through the latents and back: mean angle between a joint before and after, over "
        "joints that move.",
        "", LATENTS,
    ),
    Score(
        "reconstruction_mm", "reconstruction", "mm", "lower", 2,
        "The same poses: mean distance between 21 points of each hand (wrist, joints, tips) before and after, wrists "
        "held still.", "", LATENTS,
    ),
    Score(
        "round_trip", "round trip", "°", "lower", 2,
        "Poses decoded from standard normal latents, through the latents and back: mean angle between a joint before "
        "and after, over joints that move. 0 for priors whose latents are an exact change of coordinates.", "", LATENTS,
    ),
    Score(
        "apd", "APD", "cm", "real", 2,
        "Average pairwise distance: mean distance between the same of 21 points a hand (wrist, joints, tips) in two "
        "drawn poses, over all pairs, wrists held still. How varied poses are; a broken prior scores highest.",
        "DPoser-X, ICCV 2025, table S-8", SAMPLES,
    ),
    Score(
        "fid", "FID", "rad²", "lower", 3,
        "Fréchet distance between the means and covariances of drawn and of held-out poses, axis-angle columns as they "
        "are.", "Heusel et al. 2017, arXiv 1706.08500; DPoser-X, table S-8", SAMPLES,
    ),
    Score(
        "precision", "precision", "", "higher", 3,
        "Share of drawn poses that lie nearer to some held-out pose than its third nearest held-out neighbour does, by "
        "axis-angle columns.", "Kynkäänniemi et al. 2019, arXiv 1904.06991, k = 3", SAMPLES,
    ),
    Score(
        "recall", "recall", "", "higher", 3,
        "The same with drawn and held-out poses exchanged: share of held-out poses among the drawn ones.",
        "Kynkäänniemi et al. 2019, arXiv 1904.06991, k = 3", SAMPLES,
    ),
    Score(
        "density", "density", "", "higher", 3,
        "Precision that counts in how many held-out poses' neighbourhoods a drawn one lies, over k; may exceed 1.",
        "Naeem et al. 2020, arXiv 2002.09797, k = 3", SAMPLES,
    ),
    Score(
        "coverage", "coverage", "", "higher", 3,
        "Share of held-out poses that have a drawn one in their neighbourhood.",
        "Naeem et al. 2020, arXiv 2002.09797, k = 3", SAMPLES,
    ),
    Score(
        "nearest", "nearest training pose", "rad", "real", 2,
        "Distance of drawn poses to the nearest training pose (dNN): angles between joints, summed over moving joints; "
        "mean over poses. Far below the real row means that poses are copied, far above that they are made up.",
        "Pose-NDF, ECCV 2022; DPoser-X, table S-8", SAMPLES,
    ),
    Score(
        "limit_share", "out of limits", "%", "real", 1,
        "Share of drawn finger joints outside published boxes of axis-angle components, of joints that have one. Real "
        "hands leave them often, too: compare with the real row.",
        "HOnnotate, constraints.py", SAMPLES,
    ),
    Score(
        "poses_per_second", "sampling", "poses/s", "", 0,
        "Poses drawn per second on this machine.", "", COST,
    ),
    Score("parameters", "size", "numbers", "", 0, "How many numbers were learnt.", "", COST),
    Score(
        "train_seconds", "training", "s", "", 1,
        "Time of the training, over all its lives, on the machine that the run's card names.", "", COST,
    ),
)  # fmt: skip

BY_KEY: dict[str, Score] = {score.key: score for score in SCORES}
