"""A training as a process of its own: what it is asked to do, and how it is launched, detached from this process."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from training.run_folder import RunFolder

if TYPE_CHECKING:
    from training.config import RunConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """A training that was asked for and makes sense: its configuration, and how to say it to ``training.run``."""

    config: RunConfig
    arguments: tuple[str, ...]

    @property
    def request(self) -> str:
        """The same for the same configuration."""
        return hashlib.blake2b(self.config.to_yaml().encode(), digest_size=8).hexdigest()


def order_of(prior: str, store: Any, preset: str | None, overrides: Mapping[str, Any] | None) -> Order:
    """Check what was asked for, as :func:`handprior_viz.jobs.start` takes it.

    Raises:
        ValueError: Unknown prior, preset or key, or a value that makes no sense.
        FileNotFoundError: There is no store.
    """
    from training.config import learns_in, resolve

    folder = _store_folder(store)
    config = learns_in(resolve(prior, preset, {**(overrides or {}), "store": str(folder)}))
    settings = [f"{key}={_yaml(value)}" for key, value in (overrides or {}).items()]
    arguments = ["--prior", prior, "--store", str(folder)]
    arguments += ["--config", str(preset)] if preset else []
    return Order(config, (*arguments, "--set", *settings) if settings else tuple(arguments))


def launch(run: RunFolder, arguments: list[str]) -> None:
    """Run ``python -m training.run`` detached: it survives this process, and its output goes to the run's log."""
    import training

    packages = str(Path(training.__file__).parents[1])
    path = os.pathsep.join(part for part in (packages, os.environ.get("PYTHONPATH", "")) if part)
    with run.log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "training.run", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": path},
        )
    # The process itself writes the same as soon as it has imported torch; until then the run counts as alive.
    try:
        began = psutil.Process(process.pid).create_time()
        run.update_status(pid=process.pid, pid_started=began, host=socket.gethostname())
    except psutil.NoSuchProcess:
        logger.debug("process of %s ended at once", run.name)
    # Somebody has to take the exit code of a child, or it stays in the process table.
    threading.Thread(target=process.wait, name=f"reaper-{run.name}", daemon=True).start()


def gpu_names(count: int) -> list[str]:
    """How CUDA_VISIBLE_DEVICES calls the GPUs that are visible here."""
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] if len(named) >= count else [str(number) for number in range(count)]


def _store_folder(store: Any) -> Path:
    from data_tools.store import is_store

    folder = Path(getattr(store, "path", store)).absolute()
    if not is_store(folder):
        raise FileNotFoundError(f"{folder} is not a packed store (no store.json): pack one first")
    return folder


def _yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
