"""What the synthetic corpus is made of: axes, shapes, people, smooth signals and flaws, each against its own oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from data_tools.demo_corpus.body import ACTIVITIES, ARMS
from data_tools.demo_corpus.datasets import DATASETS
from data_tools.demo_corpus.flaws import lengthen_rotations
from data_tools.demo_corpus.handshapes import ALPHABET, HANDSHAPES, opened
from data_tools.demo_corpus.motion import follow, wander
from data_tools.demo_corpus.people import invent
from data_tools.joint_axes import JOINT_FRAMES, LIMITS, angles_from_pose, keep_inside, pose_from_angles
from data_tools.pose_layout import FINGERS, mirror_hand

angle_arrays = st.lists(st.floats(0.02, 0.98), min_size=45, max_size=45).map(
    lambda shares: LIMITS[..., 0] + np.reshape(shares, (15, 3)) * (LIMITS[..., 1] - LIMITS[..., 0])
)


@given(angle_arrays)
@settings(max_examples=30)
def test_angles_become_flexion_then_abduction_then_twist(angles: np.ndarray) -> None:
    pose = pose_from_angles(angles).reshape(15, 3)
    for joint, (flexion, abduction, twist) in enumerate(JOINT_FRAMES):
        turns = [
            Rotation.from_rotvec(a * axis) for a, axis in zip(angles[joint], (flexion, abduction, twist), strict=True)
        ]
        expected = turns[0] * turns[1] * turns[2]
        assert (expected.inv() * Rotation.from_rotvec(pose[joint])).magnitude() < 1e-9
    np.testing.assert_allclose(angles_from_pose(pose_from_angles(angles)), angles, atol=1e-9)


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_soft_limits_hold_and_keep_order(first: float, second: float) -> None:
    low, high = keep_inside(np.full((15, 3), min(first, second))), keep_inside(np.full((15, 3), max(first, second)))
    assert (low >= LIMITS[..., 0] - 1e-12).all()
    assert (high <= LIMITS[..., 1] + 1e-12).all()
    assert (high >= low - 1e-12).all()
    middle = LIMITS.mean(axis=-1)
    assert np.abs(keep_inside(middle) - middle).max() < 0.01 * np.ptp(LIMITS, axis=-1).max()


def test_following_a_step_is_the_textbook_response() -> None:
    """Three lags in a row answer a step with ``1 - exp(-wt) (1 + wt + (wt)^2 / 2)``."""
    fps, quickness = 2000.0, 15.0
    targets = np.ones((2000, 1))
    targets[0] = 0
    answer = follow(targets, quickness, fps)[:, 0]
    phase = quickness * np.arange(2000) / fps
    np.testing.assert_allclose(answer, 1 - np.exp(-phase) * (1 + phase + phase**2 / 2), atol=0.01)
    assert (np.diff(answer) >= 0).all()
    at_rest = np.full((50, 2), 0.7)
    np.testing.assert_allclose(follow(at_rest, quickness, 30.0), at_rest)


def test_wandering_is_slow_and_of_unit_size() -> None:
    signal = wander(np.random.default_rng(0), 6000, 20, fps=30, cutoff=0.5)
    assert signal.std() == pytest.approx(1, abs=0.1)
    power = np.abs(np.fft.rfft(signal * np.hanning(6000)[:, None], axis=0)) ** 2
    fast = np.fft.rfftfreq(6000, 1 / 30) > 2.5
    assert power[fast].sum() < 1e-3 * power.sum()
    # The two ends are not joined, as those of a plain inverse transform are.
    assert np.abs(signal[0] - signal[-1]).mean() > 5 * np.abs(np.diff(signal, axis=0)).mean()


def test_handshapes_are_inside_limits_and_differ() -> None:
    assert len(ALPHABET) >= 22
    for name, shape in HANDSHAPES.items():
        for angles in (shape, opened(shape)):
            assert (angles >= LIMITS[..., 0]).all(), name
            assert (angles <= LIMITS[..., 1]).all(), name
    letters = np.array([HANDSHAPES[name].ravel() for name in ALPHABET])
    apart = np.abs(letters[:, None] - letters[None]).max(axis=-1)
    assert apart[~np.eye(len(letters), dtype=bool)].min() > np.deg2rad(10)


def test_characters_and_bodies_name_what_exists() -> None:
    for dataset in DATASETS:
        for character in dataset.characters:
            assert {character.rest, *character.shapes} <= set(HANDSHAPES)
            assert character.activity in ACTIVITIES
    assert {name for activity in ACTIVITIES.values() for name in (activity.rest_arm, *activity.arms)} <= set(ARMS)


def test_thumb_meets_finger_on_the_open_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Axes and shapes fit the hand that is drawn: pinches close, fists curl in, spread fingers part."""
    pytest.importorskip("torch")
    from data_tools import HandModel

    monkeypatch.delenv("SMPLX_MODEL_PATH", raising=False)
    model = HandModel()

    def tips(name: str) -> dict[str, np.ndarray]:
        left = pose_from_angles(HANDSHAPES[name])
        pose = np.concatenate([left, mirror_hand(left)]).astype(np.float32)
        joints = model.hands(pose).joints[0]
        return dict(zip((*FINGERS, "wrist"), (*joints[-5:], joints[0]), strict=True))

    def gap(points: dict[str, np.ndarray], a: str, b: str) -> float:
        return float(np.linalg.norm(points[a] - points[b]))

    for name in ("f", "ok", "pinch", "precision", "mudra"):
        assert gap(tips(name), "thumb", "index") < 0.025, name
    assert gap(tips("spread"), "thumb", "index") > 0.07
    assert gap(tips("v"), "index", "middle") > gap(tips("u"), "index", "middle") + 0.02
    straight, curled = tips("flat"), tips("fist")
    for finger in ("index", "middle", "ring", "pinky"):
        assert gap(curled, finger, "wrist") < 0.6 * gap(straight, finger, "wrist")


def test_lengthened_rotations_stay_what_they_were() -> None:
    rng = np.random.default_rng(3)
    hands = np.tile(rng.uniform(-0.8, 0.8, (1, 90)), (20, 1)) + 0.01 * rng.standard_normal((20, 90))
    longer, flaws = lengthen_rotations(rng, hands)
    before, after = Rotation.from_rotvec(hands.reshape(-1, 3)), Rotation.from_rotvec(longer.reshape(-1, 3))
    assert (before.inv() * after).magnitude().max() < 1e-9
    struck = np.linalg.norm(longer.reshape(-1, 3), axis=1) > np.pi
    assert struck.any()
    assert not struck.all()
    assert {flaw.side for flaw in flaws} <= {"left", "right"}


def test_people_differ_and_stay_themselves() -> None:
    """The same number makes the same person; two people rest a few degrees apart."""
    resting = np.array([invent(np.random.default_rng([5, k]), 1).resting for k in range(200)])
    again = np.array([invent(np.random.default_rng([5, k]), 1).resting for k in range(200)])
    np.testing.assert_array_equal(resting, again)
    spread = np.rad2deg(resting[:, 0, :12, 0].std(axis=0))
    assert (spread > 3).all()
    assert (spread < 9).all()
    # Fingers of one hand resemble each other, and so do one person's two hands.
    assert np.corrcoef(resting[:, 0, 0, 0], resting[:, 0, 6, 0])[0, 1] > 0.15
    assert np.corrcoef(resting[:, 0, 0, 0], resting[:, 1, 0, 0])[0, 1] > 0.5
