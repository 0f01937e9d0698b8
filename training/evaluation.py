"""Scores trained priors side by side on the held-out frames of one store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from training.checkpoints import load_prior
from training.frame_loading import prepared_frames
from training.module import RunningMeans
from training.prior import Prior
from training.run_folder import RunFolder

if TYPE_CHECKING:
    import polars as pl

    from data_tools.store import PoseStore

SCORED_AT_ONCE = 4096


def evaluate(
    runs: Iterable[str | Path | RunFolder] | str | Path | RunFolder,
    store: PoseStore | str | Path,
    *,
    split: str = "test",
    at_most: int = 20_000,
    seed: int = 0,
) -> pl.DataFrame:
    """One row per run: likelihood on the frames of a split that no prior was trained on.

    Args:
        runs: Run folders.
        store: The store that holds the frames.
        split: ``test`` or ``val``.
        at_most: Score no more frames than this, spread evenly over the split.
        seed: Of the noise of importance-weighted bounds.

    Returns:
        Columns run, prior, is_bound, frames, nll (nats per frame over radians, lower is better), bpd (bits per active
        dimension), and what else a prior measures.

    Raises:
        ValueError: A prior's columns are not those of the store.
    """
    import polars as pl

    from data_tools.store import PoseStore

    opened = store if isinstance(store, PoseStore) else PoseStore(store)
    rows = []
    for run in [runs] if isinstance(runs, str | Path | RunFolder) else runs:
        prior = load_prior(run)
        frames = held_out_frames(prior, opened, split, at_most=at_most)
        measured = {name.removeprefix("val/"): value for name, value in score(prior, frames, seed=seed).items()}
        name = run.name if isinstance(run, RunFolder) else Path(run).resolve().name
        rows.append({"run": name, "prior": prior.name, "is_bound": prior.is_bound, "frames": len(frames), **measured})
    return pl.from_dicts(rows, infer_schema_length=None)


def held_out_frames(
    prior: Prior, store: PoseStore, split: str, *, at_most: int | None = None
) -> Float[Tensor, "frames columns"]:
    """Frames of a split as this prior wants them.

    Raises:
        ValueError: The store's layout or active columns are not the prior's.
    """
    if (store.pose, store.dim) != (prior.pose, prior.dim):
        raise ValueError(
            f"the {prior.name} prior was trained on {prior.pose} poses of {prior.dim} columns, "
            f"the store at {store.path} holds {store.pose} poses of {store.dim}"
        )
    differing = int((np.asarray(store.active, bool) != prior.active.cpu().numpy()).sum())
    if differing:
        raise ValueError(
            f"{differing} columns move in only one of the two: the {prior.name} prior's training data and the store at "
            f"{store.path}; likelihoods over different dimensions cannot be compared"
        )
    return prepared_frames(store, split, prior.prepare, at_most=at_most)


@torch.no_grad()
def score(prior: Prior, frames: Float[Tensor, "frames columns"], *, seed: int = 0) -> dict[str, float]:
    """Held-out measures of a prior on prepared frames, means over frames, under ``val/nll``, ``val/bpd`` and so on."""
    training = prior.training
    prior.eval()
    means = RunningMeans()
    generator = torch.Generator(device=prior.device).manual_seed(seed)
    for batch in frames.to(prior.device).split(SCORED_AT_ONCE):
        means.add(prior.scores(batch, generator), len(batch))
    prior.train(training)
    measured = means.take("val")
    return {**measured, "val/bpd": prior.bits_per_dim(measured["val/nll"])}
