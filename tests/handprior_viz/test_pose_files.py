"""Poses for drawing: the data folder's notes are heeded, and made-up data are called so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handprior_viz.pose_files import AT_MOST, poses_json, read_poses, write_poses


def recording(path: Path, hands: np.ndarray) -> Path:
    np.savez(path, lhand_pose=hands[:, :45], rhand_pose=hands[:, 45:])
    return path


def test_relative_hands_get_the_mean_that_the_folder_notes(tmp_path: Path) -> None:
    hands, mean = np.random.default_rng(0).uniform(-0.5, 0.5, (10, 90)), np.linspace(-0.3, 0.3, 90)
    path = recording(tmp_path / "GRAB.npz", hands)
    (tmp_path / "handprior.yaml").write_text(
        f"synthetic: true\nhand_mean: {{GRAB: rel}}\nhands_mean: {mean.tolist()}\n"
    )
    drawn = read_poses(path)
    np.testing.assert_allclose(drawn.hands, hands + mean, atol=1e-6)
    assert drawn.synthetic


def test_relative_hands_without_a_mean_are_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "GRAB.npz", np.zeros((3, 90)))
    (tmp_path / "handprior.yaml").write_text("hand_mean: {GRAB: rel}\n")
    with pytest.raises(ValueError, match="SMPLX_MODEL_PATH"):
        read_poses(path)
    assert read_poses(path, np.full(90, 0.25)).hands == pytest.approx(0.25)


def test_own_samples_are_taken_as_they_are_wherever_they_lie(tmp_path: Path) -> None:
    hands = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 90)).astype(np.float32)
    (tmp_path / "handprior.yaml").write_text("hand_mean: {default: rel}\n")
    drawn = read_poses(write_poses(tmp_path / "poses", hands, synthetic=True))
    np.testing.assert_array_equal(drawn.hands, hands)
    assert drawn.synthetic
    assert not read_poses(write_poses(tmp_path / "poses", hands, synthetic=False)).synthetic


def test_long_recordings_are_thinned_and_nan_frames_left_out(tmp_path: Path) -> None:
    hands = np.random.default_rng(0).uniform(-0.5, 0.5, (1000, 90))
    hands[0] = np.nan
    drawn = read_poses(recording(tmp_path / "long.npz", hands))
    assert len(drawn.hands) == AT_MOST - 1
    np.testing.assert_allclose(drawn.hands[-1], hands[-1], atol=1e-6)
    with pytest.raises(ValueError, match="NaN"):
        read_poses(recording(tmp_path / "nan.npz", np.full((5, 90), np.nan)))


def test_own_json_is_read_back_and_a_damaged_one_named(tmp_path: Path) -> None:
    hands = np.random.default_rng(0).uniform(-3, 3, (70, 90)).astype(np.float32)
    path = tmp_path / "poses.json"
    path.write_text(poses_json(hands, synthetic=True, fps=12.5))
    drawn = read_poses(path, at_most=None)
    np.testing.assert_array_equal(drawn.hands, hands)
    assert (drawn.synthetic, drawn.fps) == (True, 12.5)
    thinned = read_poses(path)
    assert len(thinned.hands) == AT_MOST
    assert thinned.fps is None
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"poses\.json: is damaged"):
        read_poses(path)
    path.write_text(text.replace('"body_pose"', '"body"'))
    with pytest.raises(ValueError, match=r"is not a whole file of poses \('body_pose'\)"):
        read_poses(path)


def test_a_body_is_read_where_it_is_asked_for_and_moves(tmp_path: Path) -> None:
    poses = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 165)).astype(np.float32)
    path = write_poses(tmp_path / "whole", poses, synthetic=False)
    np.testing.assert_array_equal(read_poses(path, body=True).poses, poses)
    np.testing.assert_array_equal(read_poses(path).poses, poses[:, 75:])
    still = write_poses(tmp_path / "hands", poses[:, 75:], synthetic=False)
    assert read_poses(still, body=True).poses.shape == (4, 90)
