"""Uncaptured hands are found frame by frame, and real ones are left alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from data_tools.pose_layout import mirror_hand
from data_tools.scanning.dead_hands import DEADLY, alive, find_faults, frozen, frozen_frames, movement

MovingHands = Callable[[int, int], np.ndarray]
LEFT, RIGHT = slice(0, 45), slice(45, 90)


def faults_of(hands: np.ndarray, **options: object) -> dict[str, np.ndarray]:
    settings: dict[str, object] = {"frozen_after": 30, "hand_mean": "incl", **options}
    return find_faults(hands, movement(hands), **settings)  # type: ignore[arg-type]


def only(faults: dict[str, np.ndarray], *names: str) -> bool:
    """Whether exactly these faults occur anywhere."""
    return {name for name, mask in faults.items() if mask.any()} == set(names)


def test_real_motion_has_no_faults(moving_hands: MovingHands) -> None:
    faults = faults_of(moving_hands(400, 0))
    assert only(faults)
    assert alive(faults, "left").all()
    assert alive(faults, "right").all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_is_found_in_its_frame_only(moving_hands: MovingHands, value: float) -> None:
    hands = moving_hands(100, 0)
    hands[40, 3] = value
    faults = faults_of(hands)
    assert only(faults, "nan")
    assert np.flatnonzero(faults["nan"]).tolist() == [40]
    assert np.flatnonzero(~alive(faults, "right")).tolist() == [40]


def test_a_zero_hand(moving_hands: MovingHands) -> None:
    hands = moving_hands(100, 0)
    hands[20:30, RIGHT] = 0
    faults = faults_of(hands)
    assert only(faults, "zero_right")
    assert np.flatnonzero(~alive(faults, "right")).tolist() == list(range(20, 30))
    assert alive(faults, "left").all()


def test_a_hand_equal_to_the_mean_however_short(moving_hands: MovingHands) -> None:
    hands, mean = moving_hands(100, 0), moving_hands(1, 9)[0]
    hands[50:53, LEFT] = mean[LEFT] + 5e-8
    faults = faults_of(hands, hands_mean=mean.astype(np.float64))
    assert only(faults, "mean_left")
    assert np.flatnonzero(faults["mean_left"]).tolist() == [50, 51, 52]


def test_a_relative_hand_is_the_mean_where_it_is_zero(moving_hands: MovingHands) -> None:
    hands, mean = moving_hands(100, 0), moving_hands(1, 9)[0]
    hands[10, LEFT], hands[20, LEFT] = mean[LEFT], 0
    faults = faults_of(hands, hands_mean=mean.astype(np.float64), hand_mean="rel")
    assert np.flatnonzero(~alive(faults, "left")).tolist() == [20]
    assert not faults["mean_left"].any()


@pytest.mark.parametrize(("frames", "is_frozen"), [(29, False), (30, True), (60, True)])
def test_a_hand_that_stands_still(moving_hands: MovingHands, frames: int, is_frozen: bool) -> None:
    hands = moving_hands(200, 0)
    hands[100 : 100 + frames, LEFT] = hands[100, LEFT]
    faults = faults_of(hands)
    assert np.flatnonzero(faults["frozen_left"]).tolist() == (list(range(100, 100 + frames)) if is_frozen else [])


@pytest.mark.parametrize(("fps", "frames"), [(None, 30), (30.0, 30), (120.0, 120), (29.97, 30), (0.1, 2)])
def test_frozen_is_a_second(fps: float | None, frames: int) -> None:
    assert frozen_frames(fps) == frames


def test_runs_against_a_plain_loop() -> None:
    is_still = np.random.default_rng(0).random(2000) < 0.8
    expected, run = np.zeros(2000, bool), [0]
    for frame in range(1, 2001):
        if frame < 2000 and is_still[frame]:
            run.append(frame)
            continue
        expected[run] = len(run) >= 6
        run = [frame]
    np.testing.assert_array_equal(frozen(is_still, 6), expected)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_copied_hand(moving_hands: MovingHands, mirrored: bool) -> None:
    hands = moving_hands(100, 0)
    hands[30:40, RIGHT] = mirror_hand(hands[30:40, LEFT]) if mirrored else hands[30:40, LEFT]
    faults = faults_of(hands)
    assert only(faults, "copied")
    assert np.flatnonzero(faults["copied"]).tolist() == list(range(30, 40))
    assert not alive(faults, "left")[30:40].any()


def test_two_mean_hands_are_no_copy(moving_hands: MovingHands) -> None:
    """The mean hands mirror each other: that is no copying."""
    mean = moving_hands(1, 9)[0]
    mean[RIGHT] = mirror_hand(mean[LEFT])
    faults = faults_of(np.repeat(mean[None], 50, axis=0), hands_mean=mean.astype(np.float64))
    assert only(faults, "mean_left", "mean_right", "frozen_left", "frozen_right")


def test_the_sources_own_word_counts(moving_hands: MovingHands) -> None:
    valid = np.arange(100) != 7
    faults = faults_of(moving_hands(100, 0), left_valid=valid)
    assert only(faults, "invalid_left")
    np.testing.assert_array_equal(alive(faults, "left"), valid)


def test_what_is_only_reported_leaves_the_frame_in_use(moving_hands: MovingHands) -> None:
    hands = moving_hands(200, 0)
    hands[50, 3:6] *= 4.0 / np.linalg.norm(hands[50, 3:6])
    hands[100:120] += np.random.default_rng(0).normal(scale=0.15, size=(20, 90)).astype(np.float32)
    faults = faults_of(hands)
    assert only(faults, "beyond_pi", "jitter")
    assert np.flatnonzero(faults["beyond_pi"]).tolist() == [50]
    assert set(range(102, 118)) <= set(np.flatnonzero(faults["jitter"]).tolist()) <= {49, 50, 51, *range(99, 121)}
    assert alive(faults, "left").all()


def test_every_fault_is_known() -> None:
    faults = faults_of(np.zeros((3, 90), np.float32))
    assert set(faults) == {*DEADLY, "jitter", "beyond_pi"}
