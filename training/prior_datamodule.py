"""What a prior of this project is trained on: prepared once, then whole batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from training.epoch_place import KeepsEpochPlace
from training.frame_loading import Prepare, prepared_frames, standardiser
from training.pose_batches import FrameBatches
from training.split_modules import on_device, place_in

if TYPE_CHECKING:
    from data_tools.store import PoseStore


class PriorDataModule(KeepsEpochPlace):
    """The train and val frames of a store, ready for a prior.

    Args:
        store: A packed store.
        batch_size: Frames per batch.
        val_frames: Val frames to look at, drawn evenly over the split.
        seed: Of the order of the batches.
        prepare: Turns poses (frames, dim) into what the prior trains on, :meth:`Prior.prepare`; by default the
            active columns, standardised.
        conditions: Gives what each row of a split is conditioned on, :meth:`Prior.condition_rows`. Where that is not
            None, batches of train are pairs (frames, conditions). Val is looked at unconditionally.
    """

    def __init__(
        self,
        store: PoseStore,
        *,
        batch_size: int = 8192,
        val_frames: int = 4096,
        seed: int = 0,
        prepare: Prepare | None = None,
        conditions: Callable[[PoseStore, str], Tensor | None] | None = None,
    ) -> None:
        super().__init__()
        self.store = store
        self.batch_size = batch_size
        self.val_frames = val_frames
        self.seed = seed
        self.prepare_poses = prepare or standardiser(store)
        self.conditions_of = conditions

    def setup(self, stage: str | None = None) -> None:
        """Prepare both splits, and put the train split on the device if it fits there."""
        if hasattr(self, "train_frames"):
            return
        self.train_frames = on_device(prepared_frames(self.store, "train", self.prepare_poses), self.trainer)
        frames = prepared_frames(self.store, "val", self.prepare_poses, at_most=self.val_frames)
        self.eval_frames = on_device(frames, self.trainer)
        self.train_conditions = self._conditions("train", len(self.train_frames))

    def _conditions(self, split: str, rows: int) -> Tensor | None:
        """What each row of a split is conditioned on, beside its frames."""
        conditions = self.conditions_of(self.store, split) if self.conditions_of else None
        if conditions is None:
            return None
        if len(conditions) != rows:
            raise ValueError(f"condition_rows gave {len(conditions)} conditions for the {rows} rows of {split}")
        return conditions.to(self.train_frames.device)

    def train_dataloader(self) -> FrameBatches:
        conditions = self.train_conditions
        device = self.trainer.strategy.root_device if self.trainer else self.train_frames.device
        # From pinned memory Lightning's copy to the GPU does not wait, and goes on beside the step before.
        crossing = device.type == "cuda" and self.train_frames.device.type == "cpu"

        def with_conditions(frames: Tensor, index: Tensor) -> Any:
            frames = frames.pin_memory() if crossing else frames
            return frames if conditions is None else (frames, conditions.index_select(0, index))

        options = {"seed": self.seed, "make": with_conditions, **place_in(self.trainer)}
        return self._from_its_place(FrameBatches(self.train_frames, self.batch_size, **options))

    def val_dataloader(self) -> FrameBatches:
        return FrameBatches(self.eval_frames, 4096)
