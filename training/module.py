"""One LightningModule for every prior that learns by gradient steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from training.checkpoints import describe
from training.config import RunConfig
from training.prior import Prior, StepInfo


class RunningMeans:
    """Means of several numbers over batches, kept on the device: nothing waits for the GPU until it is asked."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self.frames = 0

    def add(self, values: Mapping[str, Tensor], frames: int) -> None:
        for name, value in values.items():
            total = value.detach().float().mean() * frames
            self._sums[name] = self._sums[name] + total if name in self._sums else total
        self.frames += frames

    def take(self, prefix: str) -> dict[str, float]:
        """The means so far, under ``prefix/name``; starts again from nothing."""
        means = {f"{prefix}/{name}": float(total) / max(self.frames, 1) for name, total in self._sums.items()}
        self._sums, self.frames = {}, 0
        return means


class PriorModule(pl.LightningModule):
    """Optimises a prior. What it measures is taken up by the callbacks; Lightning's own ``self.log`` is not used.

    Attributes:
        prior: The prior that learns.
        train_means: Training measures since they were last taken.
        val_metrics: Held-out measures of the latest look at the val split.
    """

    def __init__(self, prior: Prior, config: RunConfig) -> None:
        super().__init__()
        self.prior = prior
        self.config = config
        self.train_means = RunningMeans()
        self.val_metrics: dict[str, float] = {}

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss, logged = self.prior.training_step(batch, self.progress(batch_idx))
        self.train_means.add({"loss": loss, **logged}, len(batch))
        return loss

    def progress(self, batch_idx: int) -> StepInfo:
        """Where training stands when batch ``batch_idx`` of the current epoch begins."""
        batches = self.trainer.num_training_batches
        return StepInfo(
            step=self.global_step,
            epoch=self.current_epoch + batch_idx / batches,
            max_epochs=self.config.max_epochs,
        )

    def on_validation_epoch_start(self) -> None:
        self._val_means = RunningMeans()
        # The same noise at every look, so that a curve moves because the prior does.
        self._val_generator = torch.Generator(device=self.device).manual_seed(self.config.seed)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self._val_means.add(self.prior.scores(batch, self._val_generator), len(batch))

    def on_validation_epoch_end(self) -> None:
        metrics = self._val_means.take("val")
        metrics["val/bpd"] = self.prior.bits_per_dim(metrics["val/nll"])
        self.val_metrics = metrics

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["handprior"] = describe(self.prior)

    def configure_optimizers(self) -> Any:
        decayed = [p for p in self.prior.parameters() if p.ndim >= 2]
        free = [p for p in self.prior.parameters() if p.ndim < 2]
        groups = [{"params": decayed, "weight_decay": self.config.weight_decay}, {"params": free, "weight_decay": 0.0}]
        # Lightning refuses to clip gradients for a fused optimiser in mixed precision.
        fused = self.config.precision == "32" or self.config.gradient_clip is None
        optimizer = torch.optim.AdamW(groups, lr=self.config.learning_rate, fused=fused)
        total = self.trainer.estimated_stepping_batches  # num_training_batches is not known yet
        warmup = self.config.warmup_epochs * total / self.config.max_epochs

        def rate(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            if self.config.schedule == "constant":
                return 1.0
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
