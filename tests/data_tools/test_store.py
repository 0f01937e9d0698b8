"""The packed store holds what a plain loop over the files would, and says what it was made from."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_tools import PoseStore, balance, pack, scan
from data_tools.mix import Mix
from data_tools.packing import packer
from data_tools.readers.consolidated import Consolidated as ConsolidatedReader
from data_tools.selection import Selection

MovingHands = Callable[[int, int], np.ndarray]
Consolidated = Callable[..., Path]
MEAN = np.linspace(-0.4, 0.4, 90)
MIX = replace(Mix.default(), total=600, shares={"high": 2, "medium": 1, "low": 1})


def write_data(data: Path, moving_hands: MovingHands, consolidated: Consolidated) -> Path:
    """GRAB (relative to the mean, with a joint beyond pi), speech (doubles), KIT (AMASS tree)."""
    hands = np.concatenate([moving_hands(120, seed) for seed in range(6)])
    hands[:, 30:33] = np.linspace(3.0, 5.0, len(hands))[:, None] * np.array([0.6, 0.8, 0.0])
    body = np.concatenate([moving_hands(120, 100 + seed)[:, :63] for seed in range(6)])
    consolidated(data / "GRAB.npz", hands - MEAN.astype(np.float32), body=body)
    hands = np.concatenate([moving_hands(120, seed) for seed in range(10, 16)]).astype(np.float64)
    consolidated(data / "speech.npz", hands, body=body.astype(np.float64))
    for index in range(6):
        path = data / "KIT" / str(index) / "walk_poses.npz"
        path.parent.mkdir(parents=True)
        poses = np.hstack([moving_hands(120, 30 + index)[:, :66], moving_hands(120, 20 + index)])
        np.savez_compressed(path, poses=poses, mocap_framerate=30.0)
    sidecar = {"hand_mean": {"default": "incl", "GRAB": "rel"}, "hands_mean": MEAN.tolist(), "synthetic": True}
    (data / "handprior.yaml").write_text(json.dumps(sidecar))  # JSON is YAML
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, moving_hands: MovingHands, consolidated: Consolidated) -> Path:
    return write_data(tmp_path_factory.mktemp("store") / "data", moving_hands, consolidated)


@pytest.fixture(scope="module")
def selection(data: Path) -> Selection:
    return balance(scan(data), MIX)


@pytest.fixture(scope="module")
def store(selection: Selection, data: Path, tmp_path_factory: pytest.TempPathFactory) -> PoseStore:
    return pack(selection, data, tmp_path_factory.mktemp("packed") / "store")


def expected_hands(data: Path, path: str, frame: int) -> np.ndarray:
    """One frame the plain way: load the file whole, add the mean if it is missing, let scipy shorten the rotations."""
    content = np.load(data / path)
    if "poses" in content:
        hands = content["poses"][frame, 66:]
    else:
        hands = np.concatenate([content["lhand_pose"][frame], content["rhand_pose"][frame]])
    if path == "GRAB.npz":
        hands = hands + MEAN
    return Rotation.from_rotvec(hands.reshape(30, 3)).as_rotvec().reshape(90)


def test_every_row_is_the_frame_it_says(store: PoseStore, selection: Selection, data: Path) -> None:
    assert len(store) == 600 == len(store.poses)
    paths = selection.frames["path"]
    for row in range(0, 600, 7):
        about = store.rows.row(row, named=True)
        np.testing.assert_allclose(store.poses[row], expected_hands(data, paths[row], about["frame"]), atol=2e-6)


def test_rotations_are_principal(store: PoseStore) -> None:
    assert np.linalg.norm(store.poses.reshape(600, 30, 3), axis=-1).max() <= np.pi + 1e-6


def test_splits_are_blocks_and_views(store: PoseStore) -> None:
    assert store.splits == ("train", "val", "test")
    assert [len(store.split(name)) for name in store.splits] == [480, 60, 60]
    np.testing.assert_array_equal(np.concatenate([store.split(name) for name in store.splits]), store.poses)
    for name in store.splits:
        assert store.split_rows(name)["split"].unique().to_list() == [name]
        assert np.shares_memory(store.split(name), store.poses)
    with pytest.raises(ValueError, match=r"no split 'dev' in .*; it has train, val, test"):
        store.split("dev")


def test_statistics_are_of_the_train_split(store: PoseStore) -> None:
    train = np.asarray(store.split("train"), np.float64)
    np.testing.assert_allclose(store.mean, train.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(store.std, train.std(axis=0), atol=1e-6)
    assert store.active.all()
    assert (store.constants == 0).all()


def test_full_poses(selection: Selection, data: Path, tmp_path: Path) -> None:
    full = pack(selection, data, tmp_path / "full", pose="full")
    hands = pack(selection, data, tmp_path / "hands")
    assert (full.dim, full.pose, len(full.column_names)) == (165, "full", 165)
    np.testing.assert_array_equal(full.poses[:, 75:], hands.poses)
    assert not full.active[69:75].any()
    assert full.active[75:].all()
    assert full.active[3:66].all()
    assert not full.active[66:69].any()


def test_a_constant_column_is_recorded(tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated) -> None:
    hands = np.concatenate([moving_hands(100, seed) for seed in range(20)])
    hands[:, 5] = 0.25
    hands[:, 6] = 0.5 + 2e-5 * np.sin(np.arange(2000))
    data = consolidated(tmp_path / "data" / "GRAB.npz", hands).parent
    store = pack(balance(scan(data), replace(MIX, total=400)), data, tmp_path / "store")
    assert np.flatnonzero(~store.active).tolist() == [5, 6]
    np.testing.assert_allclose(store.constants[[5, 6]], [0.25, 0.5], atol=1e-5)
    assert store.column_names[5] == "left_index2_z"


def test_it_says_what_it_is(store: PoseStore, selection: Selection) -> None:
    assert store.synthetic
    assert (store.pose, store.dim) == ("hands", 90)
    assert store.datasets == ["GRAB", "KIT", "speech"]
    assert store.about["source"]["selection"] == selection.hash
    assert store.about["source"]["catalog_fingerprint"] == selection.about["catalog_fingerprint"]
    assert "600 hands poses of 90 columns, synthetic" in repr(store)


def test_the_same_bytes_every_time(store: PoseStore, selection: Selection, data: Path, tmp_path: Path) -> None:
    again = pack(selection, data, tmp_path / "again")
    for name in ("poses.npy", "rows.parquet", "store.json"):
        first, second = ((folder / name).read_bytes() for folder in (store.path, again.path))
        assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_the_hash_follows_the_values(store: PoseStore, selection: Selection, data: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(data, tmp_path / "data")
    content = dict(np.load(changed / "speech.npz"))
    content["lhand_pose"] = content["lhand_pose"] + 1e-5
    np.savez(changed / "speech.npz", **content)
    assert pack(selection, changed, tmp_path / "store").hash != store.hash


def test_from_a_folder_of_splits(store: PoseStore, data: Path, tmp_path: Path) -> None:
    balance(scan(data), MIX, tmp_path / "splits")
    assert pack(tmp_path / "splits", data, tmp_path / "store").hash == store.hash


def test_blocks_and_threads_change_nothing(
    store: PoseStore, selection: Selection, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packer, "_BLOCK_ROWS", 17)
    monkeypatch.setattr(packer, "_WORKERS", 1)
    again = pack(selection, data, tmp_path / "again")
    assert again.hash == store.hash
    np.testing.assert_array_equal(again.poses, store.poses)
    np.testing.assert_allclose(again.std, store.std, rtol=1e-6)


def test_relative_hands_without_a_mean_are_refused(data: Path, tmp_path: Path) -> None:
    bare = shutil.copytree(data, tmp_path / "data")
    (bare / "handprior.yaml").write_text("hand_mean: {default: incl, GRAB: rel}\n")
    selection = balance(scan(bare), MIX)
    with pytest.raises(ValueError, match=r"GRAB\.npz: hands are stored relative to a mean hand that is not known; set"):
        pack(selection, bare, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    given = pack(selection, bare, tmp_path / "store", hands_mean=MEAN)
    np.testing.assert_allclose(
        given.poses[0], expected_hands(bare, selection.frames["path"][0], given.rows["frame"][0]), atol=2e-6
    )


def test_the_notes_beside_the_data_win_over_the_argument(
    store: PoseStore, selection: Selection, data: Path, tmp_path: Path
) -> None:
    assert pack(selection, data, tmp_path / "store", hands_mean=np.zeros(90)).hash == store.hash


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), r"speech\.npz: not there; give the data folder"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), r"speech\.npz: damaged or incomplete"),
        (
            lambda path: np.savez(path, lhand_pose=np.zeros((5, 45)), rhand_pose=np.zeros((5, 45))),
            r"speech\.npz: ends before frame \d+: it has changed since it was scanned",
        ),
        (
            lambda path: np.savez(path, lhand_pose=np.full((720, 45), np.nan), rhand_pose=np.zeros((720, 45))),
            r"speech\.npz: holds NaN in chosen frames",
        ),
    ],
)
def test_data_that_changed_since_are_named(
    selection: Selection, data: Path, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    changed = shutil.copytree(data, tmp_path / "data")
    damage(changed / "speech.npz")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        pack(selection, changed, tmp_path / "store")
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "store.partial"}


def test_a_full_disk_leaves_the_old_store(
    store: PoseStore, selection: Selection, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shutil.copytree(store.path, tmp_path / "store")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packer.os, "pwrite", full)
    with pytest.raises(OSError, match=r"the disk is full: nothing is kept: '.*/store'"):
        pack(selection, data, old)
    assert PoseStore(old).hash == store.hash
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_full_poses_need_a_body(tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated) -> None:
    hands = np.concatenate([moving_hands(100, seed) for seed in range(20)])
    data = consolidated(tmp_path / "data" / "GRAB.npz", hands).parent
    with pytest.raises(ValueError, match=r"GRAB\.npz: has no body pose; pack the hands only"):
        pack(balance(scan(data), replace(MIX, total=400)), data, tmp_path / "store", pose="full")


def test_repeated_frames_come_back_repeated(
    tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated
) -> None:
    hands = np.concatenate([moving_hands(50, seed) for seed in range(20)])
    data = consolidated(tmp_path / "data" / "GRAB.npz", hands).parent
    mix = replace(MIX, total=3000, shortfall="repeat", shares={"high": 1, "medium": 0, "low": 0})
    store = pack(balance(scan(data), mix), data, tmp_path / "store")
    assert len(store) == 3000
    np.testing.assert_allclose(store.poses, hands[store.rows["frame"].to_numpy()], atol=1e-6)


def test_progress_and_wrong_arguments(selection: Selection, data: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    pack(selection, data, tmp_path / "store", progress=lambda done, total, _: seen.append(total - done))
    assert seen == sorted(seen, reverse=True)
    assert (seen[-1], len(set(seen)) >= selection.frames["path"].n_unique()) == (0, True)
    with pytest.raises(ValueError, match="pose must be hands, hand or full, got 'feet'"):
        pack(selection, data, tmp_path / "store", pose="feet")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hands_mean must be 90 finite numbers"):
        pack(replace(selection, known={**selection.about, "hands_mean": None}), data, tmp_path, hands_mean=[1.0])


def test_a_damaged_store_is_named(store: PoseStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no store\.json in it; make a store with `handprior pack`"):
        PoseStore(tmp_path)
    broken = shutil.copytree(store.path, tmp_path / "store")
    (broken / "poses.npy").write_bytes((broken / "poses.npy").read_bytes()[:500])
    with pytest.raises(ValueError, match=r"poses\.npy: damaged or missing"):
        _ = PoseStore(broken).poses
    np.save(broken / "poses.npy", np.zeros((3, 90), np.float32))
    with pytest.raises(ValueError, match=r"poses\.npy: holds \(3, 90\) float32"):
        _ = PoseStore(broken).poses
    (broken / "store.json").write_text("{}")
    with pytest.raises(ValueError, match=r"store\.json: damaged .*; pack again"):
        PoseStore(broken)


@pytest.mark.parametrize("pose", ["hands", "full"])
def test_plain_npz(selection: Selection, data: Path, tmp_path: Path, pose: Literal["hands", "full"]) -> None:
    store = pack(selection, data, tmp_path / "store", pose=pose, npz=True)
    first = 0 if pose == "full" else 75
    for split in store.splits:
        with np.load(store.path / f"{split}.npz") as content:  # refuses pickles
            poses, rows = store.split(split), store.split_rows(split)
            np.testing.assert_array_equal(content["lhand_pose"], poses[:, 75 - first : 120 - first])
            np.testing.assert_array_equal(content["rhand_pose"], poses[:, 120 - first :])
            if pose == "full":
                np.testing.assert_array_equal(content["global_orient"], poses[:, :3])
                np.testing.assert_array_equal(content["body_pose"], poses[:, 3:66])
                np.testing.assert_array_equal(content["jaw_pose"], poses[:, 66:69])
            for column in ("dataset", "sequence", "frame"):
                assert content[column].tolist() == rows[column].to_list()
            assert ("body_pose" in content) == (pose == "full")


def test_plain_npz_are_data_to_scan(store: PoseStore, tmp_path: Path) -> None:
    paths = store.write_npz(tmp_path / "plain")
    assert [path.name for path in paths] == ["train.npz", "val.npz", "test.npz"]
    catalog = scan(tmp_path / "plain")
    assert dict(catalog.datasets().select("dataset", "frames").iter_rows()) == {"train": 480, "val": 60, "test": 60}
    assert catalog.sequences["hand_mean"].unique().to_list() == ["incl"]
    assert catalog.synthetic
    train = ConsolidatedReader().read(tmp_path / "plain" / "train.npz")
    np.testing.assert_array_equal(train.poses[:, 75:], store.split("train"))
    again = store.write_npz(tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (np.arange(2000, dtype=np.int32), None, [0, None]),
        (np.arange(2000), np.arange(2000)[:, None] + 5000, [0, 5000]),
        (np.arange(2000), np.array([f"b/{k}" for k in range(2000)]), ["0", "b/0"]),
        (np.array([b"a%d" % k for k in range(2000)]), None, ["a0", None]),
    ],
)
def test_image_ids(
    tmp_path: Path,
    moving_hands: MovingHands,
    consolidated: Consolidated,
    first: np.ndarray,
    second: np.ndarray | None,
    expected: list[Any],
) -> None:
    data = tmp_path / "data"
    hands = np.concatenate([moving_hands(100, seed) for seed in range(20)])
    for name, ids in (("GRAB", first), ("speech", second)):
        path = consolidated(data / f"{name}.npz", hands)
        if ids is not None:
            np.savez(path, **dict(np.load(path)), image_id=ids)
    store = pack(balance(scan(data), replace(MIX, total=400)), data, tmp_path / "store", npz=True)
    kind = type(expected[0])
    offset = {"GRAB": (first, expected[0]), "speech": (second, expected[1])}
    for row in store.rows.iter_rows(named=True):
        ids, start = offset[row["dataset"]]
        value = None if ids is None else np.ravel(ids)[row["frame"]]
        text = value.decode() if isinstance(value, bytes) else value
        assert row["image_id"] == (None if start is None else kind(text))
    with np.load(store.path / "train.npz") as content:
        missing = -1 if kind is int else ""
        ids = store.split_rows("train")["image_id"].fill_null(missing)
        assert content["image_id"].tolist() == ids.to_list()


def test_no_image_ids_no_column(store: PoseStore) -> None:
    assert store.rows.columns == ["dataset", "sequence", "frame", "tier", "split", "subject"]
