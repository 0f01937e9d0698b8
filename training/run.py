"""Trains one prior headless: from Python (:func:`train`), or as a process of its own (``python -m training.run``)."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.run_folder import RunFolder

if TYPE_CHECKING:
    from data_tools.store import PoseStore
    from training.config import RunConfig
    from training.prior import Prior

log = logging.getLogger("training")

CARD_FRAMES = 8192
"""Val frames scored for the final card, drawn evenly over the split."""

Progress = bool | Callable[[dict[str, Any]], None]


def train(
    prior: str | None,
    store: PoseStore | str | Path | None = None,
    *,
    out: str | Path = "runs",
    preset: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    run_dir: str | Path | None = None,
    resume: str | Path | RunFolder | None = None,
    progress: Progress = False,
) -> RunFolder:
    """Train a prior on a packed store and return its run folder. Blocks until it is done or asked to stop.

    Args:
        prior: ``gaussian``, ``hand_vae``, ... (a name in ``PRIORS``); None if the preset or the run says it.
        store: The store, or its folder; None if ``resume`` says it.
        out: Where run folders are made.
        preset: A preset's name (``fast``) or a YAML file; by default the prior's published preset.
        overrides: Values by dotted key, such as ``{"max_epochs": 20, "model.z_dim": 32}``.
        run_dir: Train in this folder instead of a new one in ``out``.
        resume: Go on from the last checkpoint of this run, with its configuration, in its folder.
        progress: True for a progress bar, or a function that is given the status at every beat.

    Raises:
        ValueError: A key, a value or the store is not right; nothing has been started.
        FileNotFoundError: No such store, preset or run.
        TrainingError: The run began and failed; its message is one line of advice and stands in ``status.json`` too.
    """
    from training.advice import TrainingError, advice

    run = _existing(run_dir, resume)
    try:
        config = _configuration(prior, store, preset, overrides, run if resume is not None else None)
        opened = _open_store(config, store)
        _check_resumable(run, config, opened, resuming=resume is not None)
    except (ValueError, OSError) as error:
        if run is not None and (resume is None or run.status().get("state") == "queued"):
            run.update_status(state="failed", message=advice(error))
        raise
    run = run or RunFolder.create(out, config.prior)
    with _logged(run), _threads(config.threads):
        try:
            _train(run, config, opened, resuming=resume is not None, progress=progress)
        except KeyboardInterrupt:
            run.update_status(state="failed", message="interrupted from the keyboard")
            raise
        except Exception as error:
            message = advice(error, config)
            log.error("%s", message, exc_info=error)
            with contextlib.suppress(OSError):  # a full disk: the watcher sees the dead process instead
                run.update_status(state="failed", message=message)
            raise TrainingError(message) from error
    return run


def main(arguments: list[str] | None = None) -> int:
    """``python -m training.run``: what a detached training process runs. Exit code 0 when finished or stopped."""
    parser = argparse.ArgumentParser(prog="python -m training.run", description="Train one prior on a packed store.")
    parser.add_argument("--prior", help="gaussian, hand_vae, ...")
    parser.add_argument("--store", help="folder written by `handprior pack`")
    parser.add_argument("--out", default="runs", help="where run folders are made (default: runs)")
    parser.add_argument("--config", help="a preset: its name (fast) or a YAML file")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="assignments")
    parser.add_argument("--run-dir", help="train in this folder instead of a new one")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --run-dir")
    parser.add_argument("--progress", action="store_true", help="show a progress bar")
    options = parser.parse_args(arguments)
    if options.resume and not options.run_dir:
        parser.error("--resume needs --run-dir, the run to go on with")
    try:
        from training.config import parse_assignments

        run = train(
            options.prior,
            options.store,
            out=options.out,
            preset=options.config,
            overrides=parse_assignments(options.assignments),
            run_dir=None if options.resume else options.run_dir,
            resume=options.run_dir if options.resume else None,
            progress=options.progress,
        )
    except (ValueError, OSError, RuntimeError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 1
    sys.stdout.write(f"{run.path}\n")
    return 0


def _existing(run_dir: str | Path | None, resume: str | Path | RunFolder | None) -> RunFolder | None:
    if resume is not None:
        return RunFolder.open(resume)
    if run_dir is None:
        return None
    Path(run_dir).mkdir(parents=True, exist_ok=True)
    return RunFolder(Path(run_dir))


def _configuration(
    prior: str | None,
    store: PoseStore | str | Path | None,
    preset: str | Path | None,
    overrides: Mapping[str, Any] | None,
    resumed: RunFolder | None,
) -> RunConfig:
    from training.config import resolve

    if resumed is not None:
        if not resumed.config_file.exists():
            raise FileNotFoundError(f"run {resumed.name} never began: it has no config.yaml to go on with")
        preset = resumed.config_file
    given = dict(overrides or {})
    if store is not None:
        folder = store if isinstance(store, str | Path) else store.path
        given["store"] = str(Path(folder).absolute())
    config = resolve(prior, preset, given)
    if not config.store:
        raise ValueError("no store given: pack one with `handprior pack`, then name its folder")
    return config


def _open_store(config: RunConfig, store: PoseStore | str | Path | None) -> PoseStore:
    from data_tools.store import PoseStore

    return store if isinstance(store, PoseStore) else PoseStore(config.store)


def _check_resumable(run: RunFolder | None, config: RunConfig, store: PoseStore, *, resuming: bool) -> None:
    """Refuse to train twice in one folder, to resume what cannot be, or on other data than before."""
    from training.checkpoints import epochs_done

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
    if epochs_done(run) >= config.max_epochs:
        raise ValueError(f"run {run.name} has had all its {config.max_epochs} epochs: set a larger max_epochs to go on")


def _train(run: RunFolder, config: RunConfig, store: PoseStore, *, resuming: bool, progress: Progress) -> None:
    """Run one training from its first heartbeat to its card."""
    from training.run_folder import write_atomically

    began = time.monotonic()
    if resuming:
        _forget_old_stop(run)
    write_atomically(run.config_file, config.to_yaml())
    about = {"prior": config.prior, "store": config.store, "store_hash": store.hash, "synthetic": store.synthetic}
    fresh = {} if resuming else {"epoch": 0, "step": 0}
    run.update_status(
        state="running", message="", max_epochs=config.max_epochs, started=time.time(), **about, **fresh, **run.claim()
    )
    log.info("training %s on %s", config.prior, config.store)
    from training.evaluation import held_out_frames, score

    prior = _new_prior(config, store)
    if prior.closed_form:
        state = _fit_closed_form(run, prior, store)
    else:
        from training.gradient_training import train_by_gradient

        state = train_by_gradient(run, config, prior, store, resuming=resuming, progress=progress)
    seconds = time.monotonic() - began
    from training.card import make_card
    from training.checkpoints import load_prior

    best = load_prior(run)
    frames = held_out_frames(best, store, "val", at_most=CARD_FRAMES)
    metrics = score(best, frames, seed=config.seed)
    epochs = run.status().get("epoch", 0)
    run.write_card(
        make_card(best, store, state=state, seconds=seconds, epochs=epochs, metrics=metrics, scored_frames=len(frames))
    )
    run.update_status(state=state, eta_seconds=0)
    log.info("%s after %.1f s: held-out %.2f nats per frame", state, seconds, metrics["val/nll"])


def _forget_old_stop(run: RunFolder) -> None:
    """Withdraw the stop that ended the run's earlier life; one asked for while this life was queued counts."""
    status = run.status()
    run.forget_stop(before=status["heartbeat"] if status.get("state") == "queued" else None)


def _new_prior(config: RunConfig, store: PoseStore) -> Prior:
    import torch

    from training.prior import PoseStatistics
    from training.priors import PRIORS

    torch.manual_seed(config.seed)
    return PRIORS[config.prior](PoseStatistics.of(store), config.model)


def _fit_closed_form(run: RunFolder, prior: Prior, store: PoseStore) -> str:
    from training.checkpoints import save_prior
    from training.evaluation import held_out_frames, score

    began = time.monotonic()
    prior.fit(store)
    prior.eval()
    speed = len(store.split("train")) / max(time.monotonic() - began, 1e-9)
    save_prior(prior, run.prior_file)
    metrics = score(prior, held_out_frames(prior, store, "val", at_most=CARD_FRAMES))
    run.append_metrics(epoch=1, step=1, samples_per_second=round(speed), **metrics)
    run.update_status(epoch=1, max_epochs=1, samples_per_second=round(speed), best_nll=metrics["val/nll"])
    return "finished"


@contextlib.contextmanager
def _logged(run: RunFolder) -> Iterator[None]:
    """Send the log lines of the project and of Lightning to the run's log.txt for as long as it trains."""
    handler = logging.FileHandler(run.log_file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [log, logging.getLogger("pytorch_lightning"), logging.getLogger("lightning_fabric")]
    level = log.level
    log.setLevel(logging.INFO)
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        log.setLevel(level)
        handler.close()


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Use ``count`` CPU threads for as long as the run trains."""
    if count is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


if __name__ == "__main__":
    sys.exit(main())
