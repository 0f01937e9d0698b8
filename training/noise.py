"""The state of the random numbers in a checkpoint, so that a resumed run draws what it would have drawn."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor

_RANK_STRIDE = 1_000_003
"""Keeps the seeds of processes that share a training apart."""


def noise_state(trainer: pl.Trainer) -> dict[str, Tensor]:
    """The generators of all processes that share a training, one row each; every process has to ask."""
    states = {"cpu": torch.get_rng_state()}
    device = trainer.strategy.root_device
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if trainer.world_size == 1:
        return {name: state[None] for name, state in states.items()}
    return {name: _of_all(state.to(device), trainer.world_size) for name, state in states.items()}


def restore_noise(trainer: pl.Trainer, states: dict[str, Tensor] | None, seed: int) -> None:
    """Go on with a checkpoint's random numbers.

    Processes that share a new training get noise of their own; so they do if their number has changed since.
    """
    rank, device = trainer.global_rank, trainer.strategy.root_device
    if states is not None and len(states["cpu"]) == trainer.world_size:
        torch.set_rng_state(states["cpu"][rank].clone())  # torch takes the memory behind a view from its beginning
        if device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"][rank].clone(), device)
    elif rank > 0 or states is not None:
        torch.manual_seed(seed + _RANK_STRIDE * (rank + 1) + trainer.global_step)


def _of_all(state: Tensor, world: int) -> Tensor:
    rows = [torch.empty_like(state) for _ in range(world)]
    torch.distributed.all_gather(rows, state)
    return torch.stack(rows).cpu()
