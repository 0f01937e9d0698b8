"""What a mix covers, worked out by hand for small mixes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from data_tools.mix import Mix, MixPlan
from handprior_viz.balancing.coverage import ENERGY_EDGES, MixCoverage, SeenPoses, mix_coverage
from handprior_viz.balancing.coverage_line import coverage_line
from tests.handprior_viz.made_up_audit import made_up_audit


def planned(**given: int) -> MixPlan:
    """A plan that takes so many frames of each dataset."""
    count = len(given)
    frames = np.array(list(given.values()), np.int64)[:, None]
    words = ("",) * count
    return MixPlan(
        Mix(), tuple(given), ("train",), ("high",) * count, frames[:, 0], frames[:, 0], frames, frames, frames,
        np.zeros((3, 1), np.int64), words, (), (), "",
    )  # fmt: skip


@pytest.fixture
def audit():
    found = made_up_audit(["A", "B", "C"])
    counts = np.zeros_like(found.histograms.counts)
    counts[0, ..., 30:32] = 500  # A: bins 30 and 31, half of its frames in each
    counts[1, ..., 31:33] = [999, 1]  # B: bin 31, and 32 in a thousandth
    counts[2, ..., 40] = 1_000  # C: bin 40
    covered = np.array([[1.0, 0.5, 0.2], [0.25, 1.0, 0.0], [0.0, 0.0, 1.0]])
    sequences = pl.DataFrame(
        {
            "dataset": ["A", "A", "B", "C"],
            "energy": np.radians([10.0, 30.0, 30.0, 500.0]),
            "energy_unit": ["rad/s", "rad/s", "rad/s", "rad/frame"],
            "usable_frames": [300, 100, 50, 50],
        }
    )
    return replace(
        found,
        histograms=replace(found.histograms, counts=counts),
        distances=replace(found.distances, covered=covered),
        sequences=sequences,
    )


@pytest.mark.parametrize(
    ("given", "effective"),
    [({"A": 100, "B": 100, "C": 100}, 3.0), ({"A": 100, "B": 0, "C": 0}, 1.0), ({"A": 0, "B": 0, "C": 0}, 0.0)],
)
def test_datasets_in_effect(given: dict[str, int], effective: float) -> None:
    assert mix_coverage(planned(**given)).effective == pytest.approx(effective)


def test_a_small_share_counts_little() -> None:
    shares = np.array([0.9, 0.1])
    found = mix_coverage(planned(A=900, B=100)).effective
    assert found == pytest.approx(float(np.prod(shares**-shares)))
    assert 1.3 < found < 1.5


@pytest.mark.parametrize(
    ("given", "ranges"),
    [
        ({"A": 100, "B": 1_000, "C": 10}, 1.0),  # bins 30, 31, 32 and 40
        ({"A": 100, "B": 1_000, "C": 0}, 3 / 4),
        ({"A": 100, "B": 500, "C": 0}, 2 / 4),  # half a frame of bin 32 is to be expected: none
        ({"A": 0, "B": 0, "C": 5}, 1 / 4),
    ],
)
def test_joint_ranges_are_bins_that_a_frame_can_be_expected_in(audit, given: dict[str, int], ranges: float) -> None:
    assert mix_coverage(planned(**given), SeenPoses.of(audit)).ranges == pytest.approx(ranges)


@pytest.mark.parametrize(
    ("given", "overlap"),
    [
        ({"A": 100, "B": 300, "C": 0}, (100 * 0.5 + 300 * 0.25) / 400),
        ({"A": 100, "B": 0, "C": 100}, (100 * 0.2 + 0) / 200),
        ({"A": 100, "B": 0, "C": 0}, 0.0),
    ],
)
def test_overlap_is_what_another_dataset_of_the_mix_comes_near(audit, given, overlap: float) -> None:
    assert mix_coverage(planned(**given), SeenPoses.of(audit)).overlap == pytest.approx(overlap)


def test_motion_is_of_the_frames_that_are_taken_and_whose_rate_is_known(audit) -> None:
    found = mix_coverage(planned(A=100, B=100, C=1_000), SeenPoses.of(audit))
    # Of A three quarters move at 10 degrees a second and a quarter at 30; all of B at 30; of C nobody knows.
    expected = np.zeros(len(ENERGY_EDGES) - 1)
    expected[0], expected[1] = 75 / 200, 125 / 200
    np.testing.assert_allclose(found.energy, expected)
    assert found.motion == pytest.approx(75 / 200 * 10 + 125 / 200 * 30)


def test_the_line_says_what_was_different() -> None:
    now, then = MixCoverage(3.0, 0.5, 0.1), MixCoverage(2.0, 0.5, 0.2)
    markup = coverage_line(now, then)
    assert "was 2.0" in markup
    assert "was 20 %" in markup
    assert "was 50 %" not in markup
    assert "was: the mix that the panel opened with" in markup
    assert "was" not in coverage_line(now, now)


def test_without_an_audit_it_offers_one() -> None:
    assert 'data-event="measure"' in coverage_line(MixCoverage(3.0))
    assert 'data-event="measure"' not in coverage_line(MixCoverage(3.0, 0.5, 0.1))
