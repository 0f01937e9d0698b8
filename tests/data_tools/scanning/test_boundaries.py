"""Sequences are cut where the pose jumps for good or the pictures start anew, and nowhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_tools import demo_corpus
from data_tools.readers import reader_for
from data_tools.scanning.boundaries import find_cuts, id_cuts
from data_tools.scanning.dead_hands import movement

MovingHands = Callable[[int, int], np.ndarray]


def pose_of(hands: np.ndarray) -> np.ndarray:
    poses = np.zeros((len(hands), 165), np.float32)
    poses[:, 75:] = hands
    return poses


def cuts_of(hands: np.ndarray) -> list[int]:
    return np.flatnonzero(find_cuts(pose_of(hands), movement(hands), has_body=False, image_id=None)).tolist()


def test_clips_one_after_another(moving_hands: MovingHands) -> None:
    lengths = [200, 31, 77, 150]
    hands = np.concatenate([moving_hands(length, seed) for seed, length in enumerate(lengths)])
    assert cuts_of(hands) == [200, 231, 308]


def test_one_recording_is_not_cut(moving_hands: MovingHands) -> None:
    assert cuts_of(moving_hands(2000, 0)) == []


def test_a_quick_movement_is_not_a_cut(moving_hands: MovingHands) -> None:
    hands = moving_hands(300, 0)
    ramp = np.clip((np.arange(300) - 150) / 4, 0, 1)[:, None]
    assert cuts_of((hands + 0.8 * ramp).astype(np.float32)) == []


def nudged(hands: np.ndarray, sides: int, from_frame: int) -> np.ndarray:
    """Turn every joint of one or both hands by 0.13 rad from a frame on: some six steps of this motion."""
    push = np.random.default_rng(1).normal(size=(2, 15, 3))
    push *= 0.13 / np.linalg.norm(push, axis=2, keepdims=True)
    push[sides:] = 0
    return (hands + push.reshape(90) * (np.arange(len(hands)) >= from_frame)[:, None]).astype(np.float32)


def test_both_hands_together_tell_more_than_one(moving_hands: MovingHands) -> None:
    assert cuts_of(nudged(moving_hands(300, 0), 2, 150)) == [150]
    assert cuts_of(nudged(moving_hands(300, 0), 1, 150)) == []


def test_another_vector_of_the_same_rotation_is_not_a_cut(moving_hands: MovingHands) -> None:
    joints = moving_hands(300, 0).reshape(300, 30, 3)
    length = np.linalg.norm(joints, axis=2, keepdims=True)
    joints[150:] *= ((length + 2 * np.pi) / length)[150:]
    assert cuts_of(joints.reshape(300, 90).astype(np.float32)) == []


@pytest.mark.parametrize("frames", [1, 2])
def test_a_glitch_is_not_a_cut(moving_hands: MovingHands, frames: int) -> None:
    hands = moving_hands(300, 0)
    hands[100 : 100 + frames] += 1.0
    assert cuts_of(hands) == []


def test_jitter_is_not_a_cut(moving_hands: MovingHands) -> None:
    hands = moving_hands(300, 0)
    hands[100:130] += np.random.default_rng(0).normal(scale=0.3, size=(30, 90)).astype(np.float32)
    assert cuts_of(hands) == []


def test_a_picture_that_froze_is_not_a_cut(moving_hands: MovingHands) -> None:
    hands = moving_hands(400, 0)
    hands[100:160] = hands[100]
    assert cuts_of(hands) == []


def test_nan_frames_are_not_cuts(moving_hands: MovingHands) -> None:
    hands = moving_hands(300, 0)
    hands[[50, 51, 120]] = np.nan
    assert cuts_of(hands) == []


def test_an_angle_written_the_long_way_round_is_not_a_cut() -> None:
    """A joint that turns through pi jumps by 2 pi in its numbers and not in space."""
    angle = np.linspace(2.6, 3.6, 300)
    wrapped = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    assert cuts_of(np.tile(wrapped[:, None] * np.array([0.0, 0.0, 1.0]), (1, 30)).astype(np.float32)) == []


def test_unrelated_pictures_are_one_recording() -> None:
    """Where every frame is another pose there is no typical motion to jump out of."""
    assert cuts_of(np.random.default_rng(0).normal(scale=0.4, size=(500, 90)).astype(np.float32)) == []


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (np.r_[0:50, 0:50], [50]),
        (np.r_[0:50, 1000:1050], [50]),
        (np.r_[0:50, 53:103], []),
        (np.r_[0:500:10, 2000:2500:10], [50]),
        (np.repeat(np.arange(50), 2), []),
        (np.r_[0:50, 10**9 : 10**9 + 50].astype(np.uint32), [50]),
        (np.random.default_rng(0).permutation(100), []),
    ],
)
def test_integer_image_ids(ids: np.ndarray, expected: list[int]) -> None:
    assert np.flatnonzero(id_cuts(ids)).tolist() == expected


def names(pattern: str, *spans: tuple[str, range]) -> np.ndarray:
    return np.array([pattern.format(clip, frame) for clip, frames in spans for frame in frames])


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (names("{}_{:06d}", ("walk", range(50)), ("run", range(50))), [50]),
        (names("{}/{}.jpg", ("a1", range(7, 57)), ("a2", range(50))), [50]),
        (names("{}_{}.mp4", ("a", range(50)), ("b", range(50))), [50]),
        (names("{}_{:06d}.png", ("walk", range(50)), ("walk", range(20, 70))), [50]),
        (names("{}_{:06d}.png", ("walk", range(50)), ("walk", range(60, 110))), []),
        (names("{1:05d}_{0}", ("cam", range(100))), []),
        (names("{}", ("same", range(100))), []),
        (names("{}_{:03d}", ("é", range(50)), ("ü", range(50))), [50]),
        (names("{}_{:04d}", ("a", range(50)), ("b", range(50))).astype("S"), [50]),
        (names("{}{:025d}", ("a", range(50)), ("b", range(50))), [50]),
    ],
)
def test_textual_image_ids(ids: np.ndarray, expected: list[int]) -> None:
    assert np.flatnonzero(id_cuts(ids)).tolist() == expected


def test_on_a_corpus_whose_boundaries_are_known(tmp_path: Path) -> None:
    corpus = demo_corpus.write(tmp_path / "data", frames=30_000, seed=5)
    starts = defaultdict(set)
    for truth in corpus.truth:
        starts[truth.dataset].add(truth.start)
    found, missed, false = 0, 0, 0
    for path in sorted(corpus.path.glob("*.npz")):
        sequence = reader_for(path).read(path)
        cuts = set(
            np.flatnonzero(
                find_cuts(sequence.poses, movement(sequence.poses[:, 75:]), sequence.has_body, None)
            ).tolist()
        )
        expected = starts[path.stem] - {0}
        found, missed, false = found + len(cuts & expected), missed + len(expected - cuts), false + len(cuts - expected)
    assert found > 200
    assert missed <= 0.02 * found
    assert false == 0
