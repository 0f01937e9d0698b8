"""How far into an epoch training is, kept by the data module, so that a resumed run completes the epoch."""

from __future__ import annotations

from typing import TypeVar

import pytorch_lightning as pl

from training.pose_batches import PoseBatches

Batches = TypeVar("Batches", bound=PoseBatches)


class KeepsEpochPlace(pl.LightningDataModule):
    """A data module whose batches of train go on where a checkpoint was taken.

    Lightning keeps the place of the loaders too, but does not restore it where the number of steps was asked for before
    the checkpoint was read (``estimated_stepping_batches``), as a learning-rate schedule does: an interrupted epoch
    would begin again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._train_batches: PoseBatches | None = None
        self._go_on_from: dict[str, int] | None = None

    def _from_its_place(self, batches: Batches) -> Batches:
        """Hand out the train split's batches, from where a checkpoint that was read meanwhile was taken."""
        self._train_batches = batches
        if self._go_on_from is not None:
            batches.load_state_dict(self._go_on_from)
            self._go_on_from = None
        return batches

    def state_dict(self) -> dict[str, int]:
        """How far into its epoch train is."""
        return {} if self._train_batches is None else self._train_batches.state_dict()

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Remember it for the loader that is asked for next."""
        self._go_on_from = state_dict or None
