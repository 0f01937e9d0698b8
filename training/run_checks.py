"""What is asked for, checked before a training starts: configuration, store and run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_tools.store import PoseStore
from training.checkpoints import check_continues, epochs_done
from training.config import RunConfig, learns_in, read, resolve
from training.run_folder import RunFolder


def existing(run_dir: str | Path | None, resume: str | Path | RunFolder | None) -> RunFolder | None:
    """The folder to train in, if the caller names one."""
    if resume is not None:
        return RunFolder.open(resume)
    if run_dir is None:
        return None
    Path(run_dir).mkdir(parents=True, exist_ok=True)
    return RunFolder(Path(run_dir))


def configuration(
    prior: str | None,
    store: PoseStore | str | Path | None,
    preset: str | Path | None,
    overrides: Mapping[str, Any] | None,
    resumed: RunFolder | None,
) -> RunConfig:
    """The configuration that is asked for, complete and checked; that of the run itself where one is resumed."""
    if resumed is not None:
        if not resumed.config_file.exists():
            raise FileNotFoundError(f"run {resumed.name} never began: it has no config.yaml to go on with")
        preset = resumed.config_file
    given = dict(overrides or {})
    if store is not None:
        folder = store if isinstance(store, str | Path) else store.path
        given["store"] = str(Path(folder).absolute())
    config = learns_in(resolve(prior, preset, given))
    if not config.store:
        raise ValueError("no store given: pack one with `handprior pack`, then name its folder")
    return config


def open_store(config: RunConfig, store: PoseStore | str | Path | None) -> PoseStore:
    """The store itself."""
    return store if isinstance(store, PoseStore) else PoseStore(config.store)


def check_can_begin(run: RunFolder | None, config: RunConfig, store: PoseStore, *, resuming: bool) -> None:
    """Refuse to train twice in one folder, to resume what cannot be, or on other data than before."""
    if run is None:
        return
    if run.is_alive() and run.status().get("pid") != run.claim()["pid"] and run.status()["state"] == "running":
        raise ValueError(f"run {run.name} is being trained by process {run.status()['pid']}: stop it first")
    if not resuming:
        if (run.path / "metrics.jsonl").exists():
            raise ValueError(f"{run.path} holds a run already: resume it, or choose another folder")
        return
    if not run.checkpoint_file("last").exists():
        raise ValueError(f"run {run.name} has no checkpoint to go on from: train it anew")
    if run.status().get("store_hash") != store.hash:
        raise ValueError(f"the store at {config.store} is not the one run {run.name} was trained on: train it anew")
    check_continues(run, config)
    status = run.status()
    if status.get("ended_early") and read(run.config_file).patience == config.patience:
        raise ValueError(f"run {run.name} {status['message']}: set a larger patience, or patience=null, to go on")
    if epochs_done(run) >= config.max_epochs:
        raise ValueError(f"run {run.name} has had all its {config.max_epochs} epochs: set a larger max_epochs to go on")
