"""Trains one prior headless: from Python (:func:`train`), or as a process of its own (``python -m training.run``)."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.run_folder import RunFolder, write_atomically

if TYPE_CHECKING:
    from data_tools.store import PoseStore
    from training.config import RunConfig
    from training.prior import Prior
    from training.processes import Place

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
        preset: A preset's name (``fast``, ``published``) or a YAML file; by default ``fast``, where the prior has it.
        overrides: Values by dotted key, such as ``{"max_epochs": 20, "model.z_dim": 32}``.
        run_dir: Train in this folder instead of a new one in ``out``.
        resume: Go on from the last checkpoint of this run, with its configuration, in its folder.
        progress: True for a progress bar, or a function that is given the status at every beat.

    Raises:
        ValueError: A key, a value or the store is not right; nothing has been started.
        FileNotFoundError: No such store, preset or run.
        TrainingError: The run began and failed; its message is one line of advice and stands in ``status.json`` too.
    """
    from training import run_checks
    from training.advice import TrainingError, advice
    from training.processes import meeting, place, told_by_first

    where, resuming = place(), resume is not None
    run = run_checks.existing(run_dir, resume)
    try:
        config = run_checks.configuration(prior, store, preset, overrides, run if resuming else None)
        config = where.adapt(config)
        opened = run_checks.open_store(config, store)
        if where.first:
            run_checks.check_can_begin(run, config, opened, resuming=resuming)
    except (ValueError, OSError) as error:
        if run is not None and (not resuming or run.status().get("state") == "queued"):
            run.update_status(state="failed", message=advice(error))
        raise
    with contextlib.ExitStack() as stack:
        stack.enter_context(meeting(where))
        if run is None:
            made = RunFolder.create(out, config.prior) if where.first else None
            run = RunFolder(Path(told_by_first(str(made.path) if made else "", where)))
        if where.first:
            stack.enter_context(_logged(run))
        stack.enter_context(_threads(config.threads))
        try:
            _train(run, config, opened, where, resuming=resuming, progress=progress)
        except KeyboardInterrupt:
            run.update_status(state="failed", message="interrupted from the keyboard")
            raise
        except Exception as error:
            message = advice(error, config)
            with contextlib.suppress(OSError):  # a full disk: the watcher sees the dead process instead
                run.update_status(state="failed", message=message)
                _log_failure(run, message, error)
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
    parser.add_argument("--turn", nargs="+", default=[], metavar="PLACE", help="wait for one of these: cpu, or GPUs")
    parser.add_argument("--places", type=int, default=1, metavar="N", help="how many of them are needed (default: 1)")
    options = parser.parse_args(arguments)
    if options.resume and not options.run_dir:
        parser.error("--resume needs --run-dir, the run to go on with")
    if options.turn and not options.run_dir:
        parser.error("--turn needs --run-dir, the run that waits")
    if not options.turn:
        return _main(options)
    from training.turns import TakenOut, turn  # and nothing that imports torch: a run that waits needs little memory

    try:
        with turn(RunFolder.open(options.run_dir), options.turn, options.places):
            return _main(options)
    except TakenOut as taken:
        sys.stdout.write(f"{taken}\n")
        return 0


def _main(options: argparse.Namespace) -> int:
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


def _train(
    run: RunFolder, config: RunConfig, store: PoseStore, where: Place, *, resuming: bool, progress: Progress
) -> None:
    """Run one training from its first heartbeat to its card."""
    from training.priors import PRIORS
    from training.processes import train_in_processes

    began = time.monotonic()
    earlier = float(run.status().get("seconds", 0.0)) if resuming else 0.0
    if where.first and resuming:
        _forget_old_stop(run)
    count = where.to_start(config)
    if count > 1 and not PRIORS[config.prior].closed_form:
        write_atomically(run.config_file, config.to_yaml())
        run.update_status(state="queued", message="", ended_early=False, **run.claim())
        train_in_processes(run, count, resuming=resuming, progress=progress)
        return
    if where.first:
        _announce(run, config, store, resuming=resuming)
    prior = _resumed_prior(run) if resuming else _new_prior(config, store)
    if not prior.closed_form:
        from training.gradient_training import train_by_gradient

        state, message = train_by_gradient(
            run, config, prior, store, resuming=resuming, progress=progress, first=where.first
        )
    elif where.first:
        state, message = _fit_closed_form(run, config, prior, store, progress)
    if where.first:
        _conclude(run, config, store, state, message, earlier + time.monotonic() - began)


def _announce(run: RunFolder, config: RunConfig, store: PoseStore, *, resuming: bool) -> None:
    write_atomically(run.config_file, config.to_yaml())
    about = {"prior": config.prior, "store": config.store, "store_hash": store.hash, "synthetic": store.synthetic}
    about |= {"max_epochs": config.max_epochs, "started": time.time(), "ended_early": False}
    fresh = {} if resuming else {"epoch": 0, "step": 0}
    run.update_status(state="running", message="", **about, **fresh, **run.claim())
    log.info("training %s on %s", config.prior, config.store)


def _conclude(run: RunFolder, config: RunConfig, store: PoseStore, state: str, message: str, seconds: float) -> None:
    """Score what was kept on more of the val split, and write the card."""
    from training.card import make_card
    from training.checkpoints import load_prior
    from training.evaluation import held_out_frames, score

    best = load_prior(run)
    frames = held_out_frames(best, store, "val", at_most=CARD_FRAMES)
    metrics = score(best, frames, seed=config.seed)
    figures = {"epochs": run.status().get("epoch", 0), "metrics": metrics, "scored_frames": len(frames)}
    run.write_card(make_card(best, store, config, state=state, message=message, seconds=seconds, **figures))
    run.update_status(state=state, message=message, ended_early=bool(message), seconds=seconds, eta_seconds=0)
    log.info("%s after %.1f s: held-out %.2f nats per frame", state, seconds, metrics["val/nll"])


def _forget_old_stop(run: RunFolder) -> None:
    """Withdraw the stop that ended the run's earlier life; one asked for while this life was queued counts."""
    status = run.status()
    run.forget_stop(before=status["heartbeat"] if status.get("state") == "queued" else None)


def _new_prior(config: RunConfig, store: PoseStore) -> Prior:
    import torch

    from training.priors import PRIORS

    torch.manual_seed(config.seed)
    prior = PRIORS[config.prior].for_store(store, config.model)
    if not prior.closed_form:
        prior.begin(store)
    return prior


def _resumed_prior(run: RunFolder) -> Prior:
    """The prior of the last checkpoint, to go on with: of the shape that it had after :meth:`Prior.begin`."""
    from training.checkpoints import load_prior

    return load_prior(run, "last").requires_grad_(True).train()


def _fit_closed_form(
    run: RunFolder, config: RunConfig, prior: Prior, store: PoseStore, progress: Progress
) -> tuple[str, str]:
    from training.checkpoints import save_prior
    from training.evaluation import held_out_frames, score
    from training.round_reports import RoundReports
    from training.stop_signals import stopping_on_signals

    reports = RoundReports(run, config, len(store.split("train")), progress if callable(progress) else None)
    with stopping_on_signals(run):
        prior.fit(store, seed=config.seed, watch=reports)
    prior.eval()
    save_prior(prior, run.prior_file)
    metrics = score(prior, held_out_frames(prior, store, "val", at_most=CARD_FRAMES))
    reports.conclude(metrics)
    return ("stopped" if reports.stopped else "finished"), ""


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


def _log_failure(run: RunFolder, message: str, error: Exception) -> None:
    """Into the run's own log with its traceback, and nowhere else: who asked is told by one line, the exception's."""
    with run.log_file.open("a", encoding="utf-8") as file:
        file.write(f"{message}\n")
        traceback.print_exception(error, file=file)


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
