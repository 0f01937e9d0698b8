"""The histograms of the audit, laid out as a hand is: one line per joint, bend, spread and twist of either hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup

from data_tools.auditing.audit_tables import AngleHistograms
from data_tools.joint_axes import LIMITS
from data_tools.pose_layout import FINGERS
from handprior_viz.audit_report.histogram_plots import AnglePlot, cell, outline, quantiles
from handprior_viz.joint_angles import JointAngle

_FINGER_ORDER = ("thumb", "index", "middle", "ring", "pinky")
JOINTS = tuple(3 * FINGERS.index(finger) + k for finger in _FINGER_ORDER for k in range(3))
"""The 15 joints of a hand in the order of the lines: from the thumb to the little finger, from the palm outwards."""

_ROOM = math.radians(5)
_LEAST_BINS = 12
_TAILS = (0.0005, 0.9995)


@dataclass(frozen=True)
class JointLine:
    """One joint: its name in words, and six cells of markup (left then right; bend, spread, twist)."""

    words: str
    starts_finger: bool
    cells: tuple[Markup, ...]


@dataclass(frozen=True, eq=False)
class HistogramSheet:
    """Everything that the plots of all datasets share.

    Attributes:
        histograms: Of the audit.
        plots: One per angle, in the order of the cells.
        spans: First and last bin that each plot shows.
        outlines: SVG symbols of all data.
    """

    histograms: AngleHistograms
    plots: tuple[AnglePlot, ...]
    spans: tuple[tuple[int, int], ...]
    outlines: Markup

    @classmethod
    def of(cls, histograms: AngleHistograms) -> HistogramSheet:
        """Choose each plot's range from all data, so that one angle has one axis in every dataset."""
        pooled = histograms.counts.sum(axis=0)
        edges = np.asarray(histograms.edges)
        plots, spans, outlines = [], [], []
        for key, (hand, joint, motion) in enumerate(_angles()):
            counts = pooled[_index(hand, joint), motion]
            first, last = _span(edges, counts, LIMITS[joint, motion])
            low, high = np.degrees(LIMITS[joint, motion])
            plot = AnglePlot(key, np.degrees(edges[first : last + 1]), (float(low), float(high)))
            plots.append(plot)
            spans.append((first, last))
            outlines.append(outline(plot, _gathered(counts, first, last)))
        return cls(histograms, tuple(plots), tuple(spans), Markup("".join(outlines)))

    def lines(self, dataset: str) -> list[JointLine]:
        """The lines of one dataset; empty where none of its hands is live."""
        if dataset not in self.histograms.datasets:
            return []
        counts = self.histograms.counts[self.histograms.datasets.index(dataset)]
        if not counts.any():
            return []
        cells = [
            Markup(cell(plot, _gathered(counts[_index(hand, joint), motion], *span)))
            for plot, span, (hand, joint, motion) in zip(self.plots, self.spans, _angles(), strict=True)
        ]
        lines = []
        for place, joint in enumerate(JOINTS):
            left = JointAngle("left", joint, 0)
            words = f"{left.finger.removeprefix('left ')}, {left.words.split(' joint')[0]}"
            both = (*cells[3 * place : 3 * place + 3], *cells[45 + 3 * place : 45 + 3 * place + 3])
            lines.append(JointLine(words, place % 3 == 0, both))
        return lines


def _angles() -> Sequence[tuple[str, int, int]]:
    """Hand, joint and motion of all 90 angles, in the order of the cells."""
    return [(hand, joint, motion) for hand in ("left", "right") for joint in JOINTS for motion in range(3)]


def _index(hand: str, joint: int) -> int:
    return joint + (15 if hand == "right" else 0)


def _span(
    edges: Float[np.ndarray, "edges"], counts: Int[np.ndarray, "bins"], limits: Float[np.ndarray, "2"]
) -> tuple[int, int]:
    """First and last bin of a plot: what all but a thousandth of the data and the limits need."""
    low, high = (float(limit) for limit in limits)
    if counts.any():
        tails = quantiles(edges, counts, _TAILS)
        low, high = min(low, tails[0]), max(high, tails[1])
    first = max(int(np.searchsorted(edges, low - _ROOM, side="right")) - 1, 0)
    last = min(int(np.searchsorted(edges, high + _ROOM, side="left")), len(edges) - 1)
    lacking = max(_LEAST_BINS - (last - first), 0)
    first = max(first - lacking // 2, 0)
    return first, min(max(last, first + _LEAST_BINS), len(edges) - 1)


def _gathered(counts: Int[np.ndarray, "bins"], first: int, last: int) -> Int[np.ndarray, "shown"]:
    """The bins of a plot; what lies beyond its ends counts at the ends."""
    shown = counts[first:last].copy()
    shown[0] += counts[:first].sum()
    shown[-1] += counts[last:].sum()
    return shown
