"""What datasets have to do with each other: motion that is in both, and how far apart they lie (pure functions)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from markupsafe import Markup

from data_tools.auditing.audit_tables import DatasetDistances
from data_tools.pose_layout import HAND_JOINT_NAMES
from handprior_viz.audit_report.dataset_rows import DatasetRow, number
from handprior_viz.audit_report.distance_map import distance_map
from handprior_viz.joint_angles import JointAngle
from handprior_viz.number_words import percent

SHOWN_PAIRS, SHOWN_SEQUENCES = 60, 100

_KINDS = {"exact": "the same", "mirrored": "mirrored", "near": "nearly the same"}


@dataclass(frozen=True)
class DoubledPair:
    """Two datasets that share motion (or one that holds it twice): pairs of sequences, and frames in them."""

    kind: str
    a: str
    b: str
    pairs: int
    frames: int


@dataclass(frozen=True)
class DoubledSequence:
    """Two sequences of one motion; ``share`` of the shorter one, and how far apart they are, degrees per joint."""

    kind: str
    a: str
    b: str
    frames: int
    share: float | None
    apart: float | None


@dataclass(frozen=True)
class DistanceMap:
    """One way to measure distances, drawn."""

    title: str
    words: str
    svg: Markup


def doubled_pairs(duplicates: pl.DataFrame) -> list[DoubledPair]:
    """Duplicates by pair of datasets, most frames first."""
    if duplicates.is_empty():
        return []
    table = duplicates.group_by("kind", "dataset_a", "dataset_b").agg(pl.len().alias("pairs"), pl.col("frames").sum())
    table = table.sort("frames", "dataset_a", "dataset_b", "kind", descending=[True, False, False, False])
    return [
        DoubledPair(
            _KINDS.get(row["kind"], row["kind"]), row["dataset_a"], row["dataset_b"], row["pairs"], row["frames"]
        )
        for row in table.head(SHOWN_PAIRS).iter_rows(named=True)
    ]


def doubled_sequences(duplicates: pl.DataFrame) -> list[DoubledSequence]:
    """The longest duplicates, one by one."""
    rows = duplicates.sort("frames", descending=True, nulls_last=True, maintain_order=True).head(SHOWN_SEQUENCES)
    return [
        DoubledSequence(
            _KINDS.get(row["kind"], row["kind"]),
            f"{row['dataset_a']}: {row['sequence_a']}",
            f"{row['dataset_b']}: {row['sequence_b']}",
            row["frames"] or 0,
            number(row, "share"),
            None if (apart := number(row, "distance")) is None else math.degrees(apart),
        )
        for row in rows.iter_rows(named=True)
    ]


def distance_maps(distances: DatasetDistances, rows: Sequence[DatasetRow]) -> tuple[list[DistanceMap], dict[str, Any]]:
    """Draw distances angle by angle and as whole poses, and what hovering over them looks up.

    Returns:
        The maps, none without a single known distance; and names, thousandths of either distance, and for each pair
        the joint at which it differs most.
    """
    place = {name: k for k, name in enumerate(distances.datasets)}
    shown = [row for row in rows if row.name in place]
    order = [place[row.name] for row in shown]
    per_joint = distances.per_joint[np.ix_(order, order)]
    known = np.isfinite(per_joint)
    angles = np.where(known, per_joint, 0).sum(axis=2) / np.where(known.any(axis=2), known.sum(axis=2), 1)
    angles = np.where(known.any(axis=2), angles, np.nan)
    poses = distances.pca[np.ix_(order, order)]
    apart = ~np.eye(len(order), dtype=bool)
    if not np.isfinite(angles[apart]).any() and not np.isfinite(poses[apart]).any():
        return [], {}
    joint = np.where(known.any(axis=2) & apart, np.where(known, per_joint, -1).argmax(axis=2), -1)
    share = percent(float(np.sum(distances.explained)))
    ways = f"{len(distances.explained)} main ways in which hands vary, {share} of all variation"
    names, colours = [row.name for row in shown], [row.tier_colour for row in shown]
    maps = []
    for key, title, over, values in (
        ("map-angles", "Angle by angle", "mean over the angles of all joints", angles),
        ("map-poses", "As whole poses", f"mean over the {ways}", poses),
    ):
        most = _most(values[apart])
        drawn = Markup(distance_map(names, colours, values, key=key, most=most))
        maps.append(DistanceMap(title, f"{over}; strongest colour: {most:.2f}", drawn))
    data = {
        "names": names,
        "angles": _thousandths(angles),
        "poses": _thousandths(poses),
        "joint": [[int(k) if k >= 0 else None for k in line] for line in joint],
        "joints": [joint_words(name) for name in distances.joints],
    }
    return maps, data


def joint_words(name: str) -> str:
    """``left_index1`` as people say it: ``left index finger, first joint``."""
    hand, _, joint = name.partition("_")
    angle = JointAngle(hand, HAND_JOINT_NAMES.index(joint), 0)
    return f"{angle.finger}, {angle.words.split(':')[0]}"


def _most(values: Float[np.ndarray, "pairs"]) -> float:
    """The largest distance, at which the map is darkest: each map uses all of its shades."""
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else 1.0


def _thousandths(values: Float[np.ndarray, "datasets datasets"]) -> list[list[int | None]]:
    return [[round(1000 * value) if np.isfinite(value) else None for value in line] for line in values.tolist()]
