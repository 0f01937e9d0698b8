"""Trainings as processes of their own: start, list, stop, resume and wait for them, from any kernel.

A training outlives the notebook that started it. All that links them is the run folder on disk, so a new kernel - or
another notebook, or the command line - finds a running training again by looking into ``runs``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handprior_viz.trainings.launching import Order, gpu_names, launch, order_of
from training.run_folder import RunFolder
from training.turns import WAITING

_ASIDE = ".deleted-"
"""What the name of a run begins with while its files are being deleted."""

_LOG_BYTES = 16_384

ENDED = ("stopped", "finished", "failed")
"""States in which nothing happens any more."""


def start(
    prior: str,
    store: Any,
    *,
    out: str | Path = "runs",
    preset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    device: str | None = None,
) -> RunFolder:
    """Start a training in a process of its own and return its run folder at once.

    While a training of exactly the same configuration is under way in ``out``, that one is returned: a twin with the
    same seed would only learn the same thing twice, as when a cell is run again.

    Args:
        prior: ``gaussian``, ``hand_vae``, ...
        store: The packed store, or its folder.
        out: Where run folders are made.
        preset: A preset's name or YAML file; by default ``fast``, where the prior has it.
        overrides: Values by dotted key, such as ``{"max_epochs": 20, "model.z_dim": 32}``.
        device: ``cpu``, or a graphics card as CUDA_VISIBLE_DEVICES calls it, whose turn is waited for; by default what
            the configuration says.

    Raises:
        ValueError: Unknown prior, preset or key, or a value that makes no sense; nothing has been started.
        FileNotFoundError: There is no store.
    """
    order = order_of(prior, store, preset, _on_device(overrides, device))
    return _start(order, Path(out), [] if device in (None, "cpu") else [str(device)])


def start_all(
    priors: Sequence[str],
    store: Any,
    *,
    out: str | Path = "runs",
    preset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    device: str | None = None,
) -> list[RunFolder]:
    """Queue several trainings and return their run folders at once: one after the other, or one on each GPU.

    Each is a process of its own from the start and waits for its turn, behind those queued in ``out`` before; the queue
    goes on without this process, and a training that fails does not keep the others. :func:`stop` takes one that still
    waits out of the queue.

    Args:
        priors: In this order.
        store: The packed store, or its folder.
        out: Where run folders are made.
        preset: As for :func:`start`; a prior without a preset of that name takes its own default.
        overrides: Values for all of them, by key.
        device: ``cpu``, or one graphics card as CUDA_VISIBLE_DEVICES calls it; by default all graphics cards that are
            there, and else the CPU.

    Raises:
        ValueError: As for :func:`start`; nothing has been started.
        FileNotFoundError: There is no store.
    """
    import torch

    from training.config import presets

    if len(set(priors)) < len(priors):
        raise ValueError(f"a prior is named twice: {' '.join(priors)}")
    of_all = preset is None or Path(preset).suffix or not any(preset in presets(prior) for prior in priors)
    overrides = _on_device(overrides, device)
    orders = [
        order_of(prior, store, preset if of_all or preset in presets(prior) else None, overrides) for prior in priors
    ]
    gpus = gpu_names(torch.cuda.device_count()) if device is None else [device]
    return [_start(each, Path(out), ["cpu"] if each.config.devices == "cpu" else gpus or ["cpu"]) for each in orders]


def _on_device(overrides: Mapping[str, Any] | None, device: str | None) -> dict[str, Any]:
    """The overrides, with the kind of device where one was asked for."""
    named = {} if device is None else {"devices": "cpu" if device == "cpu" else "cuda"}
    return {**(overrides or {}), **named}


def _start(order: Order, out: Path, places: Sequence[str]) -> RunFolder:
    """Launch a training, which waits for one of ``places`` where there are any."""
    for twin in runs(out):
        if twin.status().get("request") == order.request and twin.is_alive() and not twin.stop_requested():
            return twin
    run = RunFolder.create(out, order.config.prior)
    run.update_status(store=order.config.store, request=order.request)
    waiting: list[str] = []
    if places:
        run.update_status(turn=time.time(), message=WAITING)
        needed = order.config.devices if isinstance(order.config.devices, int) else 1
        waiting = ["--places", str(min(needed, len(places))), "--turn", *places]
    launch(run, ["--run-dir", str(run.path), *order.arguments, *waiting])
    return run


def resume(run: RunFolder | str | Path) -> RunFolder:
    """Go on with a stopped or failed training from its last checkpoint, in a process of its own.

    Raises:
        ValueError: It is training now, or has no checkpoint to go on from.
        FileNotFoundError: Not a run folder.
    """
    run = RunFolder.open(run)
    if run.is_alive():
        raise ValueError(f"run {run.name} is being trained already")
    if not run.checkpoint_file("last").exists():
        raise ValueError(f"run {run.name} has no checkpoint to go on from: start it anew")
    run.forget_stop()
    run.update_status(state="queued", message="")
    launch(run, ["--run-dir", str(run.path), "--resume"])
    return run


def stop(run: RunFolder | str | Path) -> None:
    """Ask a training to stop; it finishes its batch and keeps its checkpoints. Returns at once.

    One that still waits for its turn leaves the queue.
    """
    RunFolder.open(run).request_stop()


def delete(run: RunFolder | str | Path, out: str | Path = "runs") -> None:
    """Delete a run for ever: its folder and all that is in it. What links in it lead to stays.

    It is gone from the folder of runs in one step, before its files are.

    Args:
        run: The run.
        out: The folder of runs that it lies in; nothing outside is ever touched.

    Raises:
        ValueError: It is being trained, is a link, or does not lie in that folder.
        FileNotFoundError: Not a run folder.
        OSError: The files cannot be deleted.
    """
    run = RunFolder.open(run)
    if run.path.is_symlink():
        raise ValueError(f"run {run.name} is a link to another folder: delete the link by hand")
    if run.path.name in ("", "..") or run.path.parent.resolve() != Path(out).resolve():
        raise ValueError(f"run {run.path} does not lie in {Path(out).absolute()}: nothing was deleted")
    if run.is_alive():
        raise ValueError(f"run {run.name} is being trained: stop it first")
    aside = run.path.with_name(f"{_ASIDE}{run.name}")
    run.path.rename(aside)
    shutil.rmtree(aside)


def log_tail(run: RunFolder | str | Path, lines: int = 12) -> list[str]:
    """The last lines of a run's log; reads no more than the end of the file, and none if there is no log yet."""
    file = RunFolder.open(run).log_file
    if not file.exists():
        return []
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - _LOG_BYTES))
        text = log.read().decode("utf-8", errors="replace")
    # A progress bar writes over its line: what it wrote last counts.
    shown = (line.rstrip().rpartition("\r")[2] for line in text.split("\n"))
    return [line for line in shown if line][-lines:]


def runs(out: str | Path = "runs") -> list[RunFolder]:
    """All runs in a folder, oldest first, those queued together in their turns; none if there is no such folder yet."""
    folder = Path(out)
    entries = [path for path in folder.iterdir() if not path.name.startswith(_ASIDE)] if folder.is_dir() else []
    found = [RunFolder(path) for path in entries if (path / "status.json").exists()]
    return sorted(found, key=lambda run: (run.name.rpartition("-")[0][-15:], run.status().get("turn") or 0, run.name))


def state_of(run: RunFolder) -> dict[str, Any]:
    """The run's status; one whose process died before it said a word counts as failed, with advice."""
    status = run.status()
    waited = time.time() - float(status.get("heartbeat") or 0)
    if status.get("state") == "queued" and waited > 1 and not run.is_alive():
        status |= {"state": "failed", "message": f"the process ended before it began: see {run.log_file}"}
    return status


def wait_for(run: RunFolder | str | Path, seconds: float = 60.0) -> RunFolder:
    """Wait until a training has ended, or at most so long if it has kept a prior by then.

    Returns:
        The run, so that calls can be chained: ``load_prior(wait_for(run, 30))``. It may still be training: then its
        best prior so far is loaded.

    Raises:
        TimeoutError: There is no prior to load yet; the training goes on.
        RuntimeError: The training ended without a prior to load.
    """
    run = RunFolder.open(run)
    deadline = time.monotonic() + seconds
    while True:
        status = state_of(run)
        if status.get("state") in ENDED:
            if run.prior_file.exists():
                return run
            raise RuntimeError(f"run {run.name} {status['state']} without a checkpoint: {status.get('message', '')}")
        if time.monotonic() > deadline:
            if run.prior_file.exists():
                return run
            raise TimeoutError(f"run {run.name} has no checkpoint after {seconds:.0f} s; it goes on, wait again")
        time.sleep(0.1)


def newest(out: str | Path = "runs", prior: str | None = None) -> RunFolder:
    """The newest run that has a prior to load, of any family or of one.

    Raises:
        FileNotFoundError: There is none yet.
    """
    for run in reversed(runs(out)):
        if run.prior_file.exists() and prior in (None, run.status().get("prior")):
            return run
    what = f"no trained {prior} prior" if prior else "no trained prior"
    raise FileNotFoundError(f"{what} in {Path(out).absolute()}: train one first")
