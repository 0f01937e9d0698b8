"""Learning curves put every run on one axis, and tell runs apart."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from handprior_viz.trainings.learning_curves import Curve, RunLook, learning_curves


def two_curves() -> list[Curve]:
    return [
        Curve("vae-1", "Hand VAE <1>", (1.0, 2.0, 3.0), (10.0, -5.0, -20.0), RunLook.of(0)),
        Curve("gauss-1", "Gaussian", (1.0,), (-12.0,), RunLook.of(1), flat=True),
    ]


def test_curves_are_labelled_with_their_best_value_and_user_text_is_escaped() -> None:
    markup = learning_curves(two_curves(), title="held-out likelihood (lower is better)", unit="nats per frame")
    assert "Hand VAE &lt;1&gt;" in markup
    assert "<1>" not in markup
    assert "\N{MINUS SIGN}20.0" in markup
    assert "\N{MINUS SIGN}12.0" in markup
    assert "held-out likelihood (lower is better), nats per frame" in markup


def test_the_best_of_a_curve_that_gets_worse_again_is_marked_and_said() -> None:
    worse = Curve("flow-1", "Global flow", (1.0, 2.0, 3.0, 4.0), (-80.0, -82.2, -81.0, -79.6), RunLook.of(2))
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
    short = Curve("flow-1", "Global flow", (1.0,), (-10.0,), RunLook.of(2))
    markup = learning_curves([short, *two_curves()], title="t", unit="u")
    tails = re.findall(r'class="hp-curve hp-tail"[^>]* d="M([\d.]+) [\d.]+H1000"', markup)
    assert [float(x) for x in tails] == pytest.approx([1000 / 3], abs=0.1)  # from epoch 1 of 3; the others end there


def test_a_lower_value_is_drawn_lower() -> None:
    path = re.search(r'data-key="vae-1"[^>]* d="([^"]+)"', learning_curves(two_curves(), title="t", unit="u"))
    assert path is not None
    ys = [float(pair.split()[1]) for pair in path.group(1)[1:].split("L")]
    assert ys == sorted(ys)  # SVG counts downwards
    assert len(ys) == 3


def test_one_huge_first_value_does_not_flatten_the_rest() -> None:
    values = (1e6, *np.linspace(0, -50, 60))
    curve = Curve("a", "a", tuple(range(1, 62)), values, RunLook.of(0))
    path = re.search(r' d="M[^"]*L[^"]*"', learning_curves([curve], title="t", unit="u"))
    assert path is not None
    ys = [float(pair.split()[1]) for pair in path.group(0).split('"')[1][1:].split("L")]
    assert ys[-1] - ys[5] > 500  # of 1000


def test_a_long_training_is_thinned_but_keeps_its_last_point() -> None:
    epochs = tuple(float(k) for k in range(1, 50_001))
    markup = learning_curves(
        [Curve("a", "a", epochs, tuple(-x / 1000 for x in epochs), RunLook.of(0))], title="t", unit="u"
    )
    assert len(markup) < 40_000
    assert "epoch 50000: \N{MINUS SIGN}50.00 u" in markup


def test_thirty_long_trainings_are_no_load_on_the_page() -> None:
    epochs = tuple(float(k) for k in range(1, 10_001))
    curves = [
        Curve(str(k), f"Hand VAE {k}", epochs, tuple(-x / 1000 - k for x in epochs), RunLook.of(k)) for k in range(30)
    ]
    markup = learning_curves(curves, title="t", unit="u")
    assert len(markup) < 120_000
    assert markup.count("epoch 10000: ") == 30


def test_without_values_the_plot_says_so() -> None:
    assert "No look at held-out frames yet" in learning_curves(
        [Curve("a", "a", (), (), RunLook.of(0))], title="t", unit="u"
    )


def test_two_dozen_runs_are_told_apart_by_colour_and_stroke() -> None:
    looks = [RunLook.of(order) for order in range(24)]
    assert len({look.stroke for look in looks}) == 24
    assert {look.dash for look in looks[:6]} == {""}
    curves = [Curve(f"run-{k}", f"run {k}", (1.0, 2.0), (k, k - 1.0), look) for k, look in enumerate(looks)]
    markup = learning_curves(curves, title="t", unit="u")
    drawn = dict(re.findall(r'<path class="hp-curve" data-key="(run-\d+)" style="([^"]*)"', markup))
    keys = dict(re.findall(r'<span class="hp-end" data-key="(run-\d+)".*?<path style="([^"]*)"', markup))
    assert drawn == keys  # the label's piece of line is that of the curve
    assert len(set(drawn.values())) == 24


def test_labels_of_many_runs_have_room_for_a_line_each() -> None:
    curves = [Curve(str(k), str(k), (1.0,), (-80.0,), RunLook.of(k)) for k in range(30)]
    markup = learning_curves(curves, title="t", unit="u")
    found = re.search(r'class="hp-curves" style="height:(\d+)px"', markup)
    assert found is not None
    tops = sorted(float(top) / 100 * int(found[1]) for top in re.findall(r'class="hp-end"[^>]*top:([-\d.]+)%', markup))
    assert min(b - a for a, b in itertools.pairwise(tops)) >= 18
    assert tops[-1] - tops[0] <= int(found[1])


def test_a_bound_is_marked_wherever_its_number_stands() -> None:
    bound = Curve("vae", "Hand VAE", (1.0, 2.0), (-70.0, -90.0), RunLook.of(0), is_bound=True)
    exact = Curve("flow", "Global flow", (1.0, 2.0), (-71.0, -91.0), RunLook.of(1))
    markup = learning_curves([bound, exact], title="t", unit="u")
    assert markup.count("≤ \N{MINUS SIGN}90.0") == 3  # label, hover, and for those who listen
    assert "≤ \N{MINUS SIGN}91.0" not in markup
    assert "marks a bound" in markup
    assert "marks a bound" not in learning_curves([exact], title="t", unit="u")
