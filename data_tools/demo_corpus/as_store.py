"""The corpus mixed and packed in one call, for notebooks and tests that begin where training begins."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_tools.demo_corpus.writing import write

if TYPE_CHECKING:
    from data_tools.store import PoseStore


def packed(folder: str | Path, *, frames: int = 60_000, total: int = 20_000, seed: int = 0) -> PoseStore:
    """Write the corpus, mix it 60/25/15 and pack the mix, unless that was done before.

    A store that lies there already is opened: one of these sizes, or one that somebody packed by hand.

    Args:
        folder: For ``data``, ``splits`` and ``store``.
        frames: Size of the corpus.
        total: Frames of the mix.
        seed: Seed of the corpus and of the draw.

    Returns:
        The store of both hands, ``folder/store``.

    Raises:
        FileExistsError: Something else lies where the splits or the store are to be.
    """
    from data_tools import PoseStore, balance, pack, scan
    from data_tools.mix import Mix
    from data_tools.store import is_store

    folder = Path(folder)
    made_of, note = {"frames": frames, "total": total, "seed": seed}, folder / "made_of.json"
    known = json.loads(note.read_text()) if note.exists() else made_of
    if is_store(folder / "store") and known == made_of:
        return PoseStore(folder / "store")
    note.unlink(missing_ok=True)
    write(folder / "data", frames=frames, seed=seed)
    balance(scan(folder / "data"), replace(Mix.default(), total=total, seed=seed), folder / "splits")
    store = pack(folder / "splits", folder / "data", folder / "store")
    note.write_text(json.dumps(made_of))
    return store
