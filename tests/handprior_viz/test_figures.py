"""Plots put numbers where they belong, and words where there are no numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gaussian_kde

from handprior_viz.figures import (
    density_strips,
    gauge,
    nice_ticks,
    position,
    spread,
    strip,
    verdict,
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


def test_strips_name_their_datasets_once_each() -> None:
    strips = [strip(name, "#000000", np.arange(50.0), (0, 90)) for name in ("CMU", "A&B")]
    markup = density_strips(strips, title="left index finger, first joint: bend", span=(0, 90))
    assert markup.count('class="hp-strip"') == 2
    assert "A&amp;B" in markup


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
