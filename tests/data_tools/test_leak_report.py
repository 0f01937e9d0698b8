"""Leaks are seen where they are: in shuffled and copied frames, and not on unseen people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from data_tools.leak_report import LeakReport, compare, leak_report
from data_tools.leaks.nearest_distances import nearest_distances
from data_tools.leaks.verdict import SHUFFLED

Hands = Callable[[int, int], np.ndarray]
LENGTH, COUNT = 80, 30


@pytest.fixture(scope="module")
def motion(moving_hands: Hands) -> np.ndarray:
    """Thirty sequences of smooth motion about places of their own."""
    return np.concatenate([moving_hands(LENGTH, seed) for seed in range(COUNT)])


def measured(motion: np.ndarray, split: np.ndarray, **more: object) -> LeakReport:
    sequence = np.repeat(np.arange(COUNT), LENGTH)
    return compare(lambda rows: motion[rows].copy(), split, sequence, **more)  # type: ignore[arg-type]


def whole_sequences() -> np.ndarray:
    return np.repeat(np.where(np.arange(COUNT) % 5 == 0, "test", "train"), LENGTH)


def test_whole_sequences_do_not_leak(motion: np.ndarray) -> None:
    report = measured(motion, whole_sequences())
    assert report.verdict == "honest"
    assert report.row("test to train").nearer == 0
    assert report.row("train to train").nearer == pytest.approx(0.5, abs=0.01)
    assert report.row(SHUFFLED).nearer == pytest.approx(0.5, abs=0.12)
    assert report.row("train to train of other sequences").median > 3 * report.row("train to train").median


def test_shuffled_frames_leak(motion: np.ndarray) -> None:
    shuffled = np.random.default_rng(0).permutation(whole_sequences())
    report = measured(motion, shuffled)
    assert report.verdict == "leaks"
    assert report.row("test to train").nearer == pytest.approx(0.5, abs=0.12)
    assert "the split leaks as a shuffled one does" in report.words


def test_a_few_copies_are_enough(motion: np.ndarray) -> None:
    split = whole_sequences()
    copied = motion.copy()
    copied[:LENGTH] = copied[LENGTH : 2 * LENGTH]  # the first test sequence is a train sequence
    report = measured(copied, split)
    assert report.verdict == "leaks"
    assert report.row("test to train").identical == pytest.approx(LENGTH / (split == "test").sum(), abs=0.01)
    assert "stand in train as well" in report.words


def test_a_few_copies_in_the_sources_are_said(motion: np.ndarray) -> None:
    copied = motion.copy()
    copied[:3] = copied[LENGTH : LENGTH + 3]
    report = measured(copied, whole_sequences())
    assert report.verdict == "partly"
    assert report.words.startswith("0.6 % of the test frames stand in train as well: a few recordings")


def test_copies_are_found_among_all_frames(motion: np.ndarray) -> None:
    copied = motion.copy()
    copied[:40] = copied[LENGTH : LENGTH + 40]
    report = measured(copied, whole_sequences(), frames=100, queries=20)
    assert report.row("test to train").identical == pytest.approx(40 / 480)


def test_it_is_said_when_distances_cannot_tell() -> None:
    noise = np.random.default_rng(0).normal(size=(LENGTH * COUNT, 90)).astype(np.float32)
    report = measured(noise, whole_sequences())
    assert report.verdict == "cannot tell"
    assert "distances cannot tell a leak here" in report.words


def test_people_are_kept_apart_where_they_are_named(motion: np.ndarray) -> None:
    person = np.repeat(np.arange(COUNT) // 10, LENGTH)
    report = measured(motion, whole_sequences(), person=person)
    # Other people are among the other sequences.
    other, people = (report.row(f"train to train of other {what}") for what in ("sequences", "people"))
    assert other.median <= people.median


def test_samples_are_bounded_and_said(motion: np.ndarray) -> None:
    asked: list[int] = []

    def poses(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        assert (np.diff(rows) > 0).all()
        return motion[rows].copy()

    split = np.repeat(np.resize(["train", "train", "val", "test"], COUNT), LENGTH)
    report = compare(poses, split, np.repeat(np.arange(COUNT), LENGTH), frames=300, queries=50)
    # The frames of each split are read for copies in blocks of their own, the others as samples.
    assert sorted(asked) == sorted([300, 50, 50, 350, 1280, 560, 560])
    assert report.sampled.startswith("50 of 560 test frames and 50 of 560 val frames against 300 of 1,280 train frames")
    again = compare(poses, split, np.repeat(np.arange(COUNT), LENGTH), frames=300, queries=50)
    assert again.to_dict() == report.to_dict()


def test_nearest_distances_are_exact() -> None:
    rng = np.random.default_rng(0)
    of, to = rng.normal(size=(700, 5)).astype(np.float32), rng.normal(size=(5000, 5)).astype(np.float32)
    np.testing.assert_allclose(nearest_distances(of, to)[0], cKDTree(to).query(of)[0], rtol=1e-5)
    groups_of, groups_to = rng.integers(3, size=700), rng.integers(3, size=5000)
    apart = nearest_distances(of, to, [(groups_of, groups_to)])[0]
    for group in range(3):
        others = cKDTree(to[groups_to != group]).query(of[groups_of == group])[0]
        np.testing.assert_allclose(apart[groups_of == group], others, rtol=1e-5)


def test_a_frame_without_others_is_left_out() -> None:
    frames = np.ones((4, 3), np.float32)
    assert len(nearest_distances(frames, frames, [(np.zeros(4), np.zeros(4))])[0]) == 0


def test_of_a_store(demo_store: Path) -> None:
    report = leak_report(demo_store)
    assert report.verdict == "honest"
    assert [row.frames for row in report.rows[:2]] == [200, 200]


def test_nothing_to_compare(motion: np.ndarray) -> None:
    with pytest.raises(ValueError, match="2400 train and 0 test frames: leaks need both"):
        measured(motion, np.repeat("train", len(motion)))
