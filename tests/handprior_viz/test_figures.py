"""Plots put numbers where they belong, and words where there are no numbers."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gaussian_kde, norm

from handprior_viz.figures import (
    gauge,
    nice_ticks,
    position,
    spread,
    strip,
    verdict,
    violins,
)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(2, 8))
def test_ticks_are_evenly_spaced_and_inside(low: float, extent: float, about: int) -> None:
    ticks = nice_ticks(low, low + extent, about)
    assert all(low - 1e-6 * extent <= tick <= low + extent * (1 + 1e-6) for tick in ticks)
    assert 1 <= len(ticks) <= 2 * about + 2
    if len(ticks) > 2:
        np.testing.assert_allclose(np.diff(ticks), np.diff(ticks)[0], rtol=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_labels_that_were_moved_apart_do_not_touch_and_keep_their_order(places: list[float]) -> None:
    found = spread(places, 0.1)
    order = sorted(range(len(places)), key=lambda k: places[k])
    assert all(found[b] - found[a] >= 0.1 - 1e-9 for a, b in itertools.pairwise(order))
    assert np.mean(found) == pytest.approx(np.mean(places), abs=1e-9)


def test_labels_that_do_not_touch_stay() -> None:
    assert spread([0.9, 0.1, 0.5], 0.1) == [0.9, 0.1, 0.5]


def test_a_strip_has_the_shape_of_a_kernel_density() -> None:
    values = np.random.default_rng(0).normal([20, 60], [5, 8], size=(3000, 2)).ravel()
    found = strip("GRAB", "#0072B2", values, (-20, 110))
    x = np.linspace(-20, 110, 49)
    middle = (x[:-1] + x[1:]) / 2
    scale = min(values.std(), (np.quantile(values, 0.75) - np.quantile(values, 0.25)) / 1.34)
    expected = gaussian_kde(values, 0.9 * scale * len(values) ** -0.2 / values.std(ddof=1))(middle)
    np.testing.assert_allclose(found.heights, expected / expected.max(), atol=0.03)
    assert found.spread == pytest.approx(tuple(np.quantile(values, [0.05, 0.5, 0.95])))


@pytest.mark.parametrize("values", [np.array([12.0]), np.full(50, 3.0), np.array([-500.0, 500.0])])
def test_a_strip_survives_few_equal_and_far_values(values: np.ndarray) -> None:
    heights = strip("x", "#000000", values, (-20, 110)).heights
    assert max(heights) == 1
    assert min(heights) >= 0


def test_a_violin_is_as_wide_as_its_dataset_is_dense_and_marks_median_and_spread() -> None:
    values = norm.ppf((np.arange(4000) + 0.5) / 4000, 50, 10)
    markup = violins([strip("A & B", "#123456", values, (0.0, 100.0))], title="bend", unit="°", span=(0.0, 100.0))
    assert 'data-key="A &amp; B"' in markup
    left, width = map(float, re.search(r"<u style=\"left:([\d.]+)%;width:([\d.]+)%", markup).groups())
    np.testing.assert_allclose([left, left + width], 50 + 10 * 1.645 * np.array([-1, 1]), atol=1.0)
    assert abs(float(re.search(r"<i style=\"left:([\d.]+)%", markup).group(1)) - 50) < 0.6
    path = re.search(r' d="M([^Z]+)Z', markup).group(1)
    x, y = np.array([pair.split() for pair in path.split("L")], float).T
    above, below = y[: len(y) // 2], y[len(y) // 2 :][::-1]
    np.testing.assert_allclose(above + below, 40, atol=0.11)  # the same on both sides of the middle
    half = np.interp([40, 50, 60], x[: len(y) // 2], 20 - above)
    np.testing.assert_allclose(half / half[1], [np.exp(-0.5), 1, np.exp(-0.5)], atol=0.03)
    assert "half of its poses lie below 50°, nine in ten from 34° to 66°" in markup


def test_zero_is_ticked_where_it_is_in_the_range() -> None:
    one = strip("A", "#123456", np.linspace(-10, 30, 100), (-20.0, 60.0))
    assert "--zero:25.00%" in violins([one], title="bend", unit="°", span=(-20.0, 60.0))
    other = strip("A", "#123456", np.linspace(-150, -130, 100), (-160.0, -120.0))
    markup = violins([other], title="energy", unit=" nats", span=(-160.0, -120.0), note="2 more <datasets>")
    assert "each from \N{MINUS SIGN}160 nats to \N{MINUS SIGN}120 nats" in markup
    assert "2 more &lt;datasets&gt;" in markup


def test_only_a_plot_with_a_pose_to_mark_has_room_for_its_number() -> None:
    one = [strip("A", "#123456", np.arange(50.0), (0.0, 90.0))]
    with_mark, without = (violins(one, title="bend", unit="°", span=(0.0, 90.0), marked=on) for on in (True, False))
    assert 'data-text="mark"' in with_mark
    assert 'data-text="mark"' not in without


def test_the_verdict_counts_held_out_poses() -> None:
    held_out = np.arange(100.0)
    assert verdict(37.5, held_out) == "more usual than 62 % of held-out poses (37.5 nats)"
    assert "nearly every" in verdict(-5, held_out)
    assert verdict(1e4, held_out).startswith("less usual than nearly every")


def test_the_gauge_counts_every_pose_even_outside_its_range() -> None:
    markup = gauge(np.array([-1e9, 0.0, 0.5, 1e9]), (0, 1))
    assert markup.count("<rect") == 3


def test_a_mark_stays_inside_the_plot() -> None:
    assert [position(x, (-10, 30)) for x in (-99, 10, 99)] == ["0.0000", "0.5000", "1.0000"]
