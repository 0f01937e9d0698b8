"""The on-disk contract of a run: whoever trains writes here, whoever watches reads here, and neither waits.

::

    runs/hand_vae-20250131-142501-k3f/
        config.yaml     the resolved configuration
        status.json     state, pid, heartbeat, epoch, samples per second, ETA; replaced whole, never half-written
        metrics.jsonl   one JSON object per line, append-only
        stop            its presence asks the run to stop; the run keeps its checkpoints
        checkpoints/    last.ckpt and best.ckpt (to resume from)
        prior.pt        the best prior so far (what load_prior reads)
        log.txt         what was logged
        card.json       figures, training time, hardware and versions of a run that ended
"""

from __future__ import annotations

import json
import math
import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

State = Literal["queued", "running", "stopped", "finished", "failed"]

HEARTBEAT_LOST_SECONDS = 120.0
"""A run on another machine whose heartbeat is older than this is taken for dead."""

METRICS: dict[str, tuple[str, str]] = {
    "train/loss": ("training loss", "nats per frame"),
    "train/kl": ("KL of the latents in training", "nats per frame"),
    "train/reconstruction": ("reconstruction in training", "nats per frame"),
    "val/nll": ("held-out negative log-likelihood (lower is better)", "nats per frame"),
    "val/bpd": ("held-out negative log-likelihood (lower is better)", "bits per dimension"),
    "val/elbo": ("held-out evidence bound (higher is better)", "nats per frame"),
    "val/kl": ("KL of the latents", "nats per frame"),
    "val/reconstruction": ("reconstruction", "nats per frame"),
    "val/reconstruction_degrees": ("reconstruction error per joint", "degrees"),
    "val/active_units": ("latent axes in use", "axes"),
    "val/round_trip_degrees": ("error per joint after going through the latents and back", "degrees"),
    "val/spread_error_degrees": ("difference in spread between drawn and held-out poses", "degrees"),
    "samples_per_second": ("training speed", "frames per second"),
    "learning_rate": ("learning rate", ""),
}
"""What each metric is called in front of people, and its unit."""


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and rename it there, so that a reader never sees half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)  # on a full disk this makes room to say so
        raise


@dataclass(frozen=True)
class RunFolder:
    """A run on disk.

    Attributes:
        path: Its folder.
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path).absolute())

    @classmethod
    def create(cls, out: str | Path, prior: str) -> RunFolder:
        """Make a new, empty run folder with a name no other run has."""
        while True:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            path = Path(out) / f"{prior}-{stamp}-{secrets.token_hex(2)[:3]}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            run = cls(path)
            run.update_status(state="queued", prior=prior)
            return run

    @classmethod
    def open(cls, path: str | Path | RunFolder) -> RunFolder:
        """Open an existing run.

        Raises:
            FileNotFoundError: There is no such folder, or it is not a run's.
        """
        run = path if isinstance(path, RunFolder) else cls(Path(path))
        if not run.path.is_dir():
            raise FileNotFoundError(f"no run folder at {run.path} (`handprior runs --out FOLDER` lists runs)")
        if not any((run.path / name).exists() for name in ("status.json", "config.yaml", "prior.pt")):
            raise FileNotFoundError(f"{run.path} is not a run folder: it has neither status.json nor config.yaml")
        return run

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def config_file(self) -> Path:
        return self.path / "config.yaml"

    @property
    def prior_file(self) -> Path:
        return self.path / "prior.pt"

    @property
    def log_file(self) -> Path:
        return self.path / "log.txt"

    def checkpoint_file(self, which: Literal["last", "best"]) -> Path:
        return self.path / "checkpoints" / f"{which}.ckpt"

    def status(self) -> dict[str, Any]:
        """State, progress and speed. A run that says ``running`` but whose process is gone is reported as failed."""
        status = self._stored_status()
        if status.get("state") == "running" and not _process_lives(status):
            status["state"] = "failed"
            status["message"] = (
                "the process ended without a word (killed, or out of memory): resume goes on from its last checkpoint"
            )
        return status

    def update_status(self, **values: Any) -> dict[str, Any]:
        """Change some entries of status.json, and the heartbeat with them."""
        status = self._stored_status() | values | {"heartbeat": time.time()}
        write_atomically(self.path / "status.json", json.dumps(_plain(status), indent=1))
        return status

    def claim(self) -> dict[str, Any]:
        """Entries that say that this process is the one that trains."""
        pid = os.getpid()
        return {"pid": pid, "host": socket.gethostname(), "pid_started": psutil.Process(pid).create_time()}

    def is_alive(self) -> bool:
        """Whether a process is training in this folder now."""
        status = self._stored_status()
        return status.get("state") in ("queued", "running") and _process_lives(status)

    def append_metrics(self, **values: Any) -> dict[str, Any]:
        """Add one line to metrics.jsonl, flushed; numbers that are not finite become null."""
        line = _plain({"time": round(time.time(), 3), **values})
        path = self.path / "metrics.jsonl"
        torn = path.exists() and path.stat().st_size > 0 and not _ends_in_newline(path)
        with path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + json.dumps(line) + "\n")
        return line

    def metrics(self, having: str = "") -> list[dict[str, Any]]:
        """All metrics so far, oldest first; only the lines that have one of them where it is named.

        A torn line (the process died while writing it, or is writing it now) is skipped. After a resume, lines beyond
        the checkpoint that training went back to are left out: those steps were taken again.
        """
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        lines: list[dict[str, Any]] = []
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                if having not in text and "resumed_from_step" not in text:
                    continue  # reading what a line says takes fifty times as long as looking for a word in it
                try:
                    line = json.loads(text)
                except json.JSONDecodeError:
                    continue
                if not isinstance(line, dict):
                    continue
                if "resumed_from_step" in line:
                    lines = [old for old in lines if old.get("step", 0) <= line["resumed_from_step"]]
                elif not having or having in line:
                    lines.append(line)
        return lines

    def card(self) -> dict[str, Any] | None:
        """The final card, or None while there is none."""
        path = self.path / "card.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def write_card(self, card: Mapping[str, Any]) -> None:
        write_atomically(self.path / "card.json", json.dumps(_plain(dict(card)), indent=1))

    def request_stop(self) -> None:
        """Ask the run to stop; it finishes its batch, keeps its checkpoints and ends as ``stopped``."""
        (self.path / "stop").touch()

    def stop_requested(self) -> bool:
        return (self.path / "stop").exists()

    def forget_stop(self, before: float | None = None) -> None:
        """Withdraw a request to stop; with ``before`` (seconds since the epoch) only one that is older than that."""
        stop = self.path / "stop"
        if stop.exists() and (before is None or stop.stat().st_mtime < before):
            stop.unlink(missing_ok=True)

    def _stored_status(self) -> dict[str, Any]:
        try:
            status = json.loads((self.path / "status.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return status if isinstance(status, dict) else {}


def _process_lives(status: Mapping[str, Any]) -> bool:
    """Whether the process that a status names still runs; a process id that was given away again does not count."""
    if status.get("pid") is None:
        return False
    if status.get("host") not in (None, socket.gethostname()):
        return time.time() - float(status.get("heartbeat", 0)) < HEARTBEAT_LOST_SECONDS
    try:
        process = psutil.Process(int(status["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        began = status.get("pid_started")
        return began is None or abs(process.create_time() - float(began)) < 1.0
    except psutil.Error:
        return False


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _plain(value: Any) -> Any:
    """Values that JSON can hold: no infinities, no NaN, no paths, no numpy or torch scalars."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Path):
        return str(value)
    number = float(value)
    return number if math.isfinite(number) else None
