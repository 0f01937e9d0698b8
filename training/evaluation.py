"""Scores trained priors side by side on the held-out frames of one store."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from training.checkpoints import load_prior
from training.frame_loading import evenly, prepared_frames
from training.metrics import (
    Look,
    frechet_distance,
    hand_points,
    joint_angles,
    limit_violations,
    look_at_nothing,
    nearest_turn,
    overlap,
    pairwise_distance,
    point_error,
)
from training.module import RunningMeans
from training.prior import Prior
from training.reference_poses import ReferencePoses, ScoredFrames
from training.run_folder import RunFolder
from training.score_definitions import SAMPLES, SCORES

if TYPE_CHECKING:
    import polars as pl

    from data_tools.store import PoseStore

SCORED_AT_ONCE = 1024
"""Frames: a bound of 64 draws each takes 0.6 s of one core, so that whoever cancels does not wait."""

DRAWN_AT_ONCE = 4096

Stage = Callable[[float, str], object]
"""Called with which share of a run is measured, and what is measured next; before each batch of it, too."""

Runs = Iterable[str | Path | RunFolder] | str | Path | RunFolder


def evaluate(
    runs: Runs, store: PoseStore | str | Path, *, split: str = "test", at_most: int = 20_000, seed: int = 0
) -> pl.DataFrame:
    """One row per run: its likelihood on frames that no prior was trained on, and how good the poses are that it draws.

    :func:`training.score_table.compare` gives the same with real rows to compare with, by dataset and by person, and
    over seeds; it can be written as a page, as CSV and as LaTeX.

    Args:
        runs: Run folders.
        store: The store that holds the frames.
        split: ``test`` or ``val``.
        at_most: Score no more frames than this, spread evenly over the split.
        seed: Of the drawn poses and of the noise of importance-weighted bounds.

    Returns:
        Columns run, prior, is_bound, frames, nll (nats per frame over radians, lower is better), bpd (bits per active
        dimension), the other scores of :data:`training.score_definitions.SCORES`, and what else a prior measures.

    Raises:
        ValueError: A prior's columns are not those of the store.
    """
    import polars as pl

    reference = ReferencePoses.of(store, ScoredFrames(split=split, at_most=at_most, seed=seed))
    rows = [measure(run, reference).row() for run in each(runs)]
    return pl.from_dicts(rows, infer_schema_length=None)


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one run.

    Attributes:
        run: Name of its folder.
        prior: Name of its prior.
        title: The same in words.
        is_bound: Whether its likelihood is a bound.
        frames: Held-out frames that were scored.
        scores: By the keys of :data:`training.score_definitions.SCORES`; None where one could not be measured.
        also: What else the prior measures of held-out frames.
        unusable_samples: Drawn poses that are no finite numbers; they are left out.
        config: How it was trained; empty if the run does not say.
        trained_on: What did the work, in words.
        store_hash: Of the store it was trained on; empty if the run does not say.
        frame_nll: (frames,) likelihood of each frame, nats.
        frame_degrees: (frames,) reconstruction of each frame, degrees per joint; NaN where it was not taken.
        shown: Poses for pictures, radians.
    """

    run: str
    prior: str
    title: str
    is_bound: bool
    frames: int
    scores: dict[str, float | None]
    also: dict[str, float]
    unusable_samples: int
    config: dict[str, Any]
    trained_on: str
    store_hash: str
    frame_nll: Float[np.ndarray, "frames"] = field(repr=False)
    frame_degrees: Float[np.ndarray, "frames"] = field(repr=False)
    shown: Float[np.ndarray, "n dim"] = field(repr=False)

    def row(self) -> dict[str, Any]:
        """Its plain values."""
        named = ("run", "prior", "title", "is_bound", "frames", "unusable_samples", "trained_on")
        return {name: getattr(self, name) for name in named} | self.scores | self.also


def each(runs: Runs) -> list[str | Path | RunFolder]:
    """One run or several, as a list."""
    return [runs] if isinstance(runs, str | Path | RunFolder) else list(runs)


def measure(
    run: str | Path | RunFolder, reference: ReferencePoses, *, stage: Stage = lambda share, what: None
) -> Measured:
    """Measure everything of one run.

    Args:
        run: Its folder.
        reference: What it is measured on.
        stage: Called before each part of it, and before each batch.

    Raises:
        FileNotFoundError: No such run, or one without a checkpoint.
        ValueError: The store's layout or active columns are not the prior's.
    """
    prior = load_prior(run)
    check_fits(prior, reference.store)
    frames, seed = prior.prepare(reference.scored), reference.settings.seed
    look = _steps(stage, (0.0, 0.4), "likelihood", len(frames) / SCORED_AT_ONCE)
    means, frame_nll = score_frames(prior, frames, seed=seed, look=look)
    stage(0.4, "through the latents and back")
    through, frame_degrees = _through_latents(prior, reference)
    look = _steps(stage, (0.5, 0.7), "drawing poses", reference.settings.samples / DRAWN_AT_ONCE)
    drawn, speed = _draw(prior, reference, look)
    whole = drawn[torch.isfinite(drawn).all(1)]
    stage(0.7, "drawn poses beside real ones")
    config, card = _about(run)
    measured = {name.removeprefix("val/"): value for name, value in means.items()}
    scores = {"nll": measured.pop("nll"), "bpd": measured.pop("bpd")} | through | sample_scores(whole, reference)
    cost = {"poses_per_second": speed, "parameters": prior.size, "train_seconds": card.get("seconds")}
    return Measured(
        run=run.name if isinstance(run, RunFolder) else Path(run).resolve().name,
        prior=prior.name,
        title=prior.title,
        is_bound=prior.is_bound,
        frames=len(reference.scored),
        scores={name: _finite(value) for name, value in (scores | cost).items()},
        also={name: value for name, value in measured.items() if name not in scores},
        unusable_samples=len(drawn) - len(whole),
        config=config,
        trained_on=str(card.get("hardware", {}).get("trained_on", "")),
        store_hash=str(card.get("store", {}).get("hash", "")),
        frame_nll=frame_nll.cpu().numpy(),
        frame_degrees=frame_degrees.cpu().numpy(),
        shown=whole[: reference.settings.shown].numpy(),
    )


def _steps(stage: Stage, shares: tuple[float, float], what: str, many: float) -> Look:
    """A look before each of so many batches, which says how far they are from the first share to the second."""
    first, last = shares
    done = itertools.count()
    return lambda: stage(first + (last - first) * next(done) / many, what)


@torch.no_grad()
def sample_scores(drawn: Float[Tensor, "n dim"], reference: ReferencePoses) -> dict[str, float | None]:
    """Scores of drawn poses beside the held-out ones; None for all where there are hardly any of either."""
    s, moving, look = reference.settings, reference.moving, reference.look
    if min(len(drawn), len(reference.real)) < s.fewest:
        return dict.fromkeys(score.key for score in SCORES if score.group == SAMPLES)
    some = drawn[evenly(len(drawn), s.overlap)]
    shares = overlap(reference.real, some[:, moving], real_radii=reference.real_radii, look=look)
    near = nearest_turn(reference.turning(drawn[: s.nearest]), reference.turning(reference.known), look=look)
    return {
        "apd": 100 * pairwise_distance(hand_points(drawn[: s.spread], reference.model)),
        "fid": frechet_distance(drawn[:, moving], reference.held_out[:, moving]),
        **asdict(shares),
        "nearest": float(near.mean()),
        "limit_share": limit_violations(some),
    }


@torch.no_grad()
def _through_latents(prior: Prior, reference: ReferencePoses) -> tuple[dict[str, float | None], Tensor]:
    """Held-out poses, and poses decoded from latents, through the latents and back."""
    few = evenly(len(reference.scored), reference.settings.reconstructed)
    poses = reference.scored[few]
    back, angles = _and_back(prior, poses, reference)
    apart = point_error(hand_points(poses, reference.model), hand_points(back, reference.model))
    generator = torch.Generator().manual_seed(reference.settings.seed)
    latents = torch.randn(reference.settings.decoded, prior.latent_dim, generator=generator)
    measured: dict[str, float | None] = {
        "reconstruction_degrees": float(angles.mean()),
        "reconstruction_mm": 1000 * float(apart.mean()),
        "round_trip": float(_and_back(prior, prior.decode(latents), reference)[1].mean()),
    }
    of_frames = torch.full((len(reference.scored),), torch.nan)
    of_frames[few] = angles.float()
    return measured, of_frames


def _and_back(prior: Prior, poses: Tensor, reference: ReferencePoses) -> tuple[Tensor, Tensor]:
    """Poses through the latents and back, and by how much each has turned: degrees, mean over joints that move."""
    parts = []
    for part in poses.split(SCORED_AT_ONCE):
        reference.look()
        parts.append(prior.decode(prior.encode(part)))
    back = torch.cat(parts)
    return back, joint_angles(poses, back)[:, reference.turning_joints].mean(1) * (180 / math.pi)


def _draw(prior: Prior, reference: ReferencePoses, look: Look) -> tuple[Float[Tensor, "n dim"], float]:
    """Draw poses, and say how many of them a second."""
    count = reference.settings.samples
    generator = torch.Generator().manual_seed(reference.settings.seed)
    prior.sample(2)  # what the first call sets up is not the speed of drawing
    began = time.perf_counter()
    parts = []
    for start in range(0, count, DRAWN_AT_ONCE):
        look()
        parts.append(prior.sample(min(DRAWN_AT_ONCE, count - start), generator=generator))
    return torch.cat(parts), count / max(time.perf_counter() - began, 1e-9)


def _about(run: str | Path | RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run's configuration and card, as far as it has them: a ``prior.pt`` alone has neither."""
    from training.config import read

    path = run.path if isinstance(run, RunFolder) else Path(run)
    if not path.is_dir():
        return {}, {}
    folder = RunFolder.open(path)
    return asdict(read(folder.config_file)) if folder.config_file.exists() else {}, folder.card() or {}


def _finite(value: float | None) -> float | None:
    """None for what is no finite number: a prior that has diverged has no score."""
    return value if value is not None and math.isfinite(value) else None


def check_fits(prior: Prior, store: PoseStore) -> None:
    """Refuse a store of another layout, or in which other columns move.

    Raises:
        ValueError: With what differs.
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


def held_out_frames(
    prior: Prior, store: PoseStore, split: str, *, at_most: int | None = None
) -> Float[Tensor, "frames columns"]:
    """Frames of a split as this prior wants them.

    Raises:
        ValueError: The store's layout or active columns are not the prior's.
    """
    check_fits(prior, store)
    return prepared_frames(store, split, prior.prepare, at_most=at_most)


def score(prior: Prior, frames: Float[Tensor, "frames columns"], *, seed: int = 0) -> dict[str, float]:
    """Held-out measures of a prior on prepared frames, means over frames, under ``val/nll``, ``val/bpd`` and so on."""
    return score_frames(prior, frames, seed=seed)[0]


@torch.no_grad()
def score_frames(
    prior: Prior, frames: Float[Tensor, "frames columns"], *, seed: int = 0, look: Look = look_at_nothing
) -> tuple[dict[str, float], Float[Tensor, "frames"]]:
    """As :func:`score`, and the negative log-likelihood of each frame, nats; ``look`` is called between batches."""
    training = prior.training
    prior.eval()
    means, each_nll = RunningMeans(), []
    generator = torch.Generator(device=prior.device).manual_seed(seed)
    for batch in frames.to(prior.device).split(SCORED_AT_ONCE):
        look()
        measured = prior.scores(batch, generator)
        means.add(measured, len(batch))
        each_nll.append(measured["nll"].expand(len(batch)))
    prior.train(training)
    taken = means.take("val")
    return {**taken, "val/bpd": prior.bits_per_dim(taken["val/nll"])}, torch.cat(each_nll)
