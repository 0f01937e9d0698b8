"""What picked datasets look like: their hands, one joint angle, how far they lie apart, what each adds (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import polars as pl
from jaxtyping import Float, Float32

from data_tools.auditing.audit_tables import AngleHistograms, DatasetDistances
from handprior_viz.audit_report.dataset_rows import DatasetRow
from handprior_viz.audit_report.distance_map import distance_map
from handprior_viz.audit_report.histogram_plots import quantiles
from handprior_viz.figures import Strip, violins
from handprior_viz.joint_angles import JointAngle
from handprior_viz.number_words import percent

MOST_HANDS = 24
"""Hands that are shown at once."""

_TAILS = (0.002, 0.998)
_SMOOTHING = np.array([0.25, 0.5, 0.25])  # over bins of 5 degrees
NEAREST_SHOWN = 12


@dataclass(frozen=True, eq=False)
class HandSheet:
    """Hands to look at together.

    Attributes:
        poses: (hands, 90) radians, mean included.
        titles: Dataset and frame of each, after what is wrong with it.
        colours: Of its dataset, #RRGGBB.
        rows: Of each in the audit's examples.
        left_out: How many more there are.
    """

    poses: Float32[np.ndarray, "hands 90"]
    titles: tuple[str, ...]
    colours: tuple[str, ...]
    rows: tuple[int, ...]
    left_out: int = 0


def hand_sheet(
    examples: pl.DataFrame, rows: Sequence[DatasetRow], kind: str = "typical", most: int = MOST_HANDS
) -> HandSheet:
    """Choose hands of datasets in turn, the first of each first, so that none crowds out the others.

    Args:
        examples: :attr:`data_tools.dataset_audit.Audit.examples`.
        rows: Datasets, in the order of the sheet.
        kind: ``typical`` or ``suspicious``.
        most: How many hands.
    """
    order = {row.name: place for place, row in enumerate(rows)}
    mine = examples.with_row_index("row").filter((pl.col("kind") == kind) & pl.col("dataset").is_in(list(order)))
    mine = mine.filter(pl.col("hands").arr.eval(pl.element().is_finite()).arr.all())
    mine = mine.with_columns(
        place=pl.col("dataset").replace_strict(order, return_dtype=pl.Int64, default=0),
        turn=pl.int_range(pl.len()).over("dataset"),
    )
    # As many turns as there is room for; each dataset's hands then stand side by side.
    taken = mine.sort("turn", "place", maintain_order=True).head(most).sort("place", "turn", maintain_order=True)
    colours = {row.name: row.colour for row in rows}
    titles = [_title(one) for one in taken.iter_rows(named=True)]
    return HandSheet(
        poses=np.array(taken["hands"].to_list(), np.float32).reshape(len(taken), 90),
        titles=tuple(titles),
        colours=tuple(colours[name] for name in taken["dataset"]),
        rows=tuple(taken["row"].to_list()),
        left_out=len(mine) - len(taken),
    )


def _title(example: dict[str, object]) -> str:
    where = f"{example['dataset']}, frame {example['frame']:,}"
    if example["kind"] == "typical":
        return where
    side = "" if example["side"] == "both" else f", {example['side']}"
    return f"{example['reason']}{side}: {where}"


def angle_violins(histograms: AngleHistograms, rows: Sequence[DatasetRow], angle: JointAngle) -> str:
    """How one joint angle is spread in each dataset, on one scale.

    Args:
        histograms: Of the audit.
        rows: Datasets in order; those without live hands are named in a line.
        angle: Which joint and motion.
    """
    joint = angle.joint + (15 if angle.hand == "right" else 0)
    place = {name: k for k, name in enumerate(histograms.datasets)}
    counts = {row.name: histograms.counts[place[row.name], joint, angle.motion] for row in rows if row.name in place}
    live = [row for row in rows if counts.get(row.name, np.zeros(1)).any()]
    if not live:
        return '<div class="hp-empty">None of these datasets has a live hand: pick others in the table.</div>'
    edges = np.degrees(histograms.edges)
    low, high = quantiles(edges, np.sum([counts[row.name] for row in live], axis=0), _TAILS)
    first = max(int(np.searchsorted(edges, low - 5, side="right")) - 1, 0)
    last = min(int(np.searchsorted(edges, high + 5)), len(edges) - 1)
    strips = [_strip(row, counts[row.name], edges, first, last) for row in live]
    title = f"{angle.finger}, {angle.words}"
    drawn = violins(strips, title=title, unit="°", span=(float(edges[first]), float(edges[last])), marked=False)
    dead = [row.name for row in rows if row not in live]
    return drawn + (f'<p class="hp-said">No live hand in {escape(", ".join(dead))}.</p>' if dead else "")


def _strip(row: DatasetRow, counts: np.ndarray, edges: Float[np.ndarray, "edges"], first: int, last: int) -> Strip:
    smooth = np.convolve(counts.astype(float), _SMOOTHING, mode="same")[first:last]
    q5, q50, q95 = quantiles(edges, counts)
    return Strip(row.name, row.colour, tuple((smooth / max(smooth.max(), 1e-12)).tolist()), (q5, q50, q95))


def mean_distances(distances: DatasetDistances, names: Sequence[str]) -> Float[np.ndarray, "datasets datasets"]:
    """How far datasets lie apart angle by angle: Jensen-Shannon divergence in bits, mean over the known joints.

    Args:
        distances: Of the audit.
        names: Datasets, in the order of the axes.

    Returns:
        0 alike to 1 nothing in common; NaN where one of the two has no live hand.
    """
    place = {name: k for k, name in enumerate(distances.datasets)}
    order = [place[name] for name in names]
    values = distances.per_joint[np.ix_(order, order)]
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=2)
    return np.where(known.any(axis=2), total / np.maximum(known.sum(axis=2), 1), np.nan)


@dataclass(frozen=True, eq=False)
class DistancesPicture:
    """How far datasets lie apart.

    Attributes:
        markup: A map, and the closest pairs in words; a line where there is nothing to compare.
        names: Datasets, in the order of the map.
        values: What the squares stand for, see :func:`mean_distances`.
    """

    markup: str
    names: tuple[str, ...]
    values: Float[np.ndarray, "datasets datasets"]


def distances_picture(distances: DatasetDistances, rows: Sequence[DatasetRow]) -> DistancesPicture:
    """Draw the distances between datasets.

    Args:
        distances: Of the audit.
        rows: Datasets in order, at least two.
    """
    shown = [row for row in rows if row.name in set(distances.datasets)]
    names = tuple(row.name for row in shown)
    values = mean_distances(distances, names)
    known = values[~np.eye(len(shown), dtype=bool) & np.isfinite(values)]
    if not len(known):
        none = '<div class="hp-empty">Distances need two datasets with live hands: pick another in the table.</div>'
        return DistancesPicture(none, names, values)
    most = float(known.max())
    drawn = distance_map(names, [row.colour for row in shown], values, key="hp-audit-map", most=most)
    said = (
        "0: the same angles equally often, 1: nothing in common (Jensen-Shannon divergence, mean over all joints' "
        f"angles); strongest colour {most:.2f}"
    )
    markup = (
        f'<figure class="hp-figure"><figcaption>How far apart they lie <span class="hp-muted">{said}</span>'
        '</figcaption><p class="hp-audit-here hp-muted" aria-live="polite">Point at a square, or use the arrow '
        "keys, for its number.</p>"
        f'<div class="hp-audit-far"><div class="hp-audit-map">{drawn}</div>{_closest(shown, values)}</div></figure>'
    )
    return DistancesPicture(markup, names, values)


def _closest(rows: Sequence[DatasetRow], values: Float[np.ndarray, "datasets datasets"]) -> str:
    first, second = np.triu_indices(len(rows), 1)
    order = [k for k in np.argsort(values[first, second], kind="stable") if np.isfinite(values[first[k], second[k]])]
    lines = "".join(
        f"<li><b>{values[first[k], second[k]]:.2f}</b> {escape(rows[first[k]].name)} and {escape(rows[second[k]].name)}"
        "</li>"
        for k in order[:NEAREST_SHOWN]
    )
    return f'<div><p class="hp-muted">The closest pairs</p><ol class="hp-audit-list">{lines}</ol></div>'


def additions(rows: Sequence[DatasetRow], terms: Mapping[str, str], picked: Collection[str] = ()) -> str:
    """What each dataset adds to all the others: kinds of poses it shows, shows alone, and frames unlike any other.

    Args:
        rows: All datasets in order.
        terms: From :func:`.definitions`: how each number was measured.
        picked: Names to show; all if empty.
    """
    shown = [row for row in rows if not picked or row.name in picked]
    heads = (
        ("shows", "of all kinds of poses", "Shown here"),
        ("only here", "of all kinds of poses", "Only here"),
        ("frames of its own", "of its frames", "Poses of its own"),
        ("distance from the rest", "0 alike, 1 unlike", "Distance between datasets"),
    )
    header = '<span role="columnheader">dataset</span>' + "".join(
        f'<span role="columnheader" title="{escape(terms.get(term, ""))}">{head}<small>{unit}</small></span>'
        for head, unit, term in heads
    )
    lines = "".join(_addition(row) for row in shown)
    return (
        '<div class="hp-audit-adds" role="table" aria-label="What each dataset adds">'
        f'<div class="hp-audit-add hp-head" role="row">{header}</div>{lines}</div>'
    )


def _addition(row: DatasetRow) -> str:
    def bar(value: float | None, text: str | None = None) -> str:
        if value is None:
            return '<span role="cell" class="hp-muted" title="no frame with two live hands">\N{EN DASH}</span>'
        said = percent(value) if text is None else text
        return f'<span role="cell" class="hp-audit-share"><i style="width:{100 * value:.1f}%"></i><b>{said}</b></span>'

    apart = None if row.apart is None else f"{row.apart:.2f}"
    name = escape(row.name)
    return (
        f'<div class="hp-audit-add" role="row" data-key="a {name}" style="--hp-own:{row.colour}"><span role="cell" '
        f'title="{name}">{name}</span>{bar(row.reaches)}{bar(row.only_here)}{bar(row.novel)}'
        f"{bar(row.apart, apart)}</div>"
    )
