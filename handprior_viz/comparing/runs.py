"""The runs that are compared: which there are, what each is called, and their priors, loaded once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from data_tools.store import PoseStore
from handprior_viz import jobs
from handprior_viz.trainings.learning_curves import RunLook
from handprior_viz.trainings.run_looks import look_numbers
from handprior_viz.trainings.table import run_title
from training.checkpoints import load_prior
from training.evaluation import check_fits
from training.latent_axes import LatentAxis, name_axes
from training.prior import Prior
from training.priors import PRIORS
from training.run_folder import RunFolder

Runs = str | Path | RunFolder | Iterable[str | Path | RunFolder]

AT_ONCE = 8
"""Runs that are compared at a time: more stand no longer side by side."""


@dataclass(frozen=True)
class ComparedRun:
    """One run, ready to be shown beside others.

    Attributes:
        run: Its folder.
        prior: Name of its prior's kind.
        title: The prior in words, and when it was started.
        look: Its colour and stroke, the same as in the training panel of its folder.
        is_bound: Whether its likelihood is a bound.
        card: What was measured when its training ended; of one that still trains only its best likelihood so far.
    """

    run: RunFolder
    prior: str
    title: str
    look: RunLook
    is_bound: bool
    card: dict[str, Any]

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def label(self) -> str:
        """Its name with a piece of its line, as markup."""
        return f"{self.look.swatch}{escape(self.title)}"

    @property
    def kept_at(self) -> int:
        """When it last kept a prior, nanoseconds since the epoch: another number means another prior."""
        return self.run.prior_file.stat().st_mtime_ns


def compared_runs(runs: Runs) -> tuple[ComparedRun, ...]:
    """Runs that have a prior, oldest first as in their folder, or in the order in which they are given.

    Args:
        runs: A folder of runs, one run, or several.

    Raises:
        FileNotFoundError: No such run, or none that has a prior.
    """
    folders = _folders(runs)
    numbers = {
        parent / name: number
        for parent in {run.path.parent for run in folders}
        for name, number in look_numbers(parent, [run.name for run in jobs.runs(parent)]).items()
    }
    found = [_compared(run, numbers.get(run.path, k)) for k, run in enumerate(folders) if run.prior_file.exists()]
    if not found:
        raise FileNotFoundError(f"no trained prior in {runs}: train one first (TrainingPanel, or handprior train)")
    return tuple(found)


def first_choice(runs: Sequence[ComparedRun]) -> tuple[str, ...]:
    """Names of the runs that are compared at first: all, or where there are many the newest of each prior."""
    if len(runs) <= AT_ONCE // 2:
        return tuple(run.name for run in runs)
    newest = {run.prior: run.name for run in runs}
    return tuple(run.name for run in runs if run.name in set([*newest.values()][-AT_ONCE:]))


class LoadedPriors:
    """Priors of runs, and what their axes do: each is loaded once, and again when its run has kept a better one.

    Args:
        store: Whose poses they are compared on.
    """

    def __init__(self, store: PoseStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._priors: dict[str, tuple[int, Prior]] = {}
        self._axes: dict[str, tuple[int, list[LatentAxis]]] = {}

    def prior(self, run: ComparedRun) -> Prior:
        """The best prior of a run, on the CPU.

        Raises:
            FileNotFoundError: The run has gone.
            ValueError: Its file is damaged, or its columns are not those of the store.
        """
        with self._lock:
            kept_at, seen = run.kept_at, self._priors.get(run.name)
            if seen is None or seen[0] != kept_at:
                prior = load_prior(run.run)
                check_fits(prior, self._store)
                seen = self._priors[run.name] = (kept_at, prior)
            return seen[1]

    def axes(self, run: ComparedRun) -> list[LatentAxis]:
        """Its latent axes, the one that moves the hands most first; takes up to some seconds the first time."""
        kept_at = run.kept_at  # first: of a better prior that is kept meanwhile, the axes are found next time
        prior = self.prior(run)
        seen = self._axes.get(run.name)
        if seen is None or seen[0] != kept_at:
            seen = self._axes[run.name] = (kept_at, name_axes(prior))
        return seen[1]


def _folders(runs: Runs) -> list[RunFolder]:
    if isinstance(runs, RunFolder):
        return [runs]
    if not isinstance(runs, str | Path):
        return [RunFolder.open(run) for run in runs]
    folder = Path(runs)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder of runs at {folder.absolute()}")
    alone = any((folder / name).exists() for name in ("status.json", "prior.pt"))
    return [RunFolder.open(folder)] if alone else jobs.runs(folder)


def _compared(run: RunFolder, number: int) -> ComparedRun:
    status = run.status()
    card = run.card() or {"metrics": {"val/nll": status.get("best_nll")}}
    name = str(status.get("prior") or card.get("prior") or "")
    known = PRIORS.get(name)
    title = run_title(run.name, known.title if known else str(card.get("title") or name))
    is_bound = known.is_bound if known else bool(card.get("is_bound"))
    return ComparedRun(run, name, title, RunLook.of(number), is_bound, card)
