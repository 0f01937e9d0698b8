"""Trainings that wait for their turn: one after the other on the CPU, or one on each GPU.

A training that was put into a queue is a process of its own from the start, and waits before it loads anything. What
orders them is on disk: each run's ``turn`` in its status, and one lock file per place to train, which the operating
system frees when its holder ends, however that happens. So a queue needs nobody to run it: it outlives the kernel that
made it, a failed training gives its place to the next, and a stopped one leaves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from training.run_folder import RunFolder

WAITING = "waiting for its turn"
LOOK_SECONDS = 0.2


class TakenOut(Exception):
    """A run was asked to stop while it waited."""


@contextmanager
def turn(run: RunFolder, places: Sequence[str], wanted: int = 1) -> Iterator[None]:
    """Wait until it is a run's turn and hold its place, or places, for as long as it trains.

    Args:
        run: With its ``turn`` in its status: lower ones of the same folder go first.
        places: Where its queue trains: ``cpu``, or GPUs (``0``, ``1``), of which the run then sees its own only.
        wanted: How many of them it needs.

    Raises:
        TakenOut: It was asked to stop while it waited; its status says so.
    """
    run.update_status(**run.claim(), message=WAITING)
    mine = float(run.status()["turn"])
    while True:
        if run.stop_requested():
            run.update_status(state="stopped", message="taken out of the queue before it began")
            raise TakenOut(f"{run.name} was taken out of the queue before it began")
        held = [] if _somebody_before(run, mine) else _take(run.path.parent, places, wanted)
        if held:
            break
        time.sleep(LOOK_SECONDS)
    run.update_status(message="")
    gpus = [name for name, _ in held if name != "cpu"]
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    try:
        yield
    finally:
        for _, lock in held:
            lock.release()


def _somebody_before(run: RunFolder, mine: float) -> bool:
    """Whether a run that came earlier still waits in the same folder."""
    for path in run.path.parent.glob("*/status.json"):
        status = RunFolder(path.parent).status()
        waits = status.get("state") == "queued" and status.get("message") == WAITING
        if waits and float(status.get("turn", mine)) < mine and RunFolder(path.parent).is_alive():
            return True
    return False


def _take(folder: Path, places: Sequence[str], wanted: int) -> list[tuple[str, FileLock]]:
    """Lock as many places as are wanted, or none."""
    held: list[tuple[str, FileLock]] = []
    for place in places:
        lock = FileLock(folder / f".turn-{place}", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            continue
        held.append((place, lock))
        if len(held) == wanted:
            return held
    for _, lock in held:
        lock.release()
    return []
