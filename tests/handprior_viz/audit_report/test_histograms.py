"""The small histograms of joint angles: true to their counts, and none left out."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from data_tools.auditing.audit_tables import BINS, EDGES
from handprior_viz.audit_report.histogram_plots import HEIGHT, AnglePlot, cell, quantiles
from handprior_viz.audit_report.joint_histograms import HistogramSheet
from tests.handprior_viz.made_up_audit import made_up_audit


def test_histogram_quantiles_agree_with_the_values() -> None:
    values = np.random.default_rng(0).normal(20, 15, 50_000)
    edges = np.arange(-180.0, 181.0, 5.0)
    found = quantiles(edges, np.histogram(values, edges)[0])
    np.testing.assert_allclose(found, np.quantile(values, [0.05, 0.5, 0.95]), atol=0.5)


def test_a_histogram_is_drawn_as_high_as_it_counts() -> None:
    plot = AnglePlot(0, np.arange(0.0, 41.0, 10.0), (0.0, 30.0))
    markup = cell(plot, np.array([0, 25, 100, 0]))
    path = re.search(r'class="own" d="([^"]+)"', markup)
    assert path
    # From a quarter to three quarters of the width; the roots of 25 and 100 stand to each other as 1 to 2.
    middle = round(HEIGHT - (HEIGHT - 1) / 2)
    assert path[1] == f"M24 {HEIGHT}V{middle}H48V1H72V{HEIGHT}Z"
    assert "half below 24°, nine in ten 12° to 29°" in markup
    assert "no live hand" in cell(plot, np.zeros(4, int))


def test_plots_leave_no_frame_out() -> None:
    audit = made_up_audit(["GRAB", "CMU"])
    counts = audit.histograms.counts.copy()
    counts[1] = 0
    counts[0, :, :, 0] = 3  # far outside of what is plotted, at -180 degrees
    sheet = HistogramSheet.of(replace(audit.histograms, counts=counts))
    assert sheet.lines("CMU") == []
    lines = sheet.lines("GRAB")
    assert [len(line.cells) for line in lines] == [6] * 15
    assert lines[0].words == "thumb, first"
    assert all(plot.edges[0] >= np.degrees(EDGES[0]) and plot.limits for plot in sheet.plots)
    assert all(first + 12 <= last <= BINS for first, last in sheet.spans)
    assert lines[-1].words == "little finger, last"
