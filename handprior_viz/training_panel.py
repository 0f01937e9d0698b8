"""The training panel: choose priors, start them, watch all runs on one axis, stop and go on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as W

from data_tools.store import PoseStore
from handprior_viz import jobs
from handprior_viz.figures import Curve, learning_curves
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import Every, LatestWins
from handprior_viz.panel import Panel, button, column, row, set_enabled
from handprior_viz.run_table import RunRow, curve, run_row, run_table
from training.config import DEFAULT_PRESET, presets, resolve
from training.priors import PRIORS
from training.run_folder import METRICS, RunFolder

LOOK_SECONDS = 0.5
"""How often the run folders are looked at."""

READING_SHARE = 20
"""Metrics that took so long to read are not read again for so many times as long."""

_START = "Train the chosen priors, each in a process of its own"
_TITLES = {name: prior.title for name, prior in PRIORS.items()}
_BOUNDS = frozenset(name for name, prior in PRIORS.items() if prior.is_bound)


@dataclass(frozen=True)
class _Seen:
    """A run's curve as last read: the file's size and whether the run was active then, and when to look again."""

    curve: Curve
    state: tuple[int, bool]
    next_look: float


class TrainingPanel(Panel):
    """Trainings on one store.

    Each training is a process of its own: it survives a restart of the kernel, and a new panel finds it again.

    Example:
        >>> panel = TrainingPanel("demo/store", runs="demo/runs")       # doctest: +SKIP
        >>> run = panel.start("hand_vae", max_epochs=40)                # doctest: +SKIP

    Args:
        store: The packed store, or its folder.
        runs: Folder that holds the run folders.

    Raises:
        FileNotFoundError: There is no such store.
    """

    def __init__(self, store: PoseStore | str | Path, runs: str | Path = "runs") -> None:
        self.store = store if isinstance(store, PoseStore) else PoseStore(store)
        self.folder = Path(runs)
        self._seen: dict[str, _Seen] = {}
        super().__init__()
        self._table = LiveMarkup(run_table([]), on_event=self._on_event)
        self._curves = LiveMarkup()
        self.arrange(LiveMarkup(_sentence(self.store, self.folder)), self._controls(), self._table, self._curves)
        self._starting = LatestWins(self._start_chosen, on_error=self.tell, name="training-start")
        self._looking = Every(LOOK_SECONDS, self.look, name="training-look")
        self.ends_with(self._starting, self._looking)

    @property
    def runs(self) -> list[RunFolder]:
        """All runs in the folder, oldest first."""
        return jobs.runs(self.folder)

    def start(
        self, prior: str, *, preset: str | None = None, overrides: Mapping[str, Any] | None = None, **values: Any
    ) -> RunFolder:
        """Start a training and return its run folder at once.

        Args:
            prior: ``gaussian``, ``hand_vae``, ...
            preset: A preset's name or YAML file; by default ``fast``, where the prior has it.
            overrides: Values by dotted key, such as ``{"model.z_dim": 32}``.
            values: Values whose key has no dot: ``max_epochs=40, batch_size=256``.

        Raises:
            ValueError: Unknown prior, preset or key, or a value that makes no sense.
        """
        overrides = {**(overrides or {}), **values}
        run = jobs.start(prior, self.store, out=self.folder, preset=preset, overrides=overrides)
        self.look()
        return run

    def stop(self, run: RunFolder | str) -> None:
        """Ask a training to stop; its checkpoint is kept."""
        jobs.stop(self._run(run))
        self.look()

    def resume(self, run: RunFolder | str) -> None:
        """Go on with a stopped training."""
        jobs.resume(self._run(run))
        self.look()

    def wait(self, run: RunFolder | str, seconds: float = 60.0) -> RunFolder:
        """Wait until a training has ended, or at most so long if it has kept a prior by then.

        Raises:
            TimeoutError: There is no prior to load yet; the training goes on.
            RuntimeError: The training ended without a prior to load.
        """
        return jobs.wait_for(self._run(run), seconds)

    def look(self) -> None:
        """Look at the run folders now and show what is new; done by itself twice a second."""
        with self._lock:
            if self.closed:
                return
            runs = self.runs
            rows = [self._row(run, order) for order, run in enumerate(runs)]
            self._table.markup = run_table(rows)
            title, unit = METRICS["val/nll"]
            curves = [self._curve(run, row) for run, row in zip(runs, rows, strict=True)]
            self._curves.markup = learning_curves(curves, title=title, unit=unit) if rows else ""

    def _row(self, run: RunFolder, order: int) -> RunRow:
        kept = [which for which in ("best", "last") if run.checkpoint_file(which).exists()]
        return run_row(
            run.name,
            jobs.state_of(run),
            order=order,
            titles=_TITLES,
            bounds=_BOUNDS,
            stop_asked=run.stop_requested(),
            kept=kept,
        )

    def _curve(self, run: RunFolder, row: RunRow) -> Curve:
        """The run's curve; metrics are read again when the file has grown, the less often the longer that takes."""
        file = run.path / "metrics.jsonl"
        size = file.stat().st_size if file.exists() else 0
        seen = self._seen.get(run.name)
        if seen is None or ((size, row.active) != seen.state and time.monotonic() >= seen.next_look):
            began = time.monotonic()
            found = curve(row, run.metrics())
            took = time.monotonic() - began
            seen = _Seen(found, (size, row.active), began + READING_SHARE * took)
            self._seen[run.name] = seen
        return seen.curve

    def _run(self, run: RunFolder | str) -> RunFolder:
        return run if isinstance(run, RunFolder) else RunFolder.open(self.folder / run)

    def _controls(self) -> W.Widget:
        self._priors = {
            name: W.Checkbox(
                value=name == "hand_vae",
                description=prior.title,
                indent=False,
                tooltip=f"Train a {prior.title}" + (": fitted at once, without epochs" if prior.closed_form else ""),
                layout={"width": "auto"},
            )
            for name, prior in PRIORS.items()
        }
        variants = dict.fromkeys(variant for name in PRIORS for variant in presets(name) if variant != name)
        self._preset = W.Dropdown(
            options=sorted(variants, key=lambda variant: (variant != DEFAULT_PRESET, variant)),
            description="preset",
            tooltip="Recipe: how long, how fast and how large; published is the one of the literature",
            layout={"width": "220px"},
        )
        self._suggested = self._preset_epochs()
        self._epochs = W.BoundedIntText(
            value=self._suggested,
            min=1,
            max=1_000_000,
            description="epochs",
            tooltip="Passes over the training frames; a Gaussian needs none",
            layout={"width": "170px"},
        )
        self._button = button("Start training", _START, self._on_start, main=True)
        for checkbox in self._priors.values():
            checkbox.observe(lambda _: self._chosen_changed(), "value")
        self._preset.observe(lambda _: self._preset_changed(), "value")
        return row(column(row(*self._priors.values()), classes=["hp-fill"]), self._preset, self._epochs, self._button)

    def _chosen(self) -> list[str]:
        return [name for name, checkbox in self._priors.items() if checkbox.value]

    def _chosen_changed(self) -> None:
        chosen = self._chosen()
        suggested = self._preset_epochs()
        if self._epochs.value == self._suggested:  # what somebody typed in stays
            self._epochs.value = suggested
        self._suggested = suggested
        self._button.description = f"Start {len(chosen)} trainings" if len(chosen) > 1 else "Start training"
        set_enabled(self._button, bool(chosen), _START, "Choose at least one prior first")

    def _preset_changed(self) -> None:
        self._epochs.value = self._suggested = self._preset_epochs()

    def _preset_epochs(self) -> int:
        """The longest training that the preset asks for, of the chosen priors; of all if none takes epochs."""
        learning = [name for name in PRIORS if not PRIORS[name].closed_form]
        chosen = [name for name in learning if self._priors[name].value] or learning
        return max(resolve(name, self._preset_of(name)).max_epochs for name in chosen)

    def _overrides(self, epochs: int) -> dict[str, int]:
        """The epochs that were typed in; each prior has its own preset's where they were left alone."""
        return {} if epochs == self._suggested else {"max_epochs": epochs}

    def _preset_of(self, prior: str) -> str | None:
        variant = self._preset.value
        return variant if variant in presets(prior) else None

    def _on_start(self) -> None:
        self._starting.submit((self._chosen(), self._preset.value, self._overrides(self._epochs.value)))

    def _start_chosen(self, wanted: tuple[list[str], str, dict[str, int]]) -> None:
        """One starts at once; several take turns, or a GPU each."""
        priors, preset, overrides = wanted
        self.say()
        if len(priors) == 1:
            self.start(priors[0], preset=self._preset_of(priors[0]), overrides=overrides)
        else:
            jobs.start_all(priors, self.store, out=self.folder, preset=preset, overrides=overrides)
        self.look()

    def _on_event(self, event: str, target: str, _: Any) -> None:
        with self.telling():
            self.say()
            {"stop": self.stop, "resume": self.resume}[event](target)


def _sentence(store: PoseStore, runs: Path) -> str:
    train, val = (len(store.split(name)) for name in ("train", "val"))
    synthetic = " · synthetic" if store.synthetic else ""
    about = f"{store.path}: {store.active.sum()} moving columns of {store.dim}, {val:,} frames held out{synthetic}"
    return (
        f'<p class="hp-sentence">Train priors on {train:,} frames '
        f"<small>{escape(about)} · runs in {escape(str(runs))}</small></p>"
    )
