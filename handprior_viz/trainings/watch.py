"""Looks at the runs of a folder again and again: what each says now, and its curve, read only when it has grown."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handprior_viz import jobs
from handprior_viz.trainings.learning_curves import Curve, RunLook
from handprior_viz.trainings.run_looks import look_numbers
from handprior_viz.trainings.table import RunRow, curve, run_row
from training.priors import PRIORS
from training.run_folder import RunFolder
from training.turns import WAITING

READING_SHARE = 20
"""Metrics that took so long to read are not read again for so many times as long."""

_TITLES = {name: prior.title for name, prior in PRIORS.items()}
_BOUNDS = frozenset(name for name, prior in PRIORS.items() if prior.is_bound)


@dataclass(frozen=True)
class WatchedRun:
    """A run as it was found.

    Attributes:
        run: Its folder.
        row: What it says.
        curve: Its held-out likelihood by epoch.
    """

    run: RunFolder
    row: RunRow
    curve: Curve


@dataclass(frozen=True)
class _Seen:
    """A run's curve as last read: the file's size and whether the run was active then, and when to look again."""

    curve: Curve
    state: tuple[int, bool]
    next_look: float


class RunWatch:
    """The runs of a folder.

    Args:
        folder: Holds the run folders; may not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, _Seen] = {}

    def look(self) -> list[WatchedRun]:
        """All runs as they are now, oldest first."""
        states = [(run, jobs.state_of(run)) for run in jobs.runs(self.folder)]
        numbers = look_numbers(self.folder, [run.name for run, _ in states])
        waiting = [run.name for run, state in states if _waits(state)]
        found = []
        for run, state in states:
            row = _row(run, state, numbers[run.name], waiting)
            found.append(WatchedRun(run, row, self._curve(run, row)))
        return found

    def _curve(self, run: RunFolder, row: RunRow) -> Curve:
        """The run's curve; metrics are read again when the file has grown, the less often the longer that takes."""
        file = run.path / "metrics.jsonl"
        size = file.stat().st_size if file.exists() else 0
        seen = self._seen.get(run.name)
        if seen is None or ((size, row.active) != seen.state and time.monotonic() >= seen.next_look):
            began = time.monotonic()
            found = curve(row, run.metrics("val/nll"))
            took = time.monotonic() - began
            seen = _Seen(found, (size, row.active), began + READING_SHARE * took)
            self._seen[run.name] = seen
        return seen.curve


def _row(run: RunFolder, status: Mapping[str, Any], look: int, waiting: list[str]) -> RunRow:
    return run_row(
        run.name,
        status,
        look=RunLook.of(look),
        titles=_TITLES,
        bounds=_BOUNDS,
        stop_asked=run.stop_requested(),
        kept=[which for which in ("best", "last") if run.checkpoint_file(which).exists()],
        has_prior=run.prior_file.exists(),
        ahead=waiting.index(run.name) if run.name in waiting else None,
    )


def _waits(status: Mapping[str, Any]) -> bool:
    return status.get("state") == "queued" and status.get("message") == WAITING
