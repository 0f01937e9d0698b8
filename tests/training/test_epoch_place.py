"""Data modules in an interrupted epoch: a resumed run sees the batches that are left, once each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from data_tools.store import PoseStore
from training.datamodules import (
    ConsolidatedHandDataModule,
    HandPriorDataModule,
    HandVAEDataModule,
    PriorDataModule,
)

Modules = Callable[[], pl.LightningDataModule]


class Counting(pl.LightningModule):
    """Learns nothing, and notes each batch that it is given."""

    def __init__(self, *, by_step: bool) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.by_step = by_step
        self.seen: list[tuple[int, float]] = []

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 0.1)
        if not self.by_step:
            return optimizer
        total = int(self.trainer.estimated_stepping_batches)  # asks for the loaders before the checkpoint is read
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        frames = batch if isinstance(batch, torch.Tensor) else batch["lhand_pose"]
        self.seen.append((self.current_epoch, float(frames.double().sum())))
        return self.weight * frames.mean()


class SaveAt(pl.Callback):
    """Keeps a checkpoint after a step."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


@pytest.mark.parametrize("by_step", [True, False], ids=["scheduled by step", "not scheduled"])
@pytest.mark.parametrize("kind", ["priors", "hands", "vectors", "mapped", "plain files"])
def test_a_resumed_run_completes_the_interrupted_epoch(
    kind: str, by_step: bool, demo_store: Path, plain: Path, tmp_path: Path
) -> None:
    makers: dict[str, Modules] = {
        "priors": lambda: PriorDataModule(PoseStore(demo_store), batch_size=400),
        "hands": lambda: HandPriorDataModule(demo_store, demo_store, batch_size=400),
        "vectors": lambda: HandVAEDataModule(demo_store, demo_store, batch_size=400),
        "mapped": lambda: HandVAEDataModule(demo_store, demo_store, batch_size=400, mmap=True),
        "plain files": lambda: ConsolidatedHandDataModule(plain, batch_size=400),
    }
    still = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    still |= {"enable_model_summary": False, "limit_val_batches": 0, "max_epochs": 2, "default_root_dir": tmp_path}
    whole, resumed = Counting(by_step=by_step), Counting(by_step=by_step)
    saved = tmp_path / "middle.ckpt"
    pl.Trainer(**still, callbacks=[SaveAt(2, saved)]).fit(whole, datamodule=makers[kind]())
    pl.Trainer(**still).fit(resumed, datamodule=makers[kind](), ckpt_path=saved, weights_only=True)
    assert len(whole.seen) == 8
    assert resumed.seen == whole.seen[2:]
