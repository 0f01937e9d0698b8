"""The data modules that people already use: what a batch holds, which statistics, which frames."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from data_tools.store import PoseStore, pack
from training.datamodules import (
    ComprehensivePoseDataModule,
    ConsolidatedHandDataModule,
    HandPriorDataModule,
    HandVAEDataModule,
    PriorDataModule,
)


@pytest.fixture(scope="module")
def splits(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The splits that the small store was packed from, without it."""
    return shutil.copytree(demo_store.parent / "splits", tmp_path_factory.mktemp("splits") / "splits")


def all_of(batches: Any, key: str | None = None) -> torch.Tensor:
    return torch.cat([batch if key is None else batch[key] for batch in batches])


def test_store_comes_standardised_once_and_whole(demo_store: Path) -> None:
    store = PoseStore(demo_store)
    data = PriorDataModule(store, batch_size=128, val_frames=50)
    data.setup()
    train = torch.cat(list(data.train_dataloader()))
    assert train.shape == (len(store.split("train")), int(store.active.sum()))
    torch.testing.assert_close(train.mean(0), torch.zeros(train.shape[1]), rtol=0, atol=1e-3)
    torch.testing.assert_close(train.std(0, correction=0), torch.ones(train.shape[1]), rtol=0, atol=1e-3)
    val = torch.cat(list(data.val_dataloader()))
    assert len(val) == 50
    expected = (store.split("val")[[0, -1]] - store.mean) / store.std
    np.testing.assert_allclose(val[[0, -1]].numpy(), expected[:, store.active], rtol=1e-4, atol=1e-5)


def test_splits_are_packed_once(
    demo_data: Path, splits: Path, demo_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = HandVAEDataModule(demo_data, splits, standardize=False)
    first.prepare_data()
    first.setup("test")
    assert (splits / "store_hands" / "store.json").is_file()
    np.testing.assert_array_equal(all_of(first.test_dataloader()), PoseStore(demo_store).split("test"))
    monkeypatch.setattr("data_tools.store.pack", lambda *_, **__: pytest.fail("packed again"))
    again = HandVAEDataModule(demo_data, splits, standardize=False)
    again.setup()
    assert len(all_of(again.train_dataloader())) == len(PoseStore(demo_store).split("train"))


def test_hands_with_their_origin(demo_data: Path, demo_store: Path) -> None:
    data = HandPriorDataModule(demo_data, demo_store, batch_size=300, num_workers=4)
    data.setup("test")
    batches = list(data.test_dataloader())
    assert set(batches[0]) == {"lhand_pose", "rhand_pose", "dataset_name", "frame_idx", "image_id"}
    store = PoseStore(demo_store)
    hands = torch.cat([all_of(batches, "lhand_pose"), all_of(batches, "rhand_pose")], dim=1)
    np.testing.assert_array_equal(hands, store.split("test"))
    rows = store.split_rows("test")
    assert [name for batch in batches for name in batch["dataset_name"]] == rows["dataset"].to_list()
    assert all_of(batches, "frame_idx").tolist() == rows["frame"].to_list()


def test_shuffled_hands_keep_their_origin(demo_data: Path, demo_store: Path) -> None:
    data = HandPriorDataModule(demo_data, demo_store, batch_size=300)
    data.setup("fit")
    store = PoseStore(demo_store)
    known = {
        (name, frame, round(float(pose[7]), 5))
        for (name, frame), pose in zip(
            store.split_rows("train").select("dataset", "frame").iter_rows(), store.split("train"), strict=True
        )
    }
    for batch in data.train_dataloader():
        sevenths = [round(float(number), 5) for number in batch["lhand_pose"][:, 7]]
        assert set(zip(batch["dataset_name"], batch["frame_idx"].tolist(), sevenths, strict=True)) <= known


def test_pictures_are_named_where_the_source_names_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hands = (rng.normal(size=90) + np.cumsum(rng.normal(scale=0.01, size=(2000, 90)), axis=0)).astype(np.float32)
    names = np.array([f"walk/{frame:05d}.jpg" for frame in range(2000)])
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data/GRAB.npz", lhand_pose=hands[:, :45], rhand_pose=hands[:, 45:], image_id=names)
    (tmp_path / "data/handprior.yaml").write_text("hand_mean: {default: incl}")
    from data_tools import balance, scan
    from data_tools.mix import Mix

    mix = Mix.from_dict({**Mix.default().to_dict(), "total": 100, "shares": {"high": 1, "medium": 0, "low": 0}})
    balance(scan(tmp_path / "data"), mix, tmp_path / "splits")
    data = HandPriorDataModule(tmp_path / "data", tmp_path / "splits")
    data.setup("fit")
    for batch in data.train_dataloader():
        assert batch["image_id"] == [f"walk/{frame:05d}.jpg" for frame in batch["frame_idx"].tolist()]


def test_the_transform_gets_whole_batches(demo_data: Path, demo_store: Path) -> None:
    data = HandPriorDataModule(demo_data, demo_store, transform=lambda batch: {"left": batch["lhand_pose"] * 2})
    data.setup("validate")
    batch = next(iter(data.val_dataloader()))
    assert set(batch) == {"left"}
    np.testing.assert_array_equal(batch["left"], 2 * PoseStore(demo_store).split("val")[: len(batch["left"]), :45])


@pytest.mark.parametrize("mmap", [False, True])
def test_hand_vectors_are_standardised_once(demo_data: Path, demo_store: Path, mmap: bool) -> None:
    data = HandVAEDataModule(demo_data, demo_store, batch_size=256, mmap=mmap)
    data.setup("fit")
    train = all_of(data.train_dataloader())
    poses = np.array(PoseStore(demo_store).split("train"), np.float64)
    moves = poses.std(axis=0) > 1e-4
    assert train.shape == poses.shape
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(train.double().std(0, correction=0), moves, atol=1e-3)
    val = all_of(data.val_dataloader())
    spread = np.where(moves, poses.std(axis=0), 1)
    expected = (PoseStore(demo_store).split("val") - poses.mean(axis=0)) / spread
    np.testing.assert_allclose(val, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
def test_dictionaries_of_hand_vectors(demo_data: Path, demo_store: Path, mmap: bool, standardize: bool) -> None:
    data = HandVAEDataModule(demo_data, demo_store, 200, return_dict=True, standardize=standardize, mmap=mmap)
    data.setup("fit")
    for batch in data.train_dataloader():
        raw = torch.cat([batch["lhand_pose"], batch["rhand_pose"]], dim=1)
        again = batch["x90"] * batch["std"] + batch["mean"] if standardize else batch["x90"]
        torch.testing.assert_close(again, raw, rtol=0, atol=1e-5)
        assert batch["x90"].shape == raw.shape
        assert len(batch["dataset_name"]) == len(batch["frame_idx"]) == len(raw)
        assert ("mean" in batch) == standardize


MODULES: dict[str, Callable[[Path, Path, Path], Any]] = {
    "hand vae": lambda data, store, _: HandVAEDataModule(data, store),
    "hand vae mapped": lambda data, store, _: HandVAEDataModule(data, store, mmap=True),
    "consolidated": lambda _, __, plain: ConsolidatedHandDataModule(plain),
}


@pytest.mark.parametrize("name", MODULES)
def test_statistics_are_those_of_train_in_every_stage(
    name: str, demo_data: Path, demo_store: Path, plain: Path, tmp_path: Path
) -> None:
    """A test split shifted by a radian comes out shifted: its own mean is nowhere subtracted."""
    store_copy, plain_copy = shutil.copytree(demo_store, tmp_path / "store"), shutil.copytree(plain, tmp_path / "plain")
    start, stop = PoseStore(store_copy).about["splits"]["test"]
    poses = np.load(store_copy / "poses.npy", mmap_mode="r+")
    poses[start:stop] += 1
    poses.flush()
    with np.load(plain_copy / "test.npz") as content:
        arrays = dict(content)
    arrays |= {key: arrays[key] + 1 for key in ("lhand_pose", "rhand_pose")}
    np.savez(plain_copy / "test.npz", **arrays)
    shifted, before = (MODULES[name](demo_data, s, p) for s, p in ((store_copy, plain_copy), (demo_store, plain)))
    for data in (shifted, before):
        data.setup("test")
    std = shifted.stats["std"]
    apart = all_of(shifted.test_dataloader()) - all_of(before.test_dataloader())
    torch.testing.assert_close(apart, (1 / std).expand_as(apart), rtol=1e-3, atol=2e-3)


def test_plain_files_give_what_the_store_gives(demo_data: Path, demo_store: Path, plain: Path) -> None:
    ours, theirs = (
        HandVAEDataModule(demo_data, demo_store, return_dict=True),
        ConsolidatedHandDataModule(plain, return_dict=True),
    )
    for data in (ours, theirs):
        data.setup("test")
    for left, right in zip(ours.test_dataloader(), theirs.test_dataloader(), strict=True):
        assert set(left) == set(right)
        torch.testing.assert_close(left["x90"], right["x90"], rtol=1e-4, atol=1e-4)
        assert left["dataset_name"] == right["dataset_name"]
        assert left["frame_idx"].tolist() == right["frame_idx"].tolist()


def test_missing_plain_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train\.npz: not there; write it with `handprior pack --npz`"):
        ConsolidatedHandDataModule(tmp_path).setup("fit")
    np.savez(tmp_path / "train.npz", lhand_pose=np.zeros((3, 45), np.float32))
    with pytest.raises(ValueError, match=r"train\.npz: has no rhand_pose; found lhand_pose"):
        ConsolidatedHandDataModule(tmp_path).setup("fit")


def test_whole_bodies_have_55_joints(demo_data: Path, splits: Path, tmp_path: Path) -> None:
    own = shutil.copytree(splits, tmp_path / "splits", ignore=shutil.ignore_patterns("store_*"))
    plain = ComprehensivePoseDataModule(demo_data, own, batch_size=50, standardize=False)
    plain.prepare_data()
    plain.setup("test")
    joints = all_of(plain.test_dataloader())
    store = PoseStore(own / "store_full")
    assert joints.shape == (len(store.split("test")), 55, 3)
    np.testing.assert_array_equal(joints.flatten(1), store.split("test"))
    assert not joints[:, 23:25].any()
    parts = ComprehensivePoseDataModule(demo_data, own, return_dict=True)
    parts.setup("test")
    batch = next(iter(parts.test_dataloader()))
    order = ("global_orient", "body_pose", "jaw_pose", "eye_pose", "lhand_pose", "rhand_pose")
    assert [batch[name].shape[1] for name in order] == [1, 21, 1, 2, 15, 15]
    torch.testing.assert_close(torch.cat([batch[name] for name in order], dim=1), batch["full_pose"])
    assert not batch["eye_pose"].any()


def test_hands_of_a_full_store(demo_data: Path, splits: Path, demo_store: Path, tmp_path: Path) -> None:
    pack(splits, demo_data, tmp_path / "full", pose="full")
    for mmap in (False, True):
        data = HandVAEDataModule(demo_data, tmp_path / "full", standardize=False, mmap=mmap)
        data.setup("test")
        np.testing.assert_array_equal(all_of(data.test_dataloader()), PoseStore(demo_store).split("test"))
    with pytest.raises(ValueError, match="holds hands only; pack again with --pose full"):
        ComprehensivePoseDataModule(demo_data, demo_store).setup()


def test_splits_in_json_alone(demo_data: Path, splits: Path, tmp_path: Path) -> None:
    """What users of other tools have: dataset -> frame numbers, and nothing else."""
    for split in ("train", "val", "test"):
        shutil.copy(splits / f"{split}_samples.json", tmp_path)
    data = HandPriorDataModule(demo_data, tmp_path, batch_size=500)
    data.prepare_data()
    data.setup("test")
    wanted = json.loads((tmp_path / "test_samples.json").read_text())
    found = [number for batch in data.test_dataloader() for number in batch["frame_idx"].tolist()]
    assert sorted(found) == sorted(number for numbers in wanted.values() for number in numbers)


def test_a_folder_without_splits_is_named(demo_data: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither a store nor splits; make them with `handprior balance DATA"):
        HandVAEDataModule(demo_data, tmp_path).setup()


class Watching(pl.LightningModule):
    """Learns one number, and notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros(()))
        self.seen: dict[str, list[tuple[int, ...]]] = {"fit": [], "val": [], "test": []}

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        self.seen["fit"].append(tuple(batch.shape))
        return (batch - self.number).square().mean()

    def validation_step(self, batch: torch.Tensor) -> None:
        self.seen["val"].append(tuple(batch.shape))

    def test_step(self, batch: torch.Tensor) -> None:
        self.seen["test"].append(tuple(batch.shape))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_lightning_takes_them(name: str, demo_data: Path, demo_store: Path, plain: Path, tmp_path: Path) -> None:
    data, model = MODULES[name](demo_data, demo_store, plain), Watching()
    data.batch_size = data.val_batch_size = 64
    trainer = pl.Trainer(
        max_epochs=2,
        limit_train_batches=2,
        limit_val_batches=2,
        limit_test_batches=2,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    assert len(model.seen["fit"]) == 4
    assert len(model.seen["test"]) == 2
    assert {shape[1] for shapes in model.seen.values() for shape in shapes} == {90}


def test_a_store_is_packed_again_when_its_data_change(demo_data: Path, splits: Path, tmp_path: Path) -> None:
    import os

    data_dir = shutil.copytree(demo_data, tmp_path / "data")
    own = shutil.copytree(splits, tmp_path / "splits", ignore=shutil.ignore_patterns("store_*"))
    HandVAEDataModule(data_dir, own).prepare_data()
    packed = own / "store_hands" / "store.json"
    before = packed.stat().st_ino
    HandVAEDataModule(data_dir, own).prepare_data()
    assert packed.stat().st_ino == before
    used = json.loads((own / "store_hands.json").read_text())["files"]
    os.utime(data_dir / next(name for name in used if name != "handprior.yaml"), (1, 1))
    HandVAEDataModule(data_dir, own).prepare_data()
    again = packed.stat().st_ino
    assert again != before
    shutil.rmtree(data_dir)
    HandVAEDataModule(data_dir, own).prepare_data()
    assert packed.stat().st_ino == again


def test_passes_without_a_trainer_differ(demo_data: Path, demo_store: Path) -> None:
    data = HandVAEDataModule(demo_data, demo_store, batch_size=100)
    data.setup("fit")
    loader = data.train_dataloader()
    first, second = all_of(loader), all_of(loader)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first.sort(dim=0).values, second.sort(dim=0).values)


def test_lists_of_whole_files_are_refused(demo_data: Path, tmp_path: Path) -> None:
    (tmp_path / "train_files.txt").write_text("../data/GRAB.npz\n")
    with pytest.raises(FileNotFoundError, match="lists whole files, which is no split of their frames"):
        ComprehensivePoseDataModule(demo_data, tmp_path).prepare_data()
