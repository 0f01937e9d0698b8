"""What a run does beside learning: stream metrics and a heartbeat, keep checkpoints, obey a request to stop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from tqdm.auto import tqdm

from training.checkpoints import save_prior
from training.config import RunConfig
from training.module import PriorModule
from training.run_folder import RunFolder
from training.stop_signals import stop_on_signals

log = logging.getLogger(__name__)

Watch = Callable[[dict[str, Any]], None]
"""Is given the status and the newest metrics at every heartbeat."""

LAST_CHECKPOINT_SECONDS = 15.0
"""How often ``last.ckpt`` is written at most, while epochs are shorter than that."""


def epochs_behind(trainer: pl.Trainer) -> float:
    """Epochs that are behind a training in the middle of one, fractions included.

    Not steps over batches of an epoch: a run that goes on in more or fewer processes has other batches.
    """
    batches = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    return trainer.current_epoch + batches / trainer.num_training_batches


class StreamMetrics(Callback):
    """Appends to metrics.jsonl and beats the heart in status.json, every ``log_seconds`` and at every validation."""

    def __init__(self, run: RunFolder, config: RunConfig, watch: Watch | None = None) -> None:
        self.run = run
        self.config = config
        self.watch = watch
        self.speed = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.began = self.flushed = time.monotonic()
        self.first_step = trainer.global_step
        self.resting = 0.0
        self._report(trainer, {}, trainer.current_epoch)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if time.monotonic() - self.flushed >= self.config.log_seconds:
            self._flush(trainer, pl_module, {})

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.rested = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.resting += time.monotonic() - self.rested
        self._flush(trainer, pl_module, pl_module.val_metrics)

    def _flush(self, trainer: pl.Trainer, module: PriorModule, val_metrics: dict[str, float]) -> None:
        now = time.monotonic()
        frames = module.train_means.frames * trainer.world_size
        metrics = module.train_means.take("train") | val_metrics
        bad = [name for name in ("train/loss", "val/nll") if not math.isfinite(metrics.get(name, 0.0))]
        if frames:
            self.speed = frames / max(now - self.flushed - self.resting, 1e-9)
        metrics["learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        metrics["samples_per_second"] = round(self.speed)
        self.flushed, self.resting = now, 0.0
        if trainer.is_global_zero:
            self._write(trainer, metrics)
        if bad:
            raise FloatingPointError(f"{bad[0]} is not a number at step {trainer.global_step}")

    def _write(self, trainer: pl.Trainer, metrics: dict[str, float]) -> None:
        step, epoch = trainer.global_step, epochs_behind(trainer)
        self.run.append_metrics(epoch=round(epoch, 3), step=step, **metrics)
        for logger in trainer.loggers:
            logger.log_metrics(metrics, step=step)
        self._report(trainer, metrics, epoch)

    def _report(self, trainer: pl.Trainer, metrics: dict[str, float], epoch: float) -> None:
        if not trainer.is_global_zero:
            return
        left = max(0.0, self.config.max_epochs - epoch) * trainer.num_training_batches
        done = trainer.global_step - self.first_step
        pace = (time.monotonic() - self.began) / done if done else math.nan
        status = self.run.update_status(
            state="running",
            epoch=int(epoch),
            step=trainer.global_step,
            max_epochs=self.config.max_epochs,
            samples_per_second=round(self.speed),
            eta_seconds=round(pace * left, 1) if done else None,
        )
        if self.watch is not None:
            self.watch({**status, **metrics})


class KeepCheckpoints(Callback):
    """Keeps the last state and the best one on the val split; each file is written beside and renamed.

    Has to come after :class:`ObeyStop`, whose request it answers in the same batch, and after
    :class:`EndWhenWorse`, whose count of looks goes into the checkpoint.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        best = run.status().get("best_nll")  # of the run's earlier life, if it is resumed
        self.best = math.inf if best is None else best
        self.saved = time.monotonic()
        self.stopped_at: int | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        nll = pl_module.val_metrics["val/nll"]
        if nll < self.best:
            self.best = nll
            self._save(trainer, "best")
            if trainer.is_global_zero:
                save_prior(pl_module.kept, self.run.prior_file)
                self.run.update_status(best_nll=nll, best_step=trainer.global_step)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.should_stop:  # in the middle of an epoch, so that a resumed run completes it
            self._save(trainer, "last")
            self.stopped_at = trainer.global_step

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.stopped_at == trainer.global_step:
            return
        ending = trainer.should_stop or trainer.current_epoch + 1 >= (trainer.max_epochs or 0)
        overdue = time.monotonic() - self.saved >= LAST_CHECKPOINT_SECONDS
        # The processes that share a training write together: the first one's clock counts.
        if trainer.strategy.broadcast(ending or overdue):
            self._save(trainer, "last")
            self.saved = time.monotonic()

    def _save(self, trainer: pl.Trainer, which: Any) -> None:
        path = self.run.checkpoint_file(which)
        beside = path.with_name(f".{path.name}")
        try:
            trainer.save_checkpoint(beside)  # on every rank: it waits for the others
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        if trainer.is_global_zero:
            beside.replace(path)


class EndWhenWorse(Callback):
    """Ends training when the val split has not been scored better for a number of looks.

    Args:
        patience: How many looks; None for never.
        unseen: What the val split holds that training does not: ``people`` or ``sequences``.

    Attributes:
        message: What happened, in one line; empty while nothing has.
    """

    def __init__(self, patience: int | None, unseen: str) -> None:
        self.patience = patience
        self.unseen = unseen
        self.message = ""
        self.best = math.inf
        self.best_epoch = 0
        self.worse = 0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.should_stop:  # somebody asked for it in the middle of an epoch: not one of the regular looks
            return
        nll, epoch = pl_module.val_metrics["val/nll"], trainer.current_epoch + 1
        if nll < self.best:
            self.best, self.best_epoch, self.worse = nll, epoch, 0
            return
        self.worse += 1
        if self.patience is not None and self.worse >= self.patience and epoch < (trainer.max_epochs or 0):
            self.message = (
                f"stopped at epoch {epoch} of {trainer.max_epochs}: unseen {self.unseen} got worse since epoch "
                f"{self.best_epoch}; the prior of epoch {self.best_epoch} is kept"
            )
            log.info("%s", self.message)
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "worse": self.worse}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.best_epoch, self.worse = (state_dict[name] for name in ("best", "best_epoch", "worse"))


class ObeyStop(Callback):
    """Ends training after the batch in which a stop was asked for, with a last look at the val split.

    The stop file, SIGTERM and Ctrl-C all count; a second Ctrl-C interrupts at once.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.stopped = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        stop_on_signals(self.run)  # again: Lightning has put its own handlers in between

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1  # whatever the interval, the last weights are looked at

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        asked = self.run.stop_requested()
        if trainer.world_size > 1:
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if asked and not self.stopped:
            log.info("stop requested: keeping a checkpoint after step %d", trainer.global_step)
            self.stopped = trainer.should_stop = True
            trainer.check_val_every_n_epoch = 1


class ShowProgress(Callback):
    """A progress bar over all epochs, on standard error or in the notebook."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        total = int((trainer.max_epochs or 0) * trainer.num_training_batches)
        title = pl_module.prior.title
        disable = not trainer.is_global_zero
        self.bar = tqdm(
            total=total, initial=trainer.global_step, desc=title, unit="batch", mininterval=0.3, disable=disable
        )

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.bar.update(1)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.bar.set_postfix_str(f"held-out {pl_module.val_metrics['val/nll']:.1f} nats per frame")

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.bar.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        if hasattr(self, "bar"):
            self.bar.close()
