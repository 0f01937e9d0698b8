"""The mean hand is learnt from dead hands, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_tools import demo_corpus, scan
from data_tools.open_hand import hands_mean
from data_tools.pose_layout import mirror_hand

MovingHands = Callable[[int, int], np.ndarray]


def amass(path: Path, hands: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, poses=np.hstack([np.zeros((len(hands), 66)), hands]), mocap_framerate=60.0)


def dead(seed: int) -> np.ndarray:
    hand = np.random.default_rng(seed).uniform(-0.5, 0.5, 45)
    return np.concatenate([hand, mirror_hand(hand)])


def test_from_the_synthetic_corpus_without_its_sidecar(tmp_path: Path) -> None:
    folder = demo_corpus.write(tmp_path / "data", frames=6_000).path
    notes = (folder / "handprior.yaml").read_text()
    known = scan(folder, cache=False)
    (folder / "handprior.yaml").write_text(notes[: notes.index("hands_mean:")])
    learnt = scan(folder, cache=tmp_path / "cache.sqlite")
    # WEIZMANN's dead hands are mirror images of another pose: the value that most datasets share is the mean.
    np.testing.assert_allclose(learnt.hands_mean, hands_mean(), atol=1e-6)
    assert learnt.hands_mean_source is not None
    assert learnt.hands_mean_source.startswith("learnt from ")
    assert "more datasets" in learnt.hands_mean_source
    assert known.hands_mean_source == "handprior.yaml"
    assert learnt.sequences.equals(known.sequences)
    again = scan(folder, cache=tmp_path / "cache.sqlite")
    assert (again.fingerprint, again.hands_mean_source) == (learnt.fingerprint, learnt.hands_mean_source)
    assert "still_left" not in learnt.sequences.columns


def test_frames_equal_to_what_was_learnt_are_dead(tmp_path: Path, moving_hands: MovingHands) -> None:
    mean, hands = dead(0), moving_hands(200, 1).astype(np.float64)
    hands[50:55, :45] = mean[:45]
    for name in ("CMU", "KIT"):
        amass(tmp_path / "data" / name / "dead_poses.npz", np.tile(mean, (100, 1)))
    amass(tmp_path / "data" / "KIT" / "live_poses.npz", hands)
    found = scan(tmp_path / "data", cache=False)
    assert found.hands_mean_source == "learnt from 4 uncaptured hands in CMU, KIT"
    assert found.sequences["mean_left"].to_list() == [100, 100, 5]
    assert found.sequences["usable_frames"].to_list() == [0, 0, 195]


@pytest.mark.parametrize("values", ["zero", "one sequence", "no mirror image", "two poses", "flat"])
def test_nothing_is_learnt_from_what_tells_nothing(tmp_path: Path, values: str) -> None:
    hands = {
        "zero": [np.zeros(90)] * 4,
        "one sequence": [dead(0)],
        "no mirror image": [np.random.default_rng(0).uniform(-0.5, 0.5, 90)] * 4,
        "two poses": [dead(0), dead(1)],
        "flat": [0.01 * dead(0)] * 4,
    }[values]
    for index, pose in enumerate(hands):
        amass(tmp_path / "data" / f"d{index}" / "a_poses.npz", np.tile(pose, (50, 1)))
    found = scan(tmp_path / "data", cache=False)
    assert found.hands_mean is None
    assert found.hands_mean_source is None


def test_mixing_conventions_without_a_mean_is_refused_with_the_reason(
    tmp_path: Path, moving_hands: MovingHands
) -> None:
    for name in ("CMU", "arctic"):
        amass(tmp_path / "data" / name / "a_poses.npz", moving_hands(100, 0))
    problem = scan(tmp_path / "data", cache=False, hand_mean={"arctic": "rel"}).mean_hand_problem()
    assert problem is not None
    assert problem.startswith("arctic store hands relative to a mean hand that is not known, while CMU hold it inside")
    assert scan(tmp_path / "data", cache=False).mean_hand_problem() is None
    assert (
        scan(tmp_path / "data", cache=False, hand_mean={"arctic": "rel"}, hands_mean=dead(0)).mean_hand_problem()
        is None
    )
