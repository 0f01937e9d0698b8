"""Sets up Lightning for one run of a prior that learns by gradient steps."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch

from training.advice import TrainingError
from training.callbacks import (
    EndWhenWorse,
    KeepCheckpoints,
    ObeyStop,
    ShowProgress,
    StreamMetrics,
)
from training.checkpoints import steps_done
from training.config import RunConfig
from training.datamodules import PriorDataModule
from training.module import PriorModule
from training.prior import Prior
from training.run_folder import RunFolder
from training.stop_signals import stopping_on_signals

if TYPE_CHECKING:
    from data_tools.store import PoseStore
    from training.run import Progress

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}

EXPECTED_WARNINGS = (
    r".*GPU available but not used.*",  # devices=cpu was asked for
    r".*isinstance\(treespec, LeafSpec\)` is deprecated.*",  # Lightning 2.6 on torch 2.13, inside Lightning
)
"""Lightning's warnings about what was chosen on purpose or is its own affair."""


def train_by_gradient(
    run: RunFolder,
    config: RunConfig,
    prior: Prior,
    store: PoseStore,
    *,
    resuming: bool,
    progress: Progress,
    first: bool = True,
) -> tuple[str, str]:
    """Train until the last epoch, a request to stop, or the val split gets worse (``patience``).

    Args:
        run: Where to.
        config: How.
        prior: What learns.
        store: What from.
        resuming: Whether to go on from the last checkpoint.
        progress: A bar, or who is told.
        first: Whether this is the first of the processes that share the training.

    Returns:
        The state in which the run ends, ``finished`` or ``stopped``, and what there is to say about it. Its best prior
        is in ``prior.pt``.
    """
    run.checkpoint_file("last").parent.mkdir(exist_ok=True)
    module = PriorModule(prior, config)
    data = PriorDataModule(
        store,
        batch_size=config.batch_size,
        val_frames=config.val_frames,
        seed=config.seed,
        prepare=prior.prepare,
        conditions=prior.condition_rows,
    )
    obey = ObeyStop(run)
    worse = EndWhenWorse(config.patience, unseen(store))
    checkpoint = run.checkpoint_file("last") if resuming else None
    if checkpoint is not None and first:
        run.append_metrics(resumed_from_step=steps_done(run))  # steps taken since then will be taken again
    with _quiet_lightning(), stopping_on_signals(run):
        watch = progress if callable(progress) else None
        callbacks = [obey, worse, KeepCheckpoints(run), StreamMetrics(run, config, watch)]
        trainer = _trainer(run, config, callbacks + [ShowProgress()] * (progress is True))
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    if obey.stopped:
        return "stopped", ""
    return "finished", worse.message


def unseen(store: PoseStore) -> str:
    """What the val split holds that train does not: ``people``, where all are named and none is in both."""
    of = {split: store.split_rows(split) for split in ("train", "val")}
    if any("subject" not in rows.columns or rows["subject"].null_count() for rows in of.values()):
        return "sequences"
    people = {split: set(rows.select("dataset", "subject").unique().rows()) for split, rows in of.items()}
    return "sequences" if people["train"] & people["val"] else "people"


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Leave out Lightning's tips and remarks; its warnings, but for the expected ones, are let through."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _trainer(run: RunFolder, config: RunConfig, callbacks: list[Any]) -> pl.Trainer:
    accelerator, devices = _devices(config)
    return pl.Trainer(
        accelerator=accelerator,
        devices=devices,
        num_nodes=config.num_nodes,
        strategy="ddp" if devices * config.num_nodes > 1 else "auto",
        precision=PRECISIONS[config.precision],  # type: ignore[arg-type]
        max_epochs=config.max_epochs,
        gradient_clip_val=config.gradient_clip,
        check_val_every_n_epoch=config.val_every_epochs,
        callbacks=callbacks,
        logger=_logger(run, config),
        default_root_dir=run.path,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )


def _devices(config: RunConfig) -> tuple[str, int]:
    """Accelerator and number of devices. One GPU unless more are asked for: these priors are small."""
    devices = config.devices
    if devices == "auto":
        return ("cuda", 1) if torch.cuda.is_available() else ("cpu", 1)
    if devices == "cpu":
        return "cpu", config.processes
    count = 1 if devices == "cuda" else int(devices)
    if torch.cuda.device_count() < count:
        raise TrainingError(
            f"devices={devices} needs {count} GPU{'s' if count > 1 else ''}, torch sees {torch.cuda.device_count()}: "
            "set devices=cpu, or install a torch build for your GPU (`handprior doctor` says more)"
        )
    return "cuda", count


def _logger(run: RunFolder, config: RunConfig) -> Any:
    if config.logger == "tensorboard":
        from pytorch_lightning.loggers import TensorBoardLogger

        return TensorBoardLogger(save_dir=run.path, name="tensorboard", version="")
    if config.logger == "wandb":
        from pytorch_lightning.loggers import WandbLogger

        return WandbLogger(name=run.name, save_dir=run.path, project="handprior")
    return False
