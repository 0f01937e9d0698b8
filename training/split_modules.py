"""What the data modules share: opening the data, statistics of train, shuffled and ordered batches, the GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from data_tools.pose_layout import HANDS_COLUMNS
from training.epoch_place import KeepsEpochPlace
from training.frame_loading import ArrivingFrames, standardise_
from training.pose_batches import PoseBatches
from training.split_stores import store_of

if TYPE_CHECKING:
    from data_tools.store import PoseStore

DEVICE_SHARE = 0.5
"""Share of the free GPU memory that the train split may take; beyond it batches come from the CPU's memory."""

LEAST_STD = 1e-4
"""Columns that spread less (radians) over the train split are constants: shifted to zero and not stretched."""


class PoseDataModule(KeepsEpochPlace):
    """What the data modules share: shuffled batches of train, ordered ones of val and test.

    ``num_workers`` and ``pin_memory`` are taken because callers give them, and have nothing to do: batches are
    gathered in this process, faster than workers could send them.
    """

    mean: Float[Tensor, "columns"]
    std: Float[Tensor, "columns"]

    def __init__(self, batch_size: int, seed: int, val_batch_size: int | None = None) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.val_batch_size = val_batch_size
        self.seed = seed
        self._batches_of: dict[str, Callable[..., PoseBatches]] = {}

    def setup(self, stage: str | None = None) -> None:
        """Load what the stage needs; the statistics are those of train in every stage."""
        self.mean, self.std = self.stats["mean"], self.stats["std"]
        for split in {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}.get(stage or "", _SPLITS):
            if split not in self._batches_of:
                self._batches_of[split] = self._load_split(split)

    @cached_property
    def stats(self) -> dict[str, Float[Tensor, "columns"]]:
        """Mean and standard deviation of each column over the train split; one where it never changes."""
        mean, std = self._train_moments()
        return {"mean": mean, "std": torch.where(std < LEAST_STD, torch.ones_like(std), std)}

    def _train_moments(self) -> tuple[Float[Tensor, "columns"], Float[Tensor, "columns"]]:
        """Find mean and standard deviation of the train split."""
        raise NotImplementedError

    def _load_split(self, split: str) -> Callable[..., PoseBatches]:
        """Load one split; the result takes the options of :class:`PoseBatches`."""
        raise NotImplementedError

    def train_dataloader(self) -> PoseBatches:
        """Every frame of train once an epoch, in an order that depends on the seed and the epoch."""
        place = place_in(self.trainer)
        return self._from_its_place(self._loaded("train")(batch_size=self.batch_size, seed=self.seed, **place))

    def val_dataloader(self) -> PoseBatches:
        """The val split in order."""
        return self._loaded("val")(batch_size=self.val_batch_size or self.batch_size)

    def test_dataloader(self) -> PoseBatches:
        """The test split in order."""
        return self._loaded("test")(batch_size=self.val_batch_size or self.batch_size)

    def _loaded(self, split: str) -> Callable[..., PoseBatches]:
        if split not in self._batches_of:
            self.setup({"train": "fit", "val": "validate", "test": "test"}[split])
        return self._batches_of[split]


_SPLITS = ("train", "val", "test")


class SplitsDataModule(PoseDataModule):
    """A data module over a folder of splits, packed into a store when it is first used."""

    pose: Literal["hands", "full"] = "hands"

    def __init__(
        self,
        data_dir: Path | str,
        splits_dir: Path | str,
        batch_size: int,
        seed: int,
        val_batch_size: int | None = None,
    ) -> None:
        super().__init__(batch_size, seed, val_batch_size)
        self.data_dir, self.splits_dir = Path(data_dir), Path(splits_dir)

    def prepare_data(self) -> None:
        """Pack the splits, in one process; the others open what it wrote."""
        store_of(self.data_dir, self.splits_dir, self.pose)

    @cached_property
    def store(self) -> PoseStore:
        """The packed splits, opened when they are first asked for."""
        return store_of(self.data_dir, self.splits_dir, self.pose)

    @property
    def _columns(self) -> slice:
        """The store's columns that are wanted."""
        return HANDS_COLUMNS if self.pose == "hands" and self.store.pose == "full" else slice(None)

    def _train_moments(self) -> tuple[Float[Tensor, "columns"], Float[Tensor, "columns"]]:
        return torch.from_numpy(self.store.mean[self._columns]), torch.from_numpy(self.store.std[self._columns])

    def _frames(self, split: str, *, standardize: bool) -> Float[Tensor, "frames columns"] | ArrivingFrames:
        """The wanted columns of a split, on the trainer's GPU if it has room, else on their way into memory."""

        def prepare(poses: Float[Tensor, "chunk dim"]) -> Float[Tensor, "chunk columns"]:
            wanted = poses[:, self._columns]
            return standardise_(wanted, self.mean, self.std) if standardize else wanted

        frames = ArrivingFrames(self.store, split, prepare)
        with_gpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return on_device(frames.all(), self.trainer) if with_gpu else frames

    def _origins(self, split: str) -> Callable[[Int64[Tensor, "batch"]], dict[str, Any]]:
        """What says of each frame of a split where it is from."""
        rows = self.store.split_rows(split)
        names = rows["dataset"].cast(str).to_numpy().astype(object)
        frames = torch.from_numpy(rows["frame"].to_numpy().astype(np.int64))
        pictures = rows["image_id"].cast(str).to_numpy().astype(object) if "image_id" in rows.columns else None

        def origins(index: Int64[Tensor, "batch"]) -> dict[str, Any]:
            chosen = index.cpu()
            found: dict[str, Any] = {
                "dataset_name": names[chosen.numpy()].tolist(),
                "frame_idx": frames.index_select(0, chosen),
            }
            if pictures is not None:
                found["image_id"] = pictures[chosen.numpy()].tolist()
            return found

        return origins


def place_in(trainer: pl.Trainer | None) -> dict[str, Any]:
    """Epoch and share of this process; without a trainer every pass over the loader is an epoch of its own."""
    if trainer is None:
        return {"epoch": count().__next__}
    return {"epoch": lambda: trainer.current_epoch, "rank": trainer.global_rank, "world": trainer.world_size}


def on_device(frames: Tensor, trainer: pl.Trainer | None) -> Tensor:
    """Put frames into the memory of the trainer's GPU if they leave room there; batches then never cross over."""
    device = trainer.strategy.root_device if trainer else torch.device("cpu")
    if device.type != "cuda":
        return frames
    free, _ = torch.cuda.mem_get_info(device)
    return frames.to(device) if frames.numel() * frames.element_size() < DEVICE_SHARE * free else frames
