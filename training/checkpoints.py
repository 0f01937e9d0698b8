"""Priors on disk: written whole, read without running anybody's code."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch

from training.config import RunConfig, build, read
from training.prior import Prior
from training.priors import PRIORS
from training.run_folder import RunFolder, write_atomically

FORMAT = 1
"""Version of what ``prior.pt`` holds; raised when a reader of the old kind could not read the new."""


def describe(prior: Prior) -> dict[str, Any]:
    """What to store beside a prior's weights so that it can be built again: plain values only."""
    return {"format": FORMAT, **prior.config()}


def save_prior(prior: Prior, path: str | Path) -> None:
    """Write a prior alone (no optimiser) to one file, in one step."""
    state = {name: value.detach().cpu() for name, value in prior.state_dict().items()}
    buffer = io.BytesIO()
    torch.save({"handprior": describe(prior), "state": state}, buffer)
    write_atomically(Path(path), buffer.getvalue())


def load_prior(run: str | Path | RunFolder, which: Literal["best", "last"] = "best") -> Prior:
    """Load the prior that a run has learnt: on the CPU, in eval mode, its weights frozen. A run in training will do.

    Args:
        run: A run folder, or a ``prior.pt`` taken out of one.
        which: ``best`` on the val split, or the ``last`` one saved.

    Returns:
        The prior, with the same numbers bit for bit as when it was saved.

    Raises:
        FileNotFoundError: Not a run folder, or a run that has not kept a checkpoint yet.
        ValueError: The file is damaged or holds something else. Nothing in it is ever executed.
    """
    if which not in ("best", "last"):
        raise ValueError(f"which must be 'best' or 'last', got {which!r}")
    path = run if isinstance(run, RunFolder) else Path(run)
    if isinstance(path, Path) and path.is_file():
        return _prior_from(_load(path), path)
    folder = RunFolder.open(path)
    file = folder.prior_file
    if which == "last" and folder.checkpoint_file("last").exists():
        file = folder.checkpoint_file("last")
    if not file.exists():
        state = folder.status().get("state", "unknown")
        raise FileNotFoundError(
            f"run {folder.name} has no checkpoint yet (it is {state}): the first is kept after its first epoch"
        )
    return _prior_from(_load(file), file)


def epochs_done(run: RunFolder) -> int:
    """Whole epochs behind a run's last checkpoint."""
    content = _load(run.checkpoint_file("last"))
    return int(content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])


def steps_done(run: RunFolder) -> int:
    """Gradient steps behind a run's last checkpoint."""
    return int(_load(run.checkpoint_file("last"))["global_step"])


def check_continues(run: RunFolder, config: RunConfig) -> None:
    """Refuse to go on from a checkpoint of another prior, or of one with other settings.

    Raises:
        ValueError: With what differs.
    """
    about = _load(run.checkpoint_file("last"))["handprior"]
    if about["prior"] != config.prior:
        raise ValueError(
            f"{run.checkpoint_file('last')} is a checkpoint of a {about['prior']} prior, run {run.name} trains a "
            f"{config.prior}: put the right file back, or train it anew"
        )
    began = read(run.config_file)
    given = asdict(began.model)
    changed = [f"model.{key}" for key, value in asdict(config.model).items() if given.get(key) != value]
    if began.batch_size != config.batch_size:  # its place in an epoch and in the schedule is counted in batches
        changed.append("batch_size")
    if (began.ema is None) != (config.ema is None):
        changed.append("ema")
    if changed:
        raise ValueError(f"{', '.join(changed)} cannot change when run {run.name} goes on: train it anew")


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is damaged or not a checkpoint of this project ({reason[:120]})") from None
    if not isinstance(content, Mapping) or "handprior" not in content:
        raise ValueError(f"{path} is not a checkpoint of this project")
    return content


def _prior_from(content: Mapping[str, Any], path: Path) -> Prior:
    """Build the prior described in ``prior.pt`` or in a Lightning checkpoint."""
    about = content["handprior"]
    if about.get("format") != FORMAT:
        raise ValueError(f"{path} is of format {about.get('format')}, this version reads {FORMAT}: train it again")
    state = content.get("state")
    if state is None:
        learnt = content["state_dict"]
        part = "average." if any(key.startswith("average.") for key in learnt) else "prior."
        state = {key.removeprefix(part): value for key, value in learnt.items() if key.startswith(part)}
    try:
        config = build({"prior": about["prior"], "model": about["settings"]})
        return PRIORS[config.prior].from_state(about["pose"], config.model, state)
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} does not hold a whole {about.get('prior')} prior ({reason})") from None
