"""Which look each run of a folder has, for as long as it is there: deleting another run changes nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from training.run_folder import write_atomically

FILE = ".looks.json"
"""Where a folder of runs keeps its runs' numbers, by name."""

logger = logging.getLogger(__name__)


def look_numbers(folder: Path, names: Sequence[str]) -> dict[str, int]:
    """Numbers for :meth:`RunLook.of`, one for each run: the one that it has had, or the lowest that is free.

    They are kept in the folder, so that every panel on it, in every notebook, shows a run alike; in a folder that
    cannot be written they are those of the runs in their order.

    Args:
        folder: Of the runs.
        names: Of all runs in it, oldest first.
    """
    known = _read(folder / FILE)
    found = {name: known[name] for name in names if name in known}
    taken = set(found.values())
    for name in names:
        if name not in found:
            found[name] = next(number for number in range(len(names)) if number not in taken)
            taken.add(found[name])
    if names and found != known:
        try:
            write_atomically(folder / FILE, json.dumps(found, indent=1))
        except OSError as error:
            logger.debug("looks of runs are not kept: %s", error)
    return found


def _read(file: Path) -> dict[str, int]:
    """What was kept; a damaged file, or two runs with one number, count as nothing."""
    try:
        kept = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(kept, dict) and all(isinstance(number, int) and number >= 0 for number in kept.values())
    return kept if whole and len(set(kept.values())) == len(kept) else {}
