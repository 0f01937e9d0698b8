"""Feeds packed poses to a prior: prepared once, then whole batches by index, with no per-frame Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from data_tools.store import PoseStore

Prepare = Callable[[Tensor], Tensor]

CHUNK_FRAMES = 65_536
DEVICE_SHARE = 0.5
"""Share of the free GPU memory that the train split may take; beyond it batches come from the CPU's memory."""


class FrameBatches:
    """An epoch of batches in random order: an iterable that Lightning takes in place of a DataLoader.

    A DataLoader fetches 8192 frames one by one and stacks them; one gather does the same some 80 times faster.
    Batches of an epoch differ in size by one frame at most, none larger than ``batch_size``, and every frame
    is seen once. The order depends on ``seed`` and the epoch only, so a resumed run sees the orders it would have seen.

    Args:
        frames: (frames, columns) prepared poses.
        batch_size: Largest batch.
        seed: Of the orders; None keeps the order of the frames.
        epoch: Says which epoch begins.
        rank: Which share of each epoch this process takes, of ``world``.
        world: Number of processes that share each epoch.
    """

    def __init__(
        self,
        frames: Float[Tensor, "frames columns"],
        batch_size: int,
        *,
        seed: int | None = None,
        epoch: Callable[[], int] = lambda: 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.frames = frames
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch
        self.rank = rank
        self.world = world
        self._given = 0
        self._skip = 0

    def __len__(self) -> int:
        return math.ceil(len(self.frames) // self.world / self.batch_size)

    def __iter__(self) -> Iterator[Float[Tensor, "batch columns"]]:
        count = len(self.frames)
        if self.seed is None:
            order = torch.arange(count)
        else:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch())
            order = torch.randperm(count, generator=generator)
        share = order[: count - count % self.world][self.rank :: self.world].to(self.frames.device)
        self._given, self._skip = self._skip, 0
        for index in share.tensor_split(len(self))[self._given :]:
            self._given += 1
            yield self.frames.index_select(0, index)

    def state_dict(self) -> dict[str, int]:
        """How far into its epoch this is; Lightning keeps it in checkpoints."""
        return {"given": self._given % len(self)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next epoch where ``state_dict`` was taken, so that an interrupted one is completed."""
        self._skip = state["given"]


class HandVAEDataModule(pl.LightningDataModule):
    """The train and val frames of a store, ready for a prior.

    Args:
        store: A packed store.
        batch_size: Frames per batch.
        val_frames: Val frames to look at, drawn evenly over the split.
        seed: Of the order of the batches.
        prepare: Turns poses (frames, dim) into what the prior trains on, :meth:`Prior.prepare`; by default the
            active columns, standardised.
    """

    def __init__(
        self,
        store: PoseStore,
        *,
        batch_size: int = 8192,
        val_frames: int = 4096,
        seed: int = 0,
        prepare: Prepare | None = None,
    ) -> None:
        super().__init__()
        self.store = store
        self.batch_size = batch_size
        self.val_frames = val_frames
        self.seed = seed
        self.prepare_poses = prepare or _standardiser(store)

    def setup(self, stage: str | None = None) -> None:
        """Prepare both splits, and put the train split on the device if it fits there."""
        if hasattr(self, "train_frames"):
            return
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        frames = prepared_frames(self.store, "train", self.prepare_poses)
        self.train_frames = frames.to(device) if _fits(frames, device) else frames
        self.eval_frames = prepared_frames(self.store, "val", self.prepare_poses, at_most=self.val_frames).to(device)

    def train_dataloader(self) -> FrameBatches:
        trainer = self.trainer
        return FrameBatches(
            self.train_frames,
            self.batch_size,
            seed=self.seed,
            epoch=lambda: trainer.current_epoch if trainer else 0,
            rank=trainer.global_rank if trainer else 0,
            world=trainer.world_size if trainer else 1,
        )

    def val_dataloader(self) -> FrameBatches:
        return FrameBatches(self.eval_frames, 4096)


def prepared_frames(
    store: PoseStore, split: str, prepare: Prepare, *, at_most: int | None = None
) -> Float[Tensor, "frames columns"]:
    """Frames of a split, in order, as a prior wants them.

    Args:
        store: A packed store.
        split: ``train``, ``val`` or ``test``.
        prepare: Turns poses (frames, dim) into what the prior works on.
        at_most: Take no more than this many, spread evenly over the split.

    Raises:
        ValueError: The split is empty or holds a value that is not a number.
    """
    poses = store.split(split)
    if len(poses) == 0:
        raise ValueError(f"the {split} split of {store.path} is empty: give it a share in the mix and pack again")
    if at_most is not None and len(poses) > at_most:
        poses = poses[np.linspace(0, len(poses) - 1, at_most).round().astype(np.int64)]
    chunks = (poses[start : start + CHUNK_FRAMES] for start in range(0, len(poses), CHUNK_FRAMES))
    frames = torch.cat([prepare(torch.from_numpy(np.array(chunk, np.float32))) for chunk in chunks])
    if not bool(torch.isfinite(frames).all()):
        raise ValueError(f"the {split} split of {store.path} holds a pose that is not a number: pack it again")
    return frames


def _standardiser(store: PoseStore) -> Prepare:
    columns = torch.from_numpy(np.flatnonzero(store.active))
    mean, std = (torch.from_numpy(np.array(numbers, np.float32))[columns] for numbers in (store.mean, store.std))
    return lambda poses: (poses[:, columns] - mean) / std


def _fits(frames: Tensor, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return frames.numel() * frames.element_size() < DEVICE_SHARE * free
