"""Plots put numbers where they belong, and words where there are no numbers."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gaussian_kde

from handprior_viz.figures import (
    Curve,
    density_strips,
    gauge,
    learning_curves,
    nice_ticks,
    position,
    spread,
    strip,
    verdict,
)


def two_curves() -> list[Curve]:
    return [
        Curve("vae-1", "Hand VAE <1>", (1.0, 2.0, 3.0), (10.0, -5.0, -20.0), "#2F6FDE"),
        Curve("gauss-1", "Gaussian", (1.0,), (-12.0,), "#D55E00", flat=True),
    ]


def test_curves_are_labelled_with_their_best_value_and_user_text_is_escaped() -> None:
    markup = learning_curves(two_curves(), title="held-out likelihood (lower is better)", unit="nats per frame")
    assert "Hand VAE &lt;1&gt;" in markup
    assert "<1>" not in markup
    assert "\N{MINUS SIGN}20.0" in markup
    assert "\N{MINUS SIGN}12.0" in markup
    assert "held-out likelihood (lower is better), nats per frame" in markup


def test_the_best_of_a_curve_that_gets_worse_again_is_marked_and_said() -> None:
    worse = Curve("flow-1", "Global flow", (1.0, 2.0, 3.0, 4.0), (-80.0, -82.2, -81.0, -79.6), "#009E73")
    markup = learning_curves([worse, *two_curves()], title="t", unit="u")
    label = re.search(r'<span class="hp-end" data-key="flow-1".*?</span></span>', markup)
    assert label is not None
    assert "\N{MINUS SIGN}82.2" in label.group()
    marked = re.findall(r'<i class="hp-dot hp-best"[^>]*title="([^"]*)"', markup)
    assert marked == [
        "Global flow, epoch 2: \N{MINUS SIGN}82.20 u",
        "Hand VAE &lt;1&gt;, epoch 3: \N{MINUS SIGN}20.00 u",
    ]


def test_a_run_of_fewer_epochs_goes_on_to_its_label_as_a_thin_line() -> None:
    short = Curve("flow-1", "Global flow", (1.0,), (-10.0,), "#009E73")
    markup = learning_curves([short, *two_curves()], title="t", unit="u")
    tails = re.findall(r'class="hp-line hp-tail"[^>]* d="M([\d.]+) [\d.]+H1000"', markup)
    assert [float(x) for x in tails] == pytest.approx([1000 / 3], abs=0.1)  # from epoch 1 of 3; the others end there


def test_a_lower_value_is_drawn_lower() -> None:
    path = re.search(r'data-key="vae-1"[^>]* d="([^"]+)"', learning_curves(two_curves(), title="t", unit="u"))
    assert path is not None
    ys = [float(pair.split()[1]) for pair in path.group(1)[1:].split("L")]
    assert ys == sorted(ys)  # SVG counts downwards
    assert len(ys) == 3


def test_one_huge_first_value_does_not_flatten_the_rest() -> None:
    values = (1e6, *np.linspace(0, -50, 60))
    curve = Curve("a", "a", tuple(range(1, 62)), values, "#000000")
    path = re.search(r' d="M[^"]*L[^"]*"', learning_curves([curve], title="t", unit="u"))
    assert path is not None
    ys = [float(pair.split()[1]) for pair in path.group(0).split('"')[1][1:].split("L")]
    assert ys[-1] - ys[5] > 500  # of 1000


def test_a_long_training_is_thinned_but_keeps_its_last_point() -> None:
    epochs = tuple(float(k) for k in range(1, 50_001))
    markup = learning_curves([Curve("a", "a", epochs, tuple(-x / 1000 for x in epochs), "#000")], title="t", unit="u")
    assert len(markup) < 40_000
    assert "epoch 50000: \N{MINUS SIGN}50.00 u" in markup


def test_without_values_the_plot_says_so() -> None:
    assert "No look at held-out frames yet" in learning_curves([Curve("a", "a", (), (), "#000")], title="t", unit="u")


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
