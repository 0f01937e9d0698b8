"""What a mix covers: which joint angles, how much motion, how many of its poses stand in two datasets (pure).

All of it follows from a plan and an audit of the datasets, without reading a frame, and so keeps up with a slider.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from data_tools.dataset_audit import Audit
from data_tools.mix import MixPlan

ENERGY_EDGES: Float[np.ndarray, "13"] = np.linspace(0.0, 240.0, 13)
"""Edges of the histogram of motion, degrees per second; what is faster counts in the last bin."""

RARE = 1e-4
"""A bin of 5 degrees is seen by a dataset if at least so large a share of its live frames lies in it."""


@dataclass(frozen=True, eq=False)
class SeenPoses:
    """What an audit saw in each dataset, made ready for :func:`mix_coverage`.

    Attributes:
        datasets: Names, in the order of the axes.
        angles: (datasets, bins) share of each dataset's live frames in each bin of each joint angle.
        seen: (bins,) bins that any dataset reaches.
        energy: (datasets, 12) share of each dataset's usable frames by the motion of their sequence; zero where no
            frame rate is known.
        covered: (datasets, datasets) share of the row's frames that some frame of the column comes near.
    """

    datasets: tuple[str, ...]
    angles: Float[np.ndarray, "datasets bins"]
    seen: Bool[np.ndarray, "bins"]
    energy: Float[np.ndarray, "datasets 12"]
    covered: Float[np.ndarray, "datasets datasets"]

    @classmethod
    def of(cls, audit: Audit) -> SeenPoses:
        """Take out of an audit what a mix is compared by."""
        histograms, distances = audit.histograms, audit.distances
        names = histograms.datasets
        counts = histograms.counts.reshape(len(names), -1).astype(np.float64)
        live = histograms.counts.sum(axis=-1).repeat(histograms.counts.shape[-1], axis=-1).reshape(len(names), -1)
        angles = counts / np.maximum(live, 1)
        place = {name: k for k, name in enumerate(distances.datasets)}
        order = [place[name] for name in names]
        covered = np.nan_to_num(distances.covered[np.ix_(order, order)])
        energy = _energies(audit.sequences, names)
        return cls(names, angles.astype(np.float32), (angles >= RARE).any(axis=0), energy, covered)


def _energies(sequences: pl.DataFrame, names: tuple[str, ...]) -> Float[np.ndarray, "datasets 12"]:
    """Share of each dataset's usable frames by the motion energy of the sequence that they are from."""
    rated = sequences.filter((pl.col("energy_unit") == "rad/s") & pl.col("energy").is_finite())
    found = np.zeros((len(names), len(ENERGY_EDGES) - 1))
    place = {name: k for k, name in enumerate(names)}
    rows = np.array([place[name] for name in rated["dataset"]], np.int64)
    speed = np.degrees(rated["energy"].to_numpy())
    bins = np.clip(np.searchsorted(ENERGY_EDGES, speed, side="right") - 1, 0, found.shape[1] - 1)
    np.add.at(found, (rows, bins), rated["usable_frames"].to_numpy().astype(float))
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1)


@dataclass(frozen=True, eq=False)
class MixCoverage:
    """What a mix covers.

    Attributes:
        effective: How many equally large datasets it is as varied as: the exponential of the entropy of its shares.
        ranges: Of all bins of all joint angles that are seen anywhere, the share from which it can be expected to
            hold a frame; None without an audit.
        overlap: At least this share of its frames has a near one in another of its datasets; None without an audit.
        energy: (12,) share of its frames by the motion of their sequence; None where that is not known.
        motion: Mean motion, degrees per second; None likewise.
    """

    effective: float
    ranges: float | None = None
    overlap: float | None = None
    energy: Float[np.ndarray, "12"] | None = None
    motion: float | None = None


def mix_coverage(plan: MixPlan, seen: SeenPoses | None = None) -> MixCoverage:
    """Work out what a plan covers.

    Args:
        plan: Frames from each dataset.
        seen: What the datasets hold; without it only their shares are compared.
    """
    given = plan.given.sum(axis=1).astype(np.float64)
    shares = given / max(given.sum(), 1)
    positive = shares[shares > 0]
    effective = float(np.exp(-(positive * np.log(positive)).sum())) if len(positive) else 0.0
    if seen is None:
        return MixCoverage(effective)
    by_name = dict(zip(plan.datasets, given, strict=True))
    frames = np.array([by_name.get(name, 0.0) for name in seen.datasets])
    held = (frames.astype(np.float32) @ seen.angles) >= 1
    ranges = float((held & seen.seen).sum() / max(seen.seen.sum(), 1))
    energy = frames @ seen.energy
    known = energy.sum()
    middles = (ENERGY_EDGES[:-1] + ENERGY_EDGES[1:]) / 2
    return MixCoverage(
        effective,
        ranges,
        _overlap(frames, seen.covered),
        energy / known if known > 0 else None,
        float(energy @ middles / known) if known > 0 else None,
    )


def _overlap(frames: Float[np.ndarray, "datasets"], covered: Float[np.ndarray, "datasets datasets"]) -> float:
    """Share of the frames that some other dataset of the mix comes near, at least: the one that comes near most."""
    used = frames > 0
    if used.sum() < 2:
        return 0.0
    others = np.where(used[None] & ~np.eye(len(frames), dtype=bool), covered, 0.0)
    return float(frames @ others.max(axis=1) / frames.sum())
