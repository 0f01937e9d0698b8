"""What each dataset adds to the others: poses that nobody else shows.

Both measures work on equally large spread samples in the space of the first principal components of the whole corpus:

* *Cells.* The corpus's poses are put into cells (k-means, every dataset with equal weight). A dataset's coverage
  gain is the share of all cells that it alone reaches: what would be lost without it.
* *Novelty.* The share of a dataset's frames farther than a tolerance from every frame of all other datasets. The
  tolerance is the median distance from a frame to the nearest one of another sequence (at least 3 degrees a joint),
  so that a copy of known data scores near 0 and poses of its own near 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from data_tools.auditing.clusters import k_means

COVERAGE_COMPONENTS = 16
CELLS = 512
_MOST_FRAMES = 20_000  # of all datasets: distances are between all pairs
_MOST_EACH = 1_024
_LEAST_TOLERANCE = 0.3
"""Radians over all 30 joints, 3 degrees each: what lies nearer is the same pose."""

_ROWS = 512
_ROUNDS = 5


@dataclass(frozen=True, eq=False)
class Coverage:
    """What each dataset adds to the rest.

    Attributes:
        cells: (datasets,) share of all cells that it reaches; NaN for a dataset without usable frames.
        gain: (datasets,) share of all cells that it alone reaches.
        novelty: (datasets,) share of its frames that no other dataset comes near.
        covered: (datasets, datasets) share of the row's frames that the column comes near.
        tolerance: How near is near: Euclidean distance of poses in PCA space, radians.
    """

    cells: Float[np.ndarray, "datasets"]
    gain: Float[np.ndarray, "datasets"]
    novelty: Float[np.ndarray, "datasets"]
    covered: Float[np.ndarray, "datasets datasets"]
    tolerance: float


def coverage(
    samples: Sequence[Float32[np.ndarray, "_ 90"]],
    sequences: Sequence[Int64[np.ndarray, "_"]],
    axes: Float[np.ndarray, "90 components"],
    rng: np.random.Generator,
) -> Coverage:
    """Compare the samples of all datasets.

    Args:
        samples: A spread sample of each dataset.
        sequences: A number for the sequence of each frame, different in all datasets.
        axes: Principal components of the corpus.
        rng: Where k-means begins.
    """
    count = len(samples)
    most = min(_MOST_EACH, _MOST_FRAMES // max(1, sum(len(sample) > 0 for sample in samples)))
    rows = [np.linspace(0, len(sample) - 1, min(most, len(sample))).astype(int) for sample in samples]
    owner = np.repeat(np.arange(count), [len(row) for row in rows])
    if not len(owner):
        nothing = np.full(count, np.nan)
        return Coverage(nothing, nothing, nothing, np.full((count, count), np.nan), float("nan"))
    poses = np.concatenate([sample[row] for sample, row in zip(samples, rows, strict=True)])
    # Centred: single precision is for how far poses lie apart.
    places = ((poses - poses.mean(axis=0)) @ axes[:, :COVERAGE_COMPONENTS]).astype(np.float32)
    sequence = np.concatenate([numbers[row] for numbers, row in zip(sequences, rows, strict=True)])
    cells, gain = _cells(places, owner, count, rng)
    covered, novelty, tolerance = _nearness(places, owner, sequence, count)
    return Coverage(cells, gain, novelty, covered, tolerance)


def _cells(
    places: Float32[np.ndarray, "frames components"], owner: Int64[np.ndarray, "frames"], count: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "datasets"], Float[np.ndarray, "datasets"]]:  # fmt: skip
    wanted = min(CELLS, len(places))
    begin = places[np.sort(rng.choice(len(places), wanted, replace=False))]
    _, cell = k_means(places, begin, _ROUNDS)
    reached: Bool[np.ndarray, "datasets cells"] = np.zeros((count, wanted), bool)
    reached[owner, cell] = True
    number = reached.any(axis=0).sum()
    alone = reached & (reached.sum(axis=0) == 1)
    has_frames = np.bincount(owner, minlength=count) > 0
    return tuple(np.where(has_frames, part.sum(axis=1) / number, np.nan) for part in (reached, alone))  # type: ignore[return-value]


def _nearness(
    places: Float32[np.ndarray, "frames components"],
    owner: Int64[np.ndarray, "frames"],
    sequence: Int64[np.ndarray, "frames"],
    count: int,
) -> tuple[Float[np.ndarray, "datasets datasets"], Float[np.ndarray, "datasets"], float]:
    present = np.unique(owner)
    edges = np.append(np.searchsorted(owner, present), len(owner))
    nearest = np.empty((len(places), len(present)), np.float32)
    sizes, across = np.square(places).sum(axis=1), -2 * places.T
    for start, stop in itertools.pairwise(edges.tolist()):
        for low in range(start, stop, _ROWS):
            part, own = slice(low, min(low + _ROWS, stop)), slice(start, stop)
            apart = places[part] @ across
            apart += sizes
            # Sequences are of one dataset: nothing of the same sequence lies outside of its columns.
            apart[:, own][sequence[part, None] == sequence[own]] = np.inf
            nearest[part] = np.minimum.reduceat(apart, edges[:-1], axis=1)
            nearest[part] += sizes[part, None]
    nearest = np.sqrt(np.maximum(nearest, 0))
    closest = nearest.min(axis=1)
    found = closest[np.isfinite(closest)]
    tolerance = max(float(np.median(found)), _LEAST_TOLERANCE) if len(found) else float("nan")
    covered = np.full((count, count), np.nan)
    novelty = np.full(count, np.nan)
    for index, dataset in enumerate(present):
        own = nearest[owner == dataset]
        covered[dataset, present] = (own <= tolerance).mean(axis=0)
        others = np.delete(own, index, axis=1)
        novelty[dataset] = (others > tolerance).all(axis=1).mean() if others.shape[1] else np.nan
    return covered, novelty, tolerance
