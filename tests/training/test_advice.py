"""One line of advice for each way in which a training can fail."""

from __future__ import annotations

import errno

import pytest
import torch

from training.advice import TrainingError, advice
from training.config import resolve

GIVEN = {"batch_size": 8192, "learning_rate": 1e-3, "gradient_clip": None, "logger": "wandb"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory."), "(now 8192) or close what else uses the GPU"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory: lower batch_size (now 8192)"),
        (MemoryError(), "out of memory: lower batch_size (now 8192)"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), "else uses the GPU"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/runs/x"), "the disk is full (/runs/x): free some space"),
        (OSError(errno.ENOSPC, "No space left on device", "/runs/x"), "the disk is full (/runs/x): free some space"),
        (FloatingPointError("train/loss is not a number"), "lower learning_rate (now 0.001), or set gradient_clip=1"),
        (ModuleNotFoundError("Requirement 'wandb>=0.12.10' not met."), "pip install wandb, or set logger=none"),
        (TrainingError("said before"), "said before"),
        (ValueError("a\n  b"), "a b"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
)  # fmt: skip
def test_advice(error: BaseException, said: str) -> None:
    line = advice(error, resolve("hand_vae", overrides=GIVEN))
    assert said in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "lower learning_rate (now 0.001), or set gradient_clip=1"),
        ({"gradient_clip": 1.0}, "lower learning_rate (now 0.001), or look at the data"),
        ({"precision": "bf16"}, "lower learning_rate (now 0.001), set gradient_clip=1, or use precision=32"),
    ],
)
def test_what_is_done_already_is_not_advised(given: dict[str, object], said: str) -> None:
    assert advice(FloatingPointError("x"), resolve("hand_vae", overrides=GIVEN | given)).endswith(said)


def test_without_a_configuration() -> None:
    assert advice(MemoryError()).startswith("out of memory: lower batch_size or")
