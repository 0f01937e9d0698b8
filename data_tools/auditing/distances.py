"""How far datasets lie apart: Jensen-Shannon divergence of angle histograms, per joint and in PCA space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

COMPONENTS = 8
"""Principal components whose histograms are compared."""

PCA_BINS = 32
_REACH = 4.0  # standard deviations of the corpus to either side; what lies further falls into the last bins


def jensen_shannon(
    first: Shaped[np.ndarray, "*#batch bins"], second: Shaped[np.ndarray, "*#batch bins"]
) -> Float[np.ndarray, "*batch"]:
    """Jensen-Shannon divergence of histograms in bits: 0 where they agree, 1 where they share no bin (Lin 1991).

    The square root is a metric. NaN where one of the two is empty.

    Args:
        first: Counts.
        second: Counts in the same bins; shapes broadcast.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = (part / part.sum(axis=-1, keepdims=True, dtype=np.float64) for part in (first, second))
    mixed = _entropy((p + q) / 2)
    return np.asarray(np.maximum(mixed - (_entropy(p) + _entropy(q)) / 2, 0.0))


def _entropy(shares: Float[np.ndarray, "*batch bins"]) -> Float[np.ndarray, "*batch"]:
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.where(shares == 0, 0.0, shares * np.log2(shares))
    return np.asarray(-bits.sum(axis=-1))


def between_all(counts: Int[np.ndarray, "datasets *rest bins"]) -> Float[np.ndarray, "datasets datasets *rest"]:
    """Divergence of every dataset's histograms from every other's."""
    return np.stack([jensen_shannon(counts[index : index + 1], counts) for index in range(len(counts))])


def principal_components(
    covariance: Float[np.ndarray, "90 90"],
) -> tuple[Float[np.ndarray, "90"], Float[np.ndarray, "90 components"], Float[np.ndarray, "components"]]:
    """Principal components of poses from their covariance.

    Returns:
        The spread along each component (90, radians, largest first), the components as columns (90, 90), and the
        share of the variance that each explains. The largest entry of a component is positive.
    """
    variance, axes = np.linalg.eigh(covariance)
    variance, axes = np.maximum(variance[::-1], 0.0), axes[:, ::-1]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    axes = axes * np.where(largest < 0, -1.0, 1.0)
    return np.sqrt(variance), axes, variance / max(variance.sum(), 1e-12)


def pca_histograms(
    samples: Sequence[Float32[np.ndarray, "_ 90"]],
    mean: Float[np.ndarray, "90"],
    spread: Float[np.ndarray, "90"],
    axes: Float[np.ndarray, "90 components"],
) -> Int[np.ndarray, "datasets kept bins"]:
    """Histograms of each dataset's sample along the first principal components, in bins common to all."""
    first = min(COMPONENTS, axes.shape[1])
    inner = np.linspace(-_REACH, _REACH, PCA_BINS - 1)
    out = np.zeros((len(samples), first, PCA_BINS), np.int64)
    for row, sample in enumerate(samples):
        places = (sample - mean) @ axes[:, :first] / np.maximum(spread[:first], 1e-9)
        for column in range(first):
            out[row, column] = np.bincount(np.searchsorted(inner, places[:, column]), minlength=PCA_BINS)
    return out
