"""How the datasets of a corpus compare: distances, coverage, and what each adds to the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from data_tools.auditing.audit_tables import AngleHistograms, DatasetDistances
from data_tools.auditing.coverage import coverage
from data_tools.auditing.distances import (
    COMPONENTS,
    between_all,
    jensen_shannon,
    pca_histograms,
    principal_components,
)
from data_tools.auditing.gathering import Gathered


@dataclass(frozen=True, eq=False)
class Comparison:
    """Datasets compared.

    Attributes:
        histograms: Angles by dataset.
        distances: Between all pairs.
        table: One row per dataset: distance_to_rest, cells, coverage_gain, novelty.
    """

    histograms: AngleHistograms
    distances: DatasetDistances
    table: pl.DataFrame


def compare(gathered: Gathered, rng: np.random.Generator) -> Comparison:
    """Compare all datasets.

    Args:
        gathered: What was gathered from the files.
        rng: Where the search for pose cells begins.
    """
    names = tuple(gathered.datasets)
    counts = np.stack([part.statistics.counts for part in gathered.datasets.values()])
    total = gathered.total()
    samples = [part.sample for part in gathered.datasets.values()]
    sequences = [part.places[:, 0] for part in gathered.datasets.values()]
    if total.usable:
        mean, covariance = total.moments()
    else:
        mean, covariance = np.zeros(90), np.eye(90)
    spread, axes, explained = principal_components(covariance)
    by_component = pca_histograms(samples, mean, spread, axes)
    covered = coverage(samples, sequences, axes, rng)
    distances = DatasetDistances(
        names,
        per_joint=between_all(counts).mean(axis=-1),
        pca=between_all(by_component).mean(axis=-1),
        covered=covered.covered,
        explained=explained[:COMPONENTS],
    )
    columns = {
        "distance_to_rest": _from_rest(by_component),
        "cells": covered.cells,
        "coverage_gain": covered.gain,
        "novelty": covered.novelty,
    }
    table = pl.DataFrame({"dataset": names, **columns}).with_columns(pl.col(list(columns)).fill_nan(None))
    return Comparison(AngleHistograms(names, counts), distances, table)


def _from_rest(counts: Int[np.ndarray, "datasets components bins"]) -> Float[np.ndarray, "datasets"]:
    """Divergence of each dataset from the equal mix of all others; NaN without frames or without others."""
    sums = counts.sum(axis=-1, keepdims=True)
    shares = counts / np.maximum(sums, 1)
    return jensen_shannon(shares, shares.sum(axis=0) - shares).mean(axis=-1)
