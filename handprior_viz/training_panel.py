"""The training panel: choose priors, start them, watch all runs on one axis, stop and go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_tools.store import PoseStore
from handprior_viz import jobs
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import Every, LatestWins
from handprior_viz.panel import Panel, column, row, short_path
from handprior_viz.trainings.device_list import device_list
from handprior_viz.trainings.form import TrainingForm, WantedTraining
from handprior_viz.trainings.learning_curves import learning_curves
from handprior_viz.trainings.samples import RunSamples
from handprior_viz.trainings.table import RunRow, TableState, run_table
from handprior_viz.trainings.watch import RunWatch, WatchedRun
from training.run_folder import METRICS, RunFolder

if TYPE_CHECKING:
    from handprior_viz.latent_panel import LatentExplorer

LOOK_SECONDS = 0.5
"""How often the run folders are looked at."""

DEVICE_SECONDS = 5.0
"""How often free memory is looked at."""

DOOMED_SECONDS = 6.0
"""How long the question whether to delete a run for ever stands."""


class TrainingPanel(Panel):
    """Trainings on one store.

    Each training is a process of its own: it survives a restart of the kernel, and a new panel finds it again.

    Example:
        >>> panel = TrainingPanel("demo/store", runs="demo/runs")       # doctest: +SKIP
        >>> run = panel.start("hand_vae", max_epochs=40)                # doctest: +SKIP
        >>> panel.explore(run)                                          # doctest: +SKIP

    Args:
        store: The packed store, or its folder.
        runs: Folder that holds the run folders.

    Attributes:
        explorer: The explorer that is open below the trainings; None if none is.

    Raises:
        FileNotFoundError: There is no such store.
    """

    def __init__(self, store: PoseStore | str | Path, runs: str | Path = "runs") -> None:
        self.store = store if isinstance(store, PoseStore) else PoseStore(store)
        self.folder = Path(runs)
        self.explorer: LatentExplorer | None = None
        self._watch = RunWatch(self.folder)
        self._sampled = self._doomed = ""
        self._doomed_until = 0.0
        self._logs: set[str] = set()
        super().__init__()
        self._form = TrainingForm(self._on_start)
        self._table = LiveMarkup(run_table([]), on_event=self._on_event)
        self._curves = LiveMarkup()
        self._samples = RunSamples(on_error=self.tell, synthetic=self.store.synthetic)
        self._below = column()
        charts = row(
            column(self._curves, classes=["hp-train-curves"]), self._samples.widget, classes=["hp-train-charts"]
        )
        sentence, trainings = LiveMarkup(_sentence(self.store, self.folder)), column(self._table, classes=["hp-scroll"])
        trainings.layout.max_height = "400px"  # below many runs their curves are still seen
        self.arrange(sentence, self._form.widget, trainings, self._below, charts)
        self._starting = LatestWins(self._start_wanted, on_error=self.tell, name="training-start")
        self._exploring = LatestWins(self._explore_wanted, on_error=self.tell, name="training-explore")
        self._looking: LatestWins[None] = LatestWins(lambda _: self.look(), on_error=self.tell, name="training-look")
        self._again = Every(LOOK_SECONDS, lambda: self._looking.submit(None), name="training-look-again")
        self._counting = Every(DEVICE_SECONDS, self._count_devices, name="training-devices")
        self.ends_with(_Ending(self.close_explorer), self._samples, self._starting, self._exploring)
        self.ends_with(self._looking, self._again, self._counting)

    @property
    def runs(self) -> list[RunFolder]:
        """All runs in the folder, oldest first."""
        return jobs.runs(self.folder)

    def start(
        self,
        prior: str,
        *,
        preset: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        device: str | None = None,
        **values: Any,
    ) -> RunFolder:
        """Start a training and return its run folder at once.

        Args:
            prior: ``gaussian``, ``hand_vae``, ...
            preset: A preset's name or YAML file; by default ``fast``, where the prior has it.
            overrides: Values by dotted key, such as ``{"model.z_dim": 32}``.
            device: ``cpu``, or a graphics card's name, such as ``0``; by default what the configuration says.
            values: Values whose key has no dot: ``max_epochs=40, batch_size=256``.

        Raises:
            ValueError: Unknown prior, preset or key, or a value that makes no sense.
        """
        overrides = {**(overrides or {}), **values}
        run = jobs.start(prior, self.store, out=self.folder, preset=preset, overrides=overrides, device=device)
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

    def delete(self, run: RunFolder | str) -> None:
        """Delete a run for ever: its checkpoints, its metrics and its log.

        Raises:
            ValueError: It is being trained, or does not lie in this panel's folder of runs.
        """
        run = self._run(run)
        if self.explorer is not None and self.explorer.run == run:
            self.close_explorer()
        jobs.delete(run, self.folder)
        self.look()

    def wait(self, run: RunFolder | str, seconds: float = 60.0) -> RunFolder:
        """Wait until a training has ended, or at most so long if it has kept a prior by then.

        Raises:
            TimeoutError: There is no prior to load yet; the training goes on.
            RuntimeError: The training ended without a prior to load.
        """
        return jobs.wait_for(self._run(run), seconds)

    def explore(self, run: RunFolder | str) -> LatentExplorer:
        """Open the explorer on a run, below the trainings, in place of one that is open there.

        Raises:
            FileNotFoundError: The run has no checkpoint, and trains no more.
        """
        from handprior_viz.latent_panel import LatentExplorer

        run = self._run(run)
        here = run.status().get("store_hash") == self.store.hash
        self.close_explorer()
        explorer = LatentExplorer(run, self.store if here else None)
        with self._lock:
            if self.closed:
                explorer.close()
            else:
                self.explorer, self._below.children = explorer, (explorer,)
        self.look()
        return explorer

    def close_explorer(self) -> None:
        """Close the explorer below the trainings, if one is open."""
        with self._lock:
            explorer, self.explorer = self.explorer, None
            if explorer is not None and not self.closed:
                self._below.children = ()
        if explorer is not None:
            explorer.close()

    def look(self) -> None:
        """Look at the run folders now and show what is new; done by itself twice a second."""
        with self._lock:
            if self.closed:
                return
            watched = self._watch.look()
            rows = [each.row for each in watched]
            sampled = self._sampled_run(rows)
            self._table.markup = run_table(rows, self._state(watched, sampled))
            title, unit = METRICS["val/nll"]
            curves = [each.curve for each in watched]
            self._curves.markup = learning_curves(curves, title=title, unit=unit) if rows else ""
            if sampled is None:
                self._samples.look(None)
            else:
                self._samples.look(RunFolder(self.folder / sampled.name), sampled.title)

    def settle(self, timeout: float = 60.0) -> bool:
        """Wait until what was asked for has been done; False if that took longer than ``timeout`` s."""
        return all(pace.settle(timeout) for pace in (self._starting, self._exploring, self._looking, self._samples))

    def _state(self, watched: Sequence[WatchedRun], sampled: RunRow | None) -> TableState:
        if time.monotonic() > self._doomed_until:
            self._doomed = ""
        logs = {each.run.name: jobs.log_tail(each.run) for each in watched if each.run.name in self._logs}
        explored = self.explorer.run if self.explorer is not None else None
        return TableState(
            sampled=sampled.name if sampled else "",
            logs=logs,
            doomed=self._doomed,
            exploring=explored.name if explored is not None else "",
        )

    def _sampled_run(self, rows: list[RunRow]) -> RunRow | None:
        """The run that was picked for samples; else the newest that has a prior."""
        drawable = [row for row in rows if row.has_prior]
        picked = [row for row in drawable if row.name == self._sampled]
        return next(iter(picked or drawable[-1:]), None)

    def _run(self, run: RunFolder | str) -> RunFolder:
        return run if isinstance(run, RunFolder) else RunFolder.open(self.folder / run)

    def _count_devices(self) -> None:
        devices = device_list()
        with self._lock:
            if not self.closed:
                self._form.show_devices(devices)

    def _on_start(self, wanted: WantedTraining) -> None:
        self._starting.submit(wanted)

    def _start_wanted(self, wanted: WantedTraining) -> None:
        """One starts at once; several take turns, or a GPU each."""
        self.say()
        out, overrides, device = self.folder, wanted.overrides, wanted.device
        if len(wanted.priors) == 1:
            prior = wanted.priors[0]
            preset = wanted.preset_of(prior)
            jobs.start(prior, self.store, out=out, preset=preset, overrides=overrides, device=device)
        else:
            priors, preset = wanted.priors, wanted.preset
            jobs.start_all(priors, self.store, out=out, preset=preset, overrides=overrides, device=device)
        self.look()

    def _explore_wanted(self, name: str) -> None:
        """Open a run's explorer, or close it if that is the open one."""
        if self.explorer is not None and self.explorer.run is not None and self.explorer.run.name == name:
            self.close_explorer()
            self.look()
        else:
            self.say("The explorer opens below …")
            self.explore(name)
            self.say()

    def _on_event(self, event: str, target: str, _: Any) -> None:
        with self.telling():
            self.say()
            doomed, self._doomed = self._doomed, ""
            if event == "delete":
                self._doomed, self._doomed_until = target, time.monotonic() + DOOMED_SECONDS
            elif event == "delete-now" and doomed == target:
                threading.Thread(target=self._delete_told, args=(target,), name="training-delete", daemon=True).start()
            elif event == "samples":
                self._sampled = target
            elif event == "log":
                self._logs ^= {target}
            elif event == "explore":
                self._exploring.submit(target)
            elif event in ("stop", "resume"):
                {"stop": jobs.stop, "resume": jobs.resume}[event](self._run(target))
            self._looking.submit(None)  # a look at many runs takes longer than the page may wait

    def _delete_told(self, name: str) -> None:
        with self.telling():
            self.delete(name)


@dataclass(frozen=True)
class _Ending:
    """Something to do when the panel closes."""

    close: Any


def _sentence(store: PoseStore, runs: Path) -> str:
    train, val = (len(store.split(name)) for name in ("train", "val"))
    synthetic = " · synthetic" if store.synthetic else ""
    columns = f"{store.active.sum()} moving columns of {store.dim}"
    about = f"{short_path(store.path)}: {columns}, {val:,} frames held out{synthetic}"
    return (
        f'<p class="hp-sentence">Train priors on {train:,} frames '
        f"<small>{escape(about)} · runs in {escape(str(runs))}</small></p>"
    )
