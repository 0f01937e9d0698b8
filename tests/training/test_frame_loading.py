"""Frames on their way from a store into memory: in order, prepared, and checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from data_tools.store import PoseStore
from training import frame_loading
from training.frame_loading import ArrivingFrames, prepared_frames, standardise_

Modules = Callable[[], pl.LightningDataModule]


@pytest.mark.parametrize("columns", [slice(None), slice(45, 90)])
def test_frames_are_read_in_pieces_and_stay_in_order(
    demo_store: Path, columns: slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they are prepared where they lie (all columns) or beside it (some)."""
    monkeypatch.setattr(frame_loading, "CHUNK_FRAMES", 37)
    store = PoseStore(demo_store)
    for split in store.splits:
        frames = prepared_frames(store, split, lambda poses: poses[:, columns].mul_(2))
        np.testing.assert_array_equal(frames, 2 * store.split(split)[:, columns])


def test_frames_can_be_had_before_all_are_in_memory(demo_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are fetched by themselves, and are the same as those that come from memory later."""
    monkeypatch.setattr(frame_loading, "CHUNK_FRAMES", 37)
    store = PoseStore(demo_store)
    index = torch.tensor([500, 3, 3, 299])
    expected, threads = 2 * torch.from_numpy(store.split("train")[index.numpy()]), torch.get_num_threads()
    arriving = ArrivingFrames(store, "train", lambda poses: poses.mul_(2))
    assert len(arriving) == len(store.split("train"))
    assert torch.equal(arriving.rows(index), expected)
    assert torch.equal(arriving.rows(index), expected)
    assert torch.equal(arriving.all()[index], expected)
    assert torch.get_num_threads() == threads


def test_a_frame_that_is_no_number_stops_whoever_waits_for_it(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_loading, "CHUNK_FRAMES", 37)
    broken = shutil.copytree(demo_store, tmp_path / "store")
    poses = np.load(broken / "poses.npy", mmap_mode="r+")
    poses[PoseStore(broken).about["splits"]["train"][0] + 500, 3] = np.nan
    poses.flush()
    arriving = ArrivingFrames(PoseStore(broken), "train", lambda poses: poses)
    assert torch.isfinite(arriving.rows(torch.arange(5))).all()
    with pytest.raises(ValueError, match=r"train split of .* holds a pose that is not a number"):
        arriving.rows(torch.arange(5))


def test_a_store_that_became_shorter_is_named(demo_store: Path, tmp_path: Path) -> None:
    store = PoseStore(shutil.copytree(demo_store, tmp_path / "store"))
    poses = store.poses
    with (store.path / "poses.npy").open("r+b") as file:
        file.truncate(poses.offset + poses.nbytes // 2)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"poses\.npy: has become shorter since it was opened; pack again"):
        prepared_frames(store, "train", lambda poses: poses)


def test_standardised_in_one_pass_as_in_two() -> None:
    frames = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor([0, 0.5, -3, 0, 1, 2.0]), torch.tensor([1, 0.1, 0.01, 2, 1e-4, 1])
    frames = frames * std + mean
    expected = (frames - mean) / std
    tolerance = 4 * torch.finfo(torch.float32).eps * (mean.abs() / std + expected.abs() + 1)
    assert ((standardise_(frames, mean, std) - expected).abs() <= tolerance).all()


def test_frames_that_are_not_numbers_are_refused(demo_store: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(demo_store, tmp_path / "store")
    poses = np.load(broken / "poses.npy", mmap_mode="r+")
    store = PoseStore(broken)
    poses[store.about["splits"]["val"][0] + 3, 3] = np.nan
    poses.flush()
    with pytest.raises(ValueError, match=r"val split of .* holds a pose that is not a number"):
        prepared_frames(store, "val", lambda pose: pose)
    store.about["splits"]["train"] = [0, 0]
    with pytest.raises(ValueError, match=r"train split of .* is empty"):
        prepared_frames(store, "train", lambda pose: pose)
