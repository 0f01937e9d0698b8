"""What a prior of this project is trained on: prepared once, then whole batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytorch_lightning as pl

from training.frame_loading import Prepare, prepared_frames, standardiser
from training.pose_batches import FrameBatches
from training.split_modules import on_device, place_in

if TYPE_CHECKING:
    from data_tools.store import PoseStore


class PriorDataModule(pl.LightningDataModule):
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
        self.prepare_poses = prepare or standardiser(store)

    def setup(self, stage: str | None = None) -> None:
        """Prepare both splits, and put the train split on the device if it fits there."""
        if hasattr(self, "train_frames"):
            return
        self.train_frames = on_device(prepared_frames(self.store, "train", self.prepare_poses), self.trainer)
        frames = prepared_frames(self.store, "val", self.prepare_poses, at_most=self.val_frames)
        self.eval_frames = on_device(frames, self.trainer)

    def train_dataloader(self) -> FrameBatches:
        return FrameBatches(self.train_frames, self.batch_size, seed=self.seed, **place_in(self.trainer))

    def val_dataloader(self) -> FrameBatches:
        return FrameBatches(self.eval_frames, 4096)
