"""One LightningModule for every prior that learns by gradient steps."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from training.checkpoints import describe
from training.config import RunConfig
from training.looks import LOOK_FRAMES, look
from training.noise import noise_state, restore_noise
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
        average: A moving average of it, where the configuration asks for one (``ema``); it never learns itself.
        train_means: Training measures since they were last taken.
        val_metrics: Held-out measures of the latest look at the val split.
    """

    def __init__(self, prior: Prior, config: RunConfig) -> None:
        super().__init__()
        self.prior = prior
        self.average = copy.deepcopy(prior).requires_grad_(False) if config.ema else None
        self.config = config
        self.train_means = RunningMeans()
        self.val_metrics: dict[str, float] = {}
        self._noise: dict[str, Tensor] | None = None

    @property
    def kept(self) -> Prior:
        """What is scored and saved: the average, or else the prior itself."""
        return self.prior if self.average is None else self.average

    def training_step(self, batch: Tensor | Sequence[Tensor], batch_idx: int) -> Tensor:
        frames, condition = (batch, None) if isinstance(batch, Tensor) else batch
        loss, logged = self.prior.training_step(frames, self.progress(batch_idx), condition)
        self.train_means.add({"loss": loss, **logged}, len(frames))
        return loss

    def progress(self, batch_idx: int) -> StepInfo:
        """Where training stands when batch ``batch_idx`` of the current epoch begins."""
        batches = self.trainer.num_training_batches
        return StepInfo(
            step=self.global_step,
            epoch=self.current_epoch + batch_idx / batches,
            max_epochs=self.config.max_epochs,
        )

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.average is None or self.config.ema is None:
            return
        # The first weights are poor: at first the average follows quickly, as in TensorFlow's and timm's averages.
        decay = min(self.config.ema, self.global_step / (10 + self.global_step))
        averaged, current = list(self.average.parameters()), list(self.prior.parameters())
        get_ema_multi_avg_fn(decay)(averaged, current, torch.empty(0))
        for into, value in zip(self.average.buffers(), self.prior.buffers(), strict=True):
            into.copy_(value)

    def on_validation_epoch_start(self) -> None:
        self._val_means = RunningMeans()
        self._looked_at: Tensor | None = None
        # The same noise at every look, so that a curve moves because the prior does.
        self._val_generator = torch.Generator(device=self.device).manual_seed(self.config.seed)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self._val_means.add(self.kept.scores(batch, self._val_generator), len(batch))
        if self._looked_at is None:
            self._looked_at = batch[:: max(1, len(batch) // LOOK_FRAMES)]

    def on_validation_epoch_end(self) -> None:
        metrics = self._val_means.take("val")
        metrics["val/bpd"] = self.prior.bits_per_dim(metrics["val/nll"])
        if self._looked_at is not None:
            metrics |= look(self.kept, self._looked_at, self._val_generator)
        # What is kept and when training ends depend on these: all processes have to think the same.
        self.val_metrics = self.trainer.strategy.broadcast(metrics)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["handprior"] = describe(self.prior)
        checkpoint["noise"] = noise_state(self.trainer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._noise = checkpoint.get("noise")
        self._set_rates(checkpoint)

    def _set_rates(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the configuration's learning rate and weight decay, where the checkpoint has what they were."""
        config = self.config
        for optimizer in checkpoint["optimizer_states"]:
            for group, decay in zip(optimizer["param_groups"], (config.weight_decay, 0.0), strict=True):
                group["lr"] *= config.learning_rate / group["initial_lr"]
                group |= {"initial_lr": config.learning_rate, "weight_decay": decay}
        for scheduler in checkpoint["lr_schedulers"]:
            scheduler["base_lrs"] = [config.learning_rate] * len(scheduler["base_lrs"])

    def on_train_start(self) -> None:
        restore_noise(self.trainer, self._noise, self.config.seed)

    def configure_optimizers(self) -> Any:
        decayed = [p for p in self.prior.parameters() if p.ndim >= 2]
        free = [p for p in self.prior.parameters() if p.ndim < 2]
        groups = [{"params": decayed, "weight_decay": self.config.weight_decay}, {"params": free, "weight_decay": 0.0}]
        # Lightning refuses to clip gradients for a fused optimiser in mixed precision.
        fused = self.config.precision == "32" or self.config.gradient_clip is None
        optimizer = torch.optim.AdamW(groups, lr=self.config.learning_rate, fused=fused)
        total = self.trainer.estimated_stepping_batches  # num_training_batches is not known yet
        warmup = self.config.warmup_epochs * total / self.config.max_epochs
        by_epoch = total / self.config.max_epochs if self.config.schedule == "cosine_by_epoch" else 0

        def rate(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            if self.config.schedule == "constant":
                return 1.0
            if by_epoch:
                step = int(step // by_epoch * by_epoch)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
