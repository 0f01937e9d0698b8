"""The card of a run that ended: what it reached, how long it took, on what."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import psutil
import torch

from training.config import RunConfig
from training.prior import Prior

if TYPE_CHECKING:
    from data_tools.store import PoseStore

PACKAGES = ("handprior", "torch", "pytorch-lightning", "numpy", "polars", "smplx")


def make_card(
    prior: Prior, store: PoseStore, config: RunConfig, *, state: str, seconds: float, **figures: Any
) -> dict[str, Any]:
    """Gather what a reader of a result needs to judge and repeat it.

    Args:
        prior: The best prior of the run.
        store: What it was trained on.
        config: How it was trained.
        state: How the run ended.
        seconds: Training time, over all of the run's lives.
        **figures: Further entries, the held-out ``metrics`` among them.
    """
    return {
        "prior": prior.name,
        "title": prior.title,
        "state": state,
        "is_bound": prior.is_bound,
        "parameters": prior.size,
        "active_dims": prior.active_dims,
        "latent_dim": prior.latent_dim,
        "seconds": round(seconds, 2),
        **figures,
        "store": {
            "path": store.path,
            "hash": store.hash,
            "pose": store.pose,
            "synthetic": store.synthetic,
            "train_frames": len(store.split("train")),
            "val_frames": len(store.split("val")),
        },
        "hardware": hardware() | {"trained_on": trained_on(config, prior)},
        "versions": {"python": platform.python_version()} | _versions(),
    }


def trained_on(config: RunConfig, prior: Prior) -> str:
    """What did the work, in words: ``CPU``, ``2 processes on the CPU``, ``2 x NVIDIA H200 on each of 2 machines``."""
    machines = f" on each of {config.num_nodes} machines" if config.num_nodes > 1 else ""
    if prior.closed_form or config.devices == "cpu" or not torch.cuda.is_available():
        return ("CPU" if config.processes == 1 else f"{config.processes} processes on the CPU") + machines
    count = config.devices if isinstance(config.devices, int) else 1
    return (torch.cuda.get_device_name() if count == 1 else f"{count} x {torch.cuda.get_device_name()}") + machines


def hardware() -> dict[str, Any]:
    """Cores, memory and GPU of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": platform.platform(terse=True),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
