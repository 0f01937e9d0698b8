"""A store of single hands: every frame gives its left hand, mirrored, and its right hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_tools import PoseStore, balance, pack, scan
from data_tools.leak_report import leak_report
from data_tools.mix import Mix
from data_tools.packing.packer import Packing
from data_tools.pose_layout import hands_as_right, hands_of

MovingHands = Callable[[int, int], np.ndarray]
MIX = replace(Mix.default(), total=400, shares={"high": 1, "medium": 0, "low": 0})


@pytest.fixture(scope="module")
def data(
    tmp_path_factory: pytest.TempPathFactory, moving_hands: MovingHands, consolidated: Callable[..., Path]
) -> Path:
    folder = tmp_path_factory.mktemp("one_hand") / "data"
    for first, name in enumerate(("GRAB", "arctic")):
        hands = np.concatenate([moving_hands(100, 20 * first + seed) for seed in range(10)])
        consolidated(folder / f"{name}.npz", hands)
    return folder


@pytest.fixture(scope="module")
def splits(data: Path) -> Path:
    balance(scan(data), MIX, data.parent / "splits")
    return data.parent / "splits"


@pytest.fixture(scope="module")
def both(splits: Path, data: Path) -> PoseStore:
    return pack(splits, data, data.parent / "both")


@pytest.fixture(scope="module")
def single(splits: Path, data: Path) -> PoseStore:
    return pack(splits, data, data.parent / "single", pose="hand", npz=True)


def reflected(hand: np.ndarray) -> np.ndarray:
    """Mirror hands the long way: as matrices M R M with the reflection M, which turns x into -x."""
    mirror = np.diag([-1.0, 1.0, 1.0])
    matrices = Rotation.from_rotvec(hand.reshape(-1, 3)).as_matrix()
    return Rotation.from_matrix(mirror @ matrices @ mirror).as_rotvec().reshape(hand.shape)


def test_every_frame_gives_its_mirrored_left_hand_and_its_right_one(both: PoseStore, single: PoseStore) -> None:
    assert (single.pose, single.dim, len(single)) == ("hand", 45, 2 * len(both))
    assert single.poses.shape == (800, 45)
    np.testing.assert_array_equal(single.poses[1::2], both.poses[:, 45:])
    np.testing.assert_allclose(single.poses[::2], reflected(both.poses[:, :45]), atol=1e-5)
    assert single.column_names == both.column_names[45:]


def test_both_hands_of_a_frame_stand_in_its_split(both: PoseStore, single: PoseStore) -> None:
    assert single.splits == both.splits
    for split in both.splits:
        frames, rows = both.split_rows(split), single.split_rows(split)
        assert rows["side"].cast(str).to_list() == ["left", "right"] * len(frames)
        assert rows[::2].drop("side").equals(frames)
        assert rows[1::2].drop("side").equals(frames)
        assert len(single.split(split)) == 2 * len(frames)


def test_statistics_are_of_all_hands_of_the_train_split(single: PoseStore) -> None:
    train = np.asarray(single.split("train"), np.float64)
    np.testing.assert_allclose(single.mean, train.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(single.std, train.std(axis=0), atol=1e-6)
    assert single.active.shape == (45,)


def test_hashes_tell_the_layouts_apart(both: PoseStore, single: PoseStore, splits: Path, data: Path) -> None:
    assert single.hash != both.hash
    assert pack(splits, data, data.parent / "again", pose="hand").hash == single.hash


def test_packing_goes_on_where_it_was_stopped(
    single: PoseStore, splits: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, packed = Packing._pack, []

    def stopped(self: Packing, source: object, *rest: object) -> None:
        if packed:
            raise KeyboardInterrupt
        packed.append(source)
        real(self, source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("data_tools.packing.packer._WORKERS", 1)
    monkeypatch.setattr(Packing, "_pack", stopped)
    with pytest.raises(KeyboardInterrupt):
        pack(splits, data, tmp_path / "store", pose="hand")
    count = []
    monkeypatch.setattr(Packing, "_pack", lambda self, source, *rest: (count.append(source), real(self, source, *rest)))
    store = pack(splits, data, tmp_path / "store", pose="hand")
    assert len(count) == 1
    for name in ("poses.npy", "rows.parquet", "store.json"):
        assert (store.path / name).read_bytes() == (single.path / name).read_bytes()


def test_plain_arrays_say_whose_hand_each_is(single: PoseStore) -> None:
    for split in single.splits:
        with np.load(single.path / f"{split}.npz", allow_pickle=False) as arrays:
            assert set(arrays) == {"hand_pose", "side", "dataset", "sequence", "frame"}
            np.testing.assert_array_equal(arrays["hand_pose"], single.split(split))
            assert arrays["side"].tolist() == ["left", "right"] * (len(single.split(split)) // 2)


def test_image_ids_stay_with_their_frames(data: Path, splits: Path, tmp_path: Path) -> None:
    named = shutil.copytree(data, tmp_path / "data")
    for path in named.glob("*.npz"):
        content = dict(np.load(path))
        np.savez(path, **content, image_id=np.arange(1000))
    balance(scan(named), MIX, tmp_path / "splits")
    rows = pack(tmp_path / "splits", named, tmp_path / "store", pose="hand").rows
    assert rows["image_id"].to_list() == rows["frame"].to_list()


def test_leaks_are_measured_on_single_hands_too(single: PoseStore) -> None:
    assert leak_report(single, frames=500, queries=100) is not None


def test_both_hands_come_back_from_any_layout() -> None:
    hands = np.random.default_rng(0).normal(size=(3, 90)).astype(np.float32)
    np.testing.assert_array_equal(hands_of(hands), hands)
    np.testing.assert_array_equal(hands_of(np.concatenate([np.zeros((3, 75), np.float32), hands], axis=1)), hands)
    right = hands_as_right(hands)
    np.testing.assert_array_equal(hands_of(right[:, 1])[:, 45:], hands[:, 45:])
    np.testing.assert_array_equal(hands_of(right[:, 0])[:, :45], hands[:, :45])
    with pytest.raises(ValueError, match=r"45 \(hand\), 90 \(hands\) or 165 \(full\) columns, got 6"):
        hands_of(np.zeros(6))
