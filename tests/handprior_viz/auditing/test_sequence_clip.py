"""Reading a stretch of a sequence: the right frames, the model's convention, never more than asked for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_tools.catalog import Catalog
from handprior_viz.auditing.sequence_clip import ClipPlace, clip_frames, read_clip

PLACE = ClipPlace("A", "A#0", "A.npz", "consolidated", 0, 300, 30.0, "incl", 0)


@pytest.fixture(scope="module")
def grab(catalog: Catalog) -> ClipPlace:
    """The second sequence of a dataset of healthy hands."""
    row = catalog.sequences.filter(dataset="GRAB").row(1, named=True)
    keys = ("path", "format", "start", "stop", "fps", "hand_mean")
    return ClipPlace(dataset="GRAB", name=row["sequence"], at=row["start"], **{key: row[key] for key in keys})


def stored_hands(path: Path, frames: np.ndarray) -> np.ndarray:
    """The hands as numpy reads them from a consolidated file."""
    with np.load(path) as file:
        return np.concatenate([file["lhand_pose"][frames], file["rhand_pose"][frames]], axis=1)


def test_it_reads_the_frames_of_the_sequence(demo_data: Path, grab: ClipPlace) -> None:
    clip = read_clip(grab, demo_data)
    assert clip.frames[0] == grab.start
    assert clip.frames[-1] < grab.stop
    raw = stored_hands(demo_data / grab.path, clip.frames).reshape(-1, 3)
    shown = clip.poses.reshape(-1, 3)
    apart = (Rotation.from_rotvec(raw).inv() * Rotation.from_rotvec(shown)).magnitude()
    assert apart.max() < 1e-5
    assert np.linalg.norm(shown, axis=1).max() <= np.pi + 1e-6


def test_relative_hands_get_their_mean(demo_data: Path, grab: ClipPlace) -> None:
    where = replace(grab, hand_mean="rel")
    mean = np.linspace(-0.2, 0.3, 90)
    clip = read_clip(where, demo_data, mean)
    raw = (stored_hands(demo_data / where.path, clip.frames) + mean).reshape(-1, 3)
    apart = (Rotation.from_rotvec(raw).inv() * Rotation.from_rotvec(clip.poses.reshape(-1, 3))).magnitude()
    assert apart.max() < 1e-5


def alone(demo_data: Path, grab: ClipPlace, folder: Path, notes: str) -> ClipPlace:
    """Relative hands in a folder of their own, beside these notes."""
    where = replace(grab, hand_mean="rel")
    shutil.copy(demo_data / where.path, folder)
    if notes:
        (folder / "handprior.yaml").write_text(notes)
    return where


def test_relative_hands_without_a_mean_are_not_shown_wrong(
    demo_data: Path, grab: ClipPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMPLX_MODEL_PATH", raising=False)
    with pytest.raises(ValueError, match="relative to a mean hand that is not known"):
        read_clip(alone(demo_data, grab, tmp_path, ""), tmp_path)


def test_relative_hands_get_the_mean_that_the_data_state(demo_data: Path, grab: ClipPlace, tmp_path: Path) -> None:
    mean = np.linspace(-0.2, 0.3, 90)
    where = alone(demo_data, grab, tmp_path, f"hands_mean: {mean.tolist()}")
    np.testing.assert_allclose(read_clip(where, tmp_path).poses, read_clip(where, tmp_path, mean).poses, atol=1e-6)


def test_fast_recordings_are_thinned_and_keep_their_speed(demo_data: Path, grab: ClipPlace) -> None:
    clip = read_clip(replace(grab, fps=120.0), demo_data)
    assert set(np.diff(clip.frames)) == {4}
    assert clip.fps == 30.0


@pytest.mark.parametrize(("at", "low"), [(0, 0), (20_000, 19_550), (39_999, 38_200)])
def test_a_long_one_is_read_around_where_to_begin(at: int, low: int) -> None:
    frames = clip_frames(replace(PLACE, stop=40_000, at=at))
    assert len(frames) == 1_800
    assert frames[0] == low
    assert frames[0] <= at <= frames[-1]


def test_it_begins_at_the_frame_that_was_asked_for(demo_data: Path, grab: ClipPlace) -> None:
    clip = read_clip(replace(grab, at=grab.start + 5), demo_data)
    assert clip.frames[clip.first] == grab.start + 5


@pytest.mark.parametrize("path", ["../secret.npz", "/etc/passwd"])
def test_a_path_outside_the_data_is_not_read(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="outside the data folder"):
        read_clip(replace(PLACE, path=path), tmp_path)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"A\.npz: not there any more"):
        read_clip(PLACE, tmp_path)


def test_a_file_that_has_become_shorter_is_said(demo_data: Path, grab: ClipPlace) -> None:
    with pytest.raises(ValueError, match="has changed; audit the data again"):
        read_clip(replace(grab, stop=10**6), demo_data)
