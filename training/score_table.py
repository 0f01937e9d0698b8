"""The table of scores: priors beside each other and beside real poses, over seeds, by dataset and by person."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from training.card import hardware
from training.evaluation import Measured, Runs, each, measure
from training.frame_loading import evenly
from training.reference_poses import ReferencePoses, ScoredFrames
from training.score_definitions import SCORES

if TYPE_CHECKING:
    import polars as pl

    from data_tools.hand_model import HandModel
    from data_tools.store import PoseStore

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of one prior and one configuration that differ in their seed only.

    Attributes:
        label: What to call them: the prior, and what of its configuration differs from others of that prior.
        runs: The runs.
        mean: Of each score over the runs; None where a run lacks it.
        spread: Standard deviation of each over the runs (n - 1); None with one run.
    """

    label: str
    runs: tuple[Measured, ...]
    mean: dict[str, float | None]
    spread: dict[str, float | None]

    @property
    def prior(self) -> str:
        return self.runs[0].prior

    @property
    def is_bound(self) -> bool:
        return self.runs[0].is_bound

    @property
    def seeds(self) -> tuple[int | None, ...]:
        return tuple(run.config.get("seed") for run in self.runs)


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores of several runs on one store.

    Attributes:
        groups: Priors, each with its runs.
        real: What real poses score: a row each, with its ``title``.
        parts: Likelihood and reconstruction of each run by dataset and by person: ``kind`` (dataset or person),
            ``name``, ``frames``, ``run``, ``nll``, ``bpd``, ``reconstruction_degrees``.
        shown_real: Held-out poses for pictures, radians.
        settings: How many frames and poses were scored.
        about: The store, the hand model and the machine, in plain values.
    """

    groups: tuple[Group, ...]
    real: tuple[dict[str, float | str | None], ...]
    parts: tuple[dict[str, Any], ...]
    shown_real: np.ndarray
    settings: ScoredFrames
    about: dict[str, Any]

    @property
    def runs(self) -> tuple[Measured, ...]:
        return tuple(run for group in self.groups for run in group.runs)

    def trained_here(self, run: Measured) -> bool | None:
        """Whether a run was trained on this very store, so that it cannot have seen the frames; None if unknown."""
        return run.store_hash == self.about["store_hash"] if run.store_hash else None

    def run_rows(self) -> list[dict[str, Any]]:
        """A row of plain values for each run."""
        return [
            {"label": group.label, "seed": run.config.get("seed"), "same_store": self.trained_here(run)} | run.row()
            for group in self.groups
            for run in group.runs
        ]

    def plain(self) -> dict[str, Any]:
        """Everything but the pictures, in values that JSON can hold."""
        groups = [
            {
                "label": group.label,
                "prior": group.prior,
                "runs": [run.run for run in group.runs],
                "seeds": list(group.seeds),
                "mean": group.mean,
                "spread": group.spread,
            }
            for group in self.groups
        ]
        return {
            "runs": self.run_rows(),
            "groups": groups,
            "real": list(self.real),
            "parts": list(self.parts),
            "settings": asdict(self.settings),
            "about": self.about,
        }

    def frame(self) -> pl.DataFrame:
        """A row for each run, for whoever goes on computing."""
        import polars as pl

        return pl.from_dicts(self.run_rows(), infer_schema_length=None)


def compare(
    runs: Runs,
    store: PoseStore | str | Path,
    *,
    settings: ScoredFrames | None = None,
    model: HandModel | None = None,
    progress: Progress | None = None,
) -> ScoreTable:
    """Score runs on held-out frames of a store, beside real poses.

    Args:
        runs: Run folders; runs that differ in their seed only become one row, mean and spread.
        store: The store, or its folder.
        settings: How many frames and poses; the usual numbers by default.
        model: The hand whose points are measured; default: the user's licensed model if there is one, else the open
            hand.
        progress: Called with how much is done, of how much (100 for each run and for the real poses), and which run and
            what of it is scored; many times in each part, so that what it raises ends the work within a second or so.

    Raises:
        ValueError: No run, or a prior whose columns are not those of the store.
        FileNotFoundError: No such run or store.
    """
    wanted = each(runs)
    if not wanted:
        raise ValueError("nothing to score: give at least one run folder")
    said = _Said(progress or (lambda done, total, what: None), 100 * (len(wanted) + 1))
    reference = ReferencePoses.of(store, settings, model, look=said.again)
    measured = []
    for number, run in enumerate(wanted):
        measured.append(measure(run, reference, stage=partial(said.stage, number, str(run))))
    said.stage(len(wanted), "real poses")
    real = reference.real_rows()
    shown = reference.scored[evenly(len(reference.scored), reference.settings.shown)]
    return ScoreTable(
        groups=tuple(_groups(measured)),
        real=tuple(real),
        parts=tuple(_parts(measured, reference)),
        shown_real=shown.numpy(),
        settings=reference.settings,
        about=_about(reference),
    )


class _Said:
    """What was said last of how far scoring is: it is said again between blocks of work."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._last = progress, (0, total, "")

    def stage(self, runs: int, what: str, share: float = 0.0, part: str = "") -> None:
        self._last = round(100 * (runs + share)), self._last[1], f"{what}: {part}" if part else what
        self.again()

    def again(self) -> None:
        self._progress(*self._last)


def _about(reference: ReferencePoses) -> dict[str, Any]:
    store = reference.store
    return {
        "store": str(store.path),
        "store_hash": store.hash,
        "pose": store.pose,
        "synthetic": store.synthetic,
        "moving": int(np.asarray(store.active).sum()),
        "frames": {name: len(store.split(name)) for name in store.splits},
        "scored_frames": len(reference.scored),
        "hand_model": reference.model.caption,
        "hardware": hardware(),
        "threads": torch.get_num_threads(),
    }


def _groups(measured: Sequence[Measured]) -> list[Group]:
    """Runs by prior and configuration, in the order in which they were given."""
    kinds: dict[str, list[Measured]] = {}
    for run in measured:
        kinds.setdefault(_kind(run), []).append(run)
    groups = []
    for runs in kinds.values():
        others = [many[0] for many in kinds.values() if many[0].prior == runs[0].prior]
        mean, spread = {}, {}
        for score in SCORES:
            values = [run.scores.get(score.key) for run in runs]
            known = [value for value in values if value is not None]
            whole = len(known) == len(runs)
            mean[score.key] = statistics.fmean(known) if whole else None
            spread[score.key] = statistics.stdev(known) if whole and len(known) > 1 else None
        groups.append(Group(_label(runs[0], others), tuple(runs), mean, spread))
    return groups


def _kind(run: Measured) -> str:
    """The same for runs that differ in their seed only; a run that does not say how it was trained stands alone."""
    settings = _settings(run)
    return json.dumps([run.prior, settings or run.run], sort_keys=True, default=str)


# What has no influence on what a run learns.
_BESIDE = ("seed", "store", "version", "logger", "log_seconds", "threads", "model.seed")


def _settings(run: Measured) -> dict[str, Any]:
    """A run's configuration by dotted key, without what does not change what is learnt."""
    plain = {key: value for key, value in run.config.items() if key != "model"}
    plain |= {f"model.{key}": value for key, value in (run.config.get("model") or {}).items()}
    return {key: value for key, value in plain.items() if key not in _BESIDE}


def _label(run: Measured, others: Sequence[Measured]) -> str:
    """The prior's title, and in what its configuration differs from that of others of its kind."""
    mine, all_of_them = _settings(run), [_settings(other) for other in others]
    differing = [key for key in mine if any(other.get(key) != mine[key] for other in all_of_them)]
    said = ", ".join(f"{key.removeprefix('model.')} {mine[key]}" for key in differing[:3])
    return f"{run.title} ({said})" if said else run.title


def _parts(measured: Sequence[Measured], reference: ReferencePoses) -> list[dict[str, Any]]:
    """Likelihood and reconstruction by dataset and, where people are known, by person."""
    import polars as pl

    rows = reference.scored_rows
    kinds = {"dataset": rows["dataset"].cast(pl.String)}
    if "subject" in rows.columns and rows["subject"].null_count() < len(rows):
        kinds["person"] = rows["dataset"].cast(pl.String) + " " + rows["subject"].cast(pl.String)
    found = []
    for kind, names in kinds.items():
        of_frames = names.to_numpy()
        for name in names.drop_nulls().unique().sort():
            chosen = of_frames == name
            for run in measured:
                nll = float(run.frame_nll[chosen].mean())
                turned = run.frame_degrees[chosen & np.isfinite(run.frame_degrees)]
                moving = int(np.asarray(reference.store.active).sum())
                found.append(
                    {
                        "kind": kind,
                        "name": name,
                        "frames": int(chosen.sum()),
                        "run": run.run,
                        "nll": nll,
                        "bpd": nll / (moving * math.log(2)),
                        "reconstruction_degrees": float(turned.mean()) if len(turned) else None,
                    }
                )
    return found
