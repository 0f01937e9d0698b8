"""Tables of scores that were made before: kept beside the runs, and found again as long as nothing has changed.

A table is kept under a hash of all that its numbers come from: the priors and cards of its runs, the store, how many
frames and poses are scored, the hand that measures, the machine (speed is a score) and the code. Whatever of it
changes, such as a prior that is trained again, the table is not found any more, and after a while it is thrown away.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import data_tools
import training
from data_tools.hand_model import HandModel
from data_tools.pose_layout import HANDS_DIM
from training.card import hardware
from training.evaluation import Measured
from training.reference_poses import ScoredFrames
from training.run_folder import RunFolder, write_atomically
from training.score_table import Group, ScoreTable

FOLDER = ".scores"
"""Where tables are kept, in the folder of the first run."""

AT_MOST = 20
"""Tables that are kept; of more, those that were made first are thrown away."""

logger = logging.getLogger(__name__)


def key_of(runs: Sequence[RunFolder], store_hash: str, settings: ScoredFrames) -> str:
    """A hash of everything that scores of these runs on this store come from.

    Raises:
        OSError: A run's files cannot be read.
    """
    parts = [store_hash, asdict(settings), _machine(), _hand(), _code()]
    for run in runs:
        files = [run.prior_file, run.config_file, run.path / "card.json"]
        parts += [run.name, *(_digest(file.read_bytes()) if file.exists() else "" for file in files)]
    return _digest(json.dumps(parts, sort_keys=True, default=str).encode())


def any_in(folder: Path) -> bool:
    """Whether any table is kept for runs of this folder: if not, no key is needed."""
    return (folder / FOLDER).is_dir()


def find(folder: Path, key: str) -> ScoreTable | None:
    """The table that was kept under this key; None if there is none, or what is there is damaged."""
    try:
        return _table(json.loads((folder / FOLDER / f"{key}.json").read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("kept scores cannot be read and are made again: %s", error)
        return None


def keep(folder: Path, key: str, table: ScoreTable) -> None:
    """Keep a table; where the folder cannot be written, nothing is kept and the log says so."""
    file = folder / FOLDER / f"{key}.json"
    try:
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, json.dumps(_plain(table)))
        newest_first = sorted(file.parent.glob("*.json"), key=lambda kept: kept.stat().st_mtime_ns, reverse=True)
        for old in newest_first[AT_MOST:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("scores are not kept: %s", error)


def _plain(table: ScoreTable) -> dict[str, Any]:
    """Everything of a table in values that JSON can hold; arrays as base64 of their bytes."""
    groups = [
        {
            "label": group.label,
            "runs": [{field.name: _stored(getattr(run, field.name)) for field in fields(run)} for run in group.runs],
            "mean": group.mean,
            "spread": group.spread,
        }
        for group in table.groups
    ]
    return {
        "groups": groups,
        "real": table.real,
        "parts": table.parts,
        "shown_real": _stored(table.shown_real),
        "settings": asdict(table.settings),
        "about": table.about,
    }


def _table(plain: dict[str, Any]) -> ScoreTable:
    groups = []
    for group in plain["groups"]:
        runs = tuple(Measured(**{name: _restored(value) for name, value in run.items()}) for run in group["runs"])
        groups.append(Group(group["label"], runs, group["mean"], group["spread"]))
    return ScoreTable(
        groups=tuple(groups),
        real=tuple(plain["real"]),
        parts=tuple(plain["parts"]),
        shown_real=_restored(plain["shown_real"]),
        settings=ScoredFrames(**plain["settings"]),
        about=plain["about"],
    )


def _stored(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return {"dtype": value.dtype.str, "shape": value.shape, "base64": base64.b64encode(value.tobytes()).decode()}


def _restored(value: Any) -> Any:
    if not (isinstance(value, dict) and value.keys() == {"dtype", "shape", "base64"}):
        return value
    return np.frombuffer(base64.b64decode(value["base64"]), np.dtype(value["dtype"])).reshape(value["shape"])


def _machine() -> dict[str, Any]:
    """What decides how fast a prior is; not the number of threads, which one that draws hands sets for a moment."""
    return {name: value for name, value in hardware().items() if name != "threads"}


def _hand() -> str:
    """The hand whose points are measured, which is another one once a licensed model is installed."""
    return _digest(HandModel().hands(np.zeros(HANDS_DIM, np.float32)).vertices.tobytes())


@cache
def _code() -> str:
    """What is computed, and how: scores of another version of this project are not the same."""
    folders = [Path(str(package.__file__)).parent for package in (data_tools, training)]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    return _digest(b"".join(_digest(file.read_bytes()).encode() for file in files))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
