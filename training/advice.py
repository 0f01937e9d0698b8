"""Says in one line why a run failed and what to do about it."""

from __future__ import annotations

import errno

import torch

from training.config import RunConfig


class TrainingError(RuntimeError):
    """A run failed. The message is one line: what happened and what to do; the cause is chained."""


def advice(error: BaseException, config: RunConfig | None = None) -> str:
    """One line about a failure: what happened, and what the user can do.

    Args:
        error: What was raised.
        config: The run's configuration, to name its values.
    """
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, TrainingError):
        return said
    if isinstance(error, FloatingPointError):
        return f"training diverged ({said}): {_calmer(config)}"
    if _out_of_memory(error, said):
        size = f" (now {config.batch_size})" if config else ""
        return f"out of memory: lower batch_size{size} or close what else uses the {_where(error, said)}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error.filename or 'run folder'}): free some space, then resume the run"
    if isinstance(error, ModuleNotFoundError) and config and config.logger != "none" and config.logger in said:
        return (
            f"logger={config.logger} needs the {config.logger} package: pip install {config.logger}, or set logger=none"
        )
    if isinstance(error, ValueError | FileNotFoundError):
        return said
    return f"{type(error).__name__}: {said}"


def _out_of_memory(error: BaseException, said: str) -> bool:
    signs = ("DefaultCPUAllocator", "out of memory", "STATUS_ALLOC_FAILED")
    allocator = isinstance(error, RuntimeError) and any(sign in said for sign in signs)
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or allocator


def _where(error: BaseException, said: str) -> str:
    return "GPU" if isinstance(error, torch.cuda.OutOfMemoryError) or "CUDA" in said else "memory"


def _calmer(config: RunConfig | None) -> str:
    """What has not been done yet against numbers that run away."""
    lower = f"lower learning_rate (now {config.learning_rate:g})" if config else "lower learning_rate"
    clip = "set gradient_clip=1" if config is None or config.gradient_clip is None else "look at the data"
    precise = ["use precision=32"] if config is None or config.precision != "32" else []
    *others, last = [lower, clip, *precise]
    return f"{', '.join(others)}, or {last}"
