"""Writing what a mix chooses: the splits, and the store packed from them, both or neither."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from data_tools import balance, pack
from data_tools.catalog import Catalog
from data_tools.mix import Mix
from data_tools.packing.packer import ABOUT_FILE
from data_tools.selection import FRAMES_FILE
from data_tools.whole_folder import check_place, whole_folder
from handprior_viz.long_work import Cancelled, Report


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        frames: In all splits.
        splits: Frames by split.
        out: The folder of the splits.
        store: The folder of the store; None if none was asked for.
    """

    frames: int
    splits: dict[str, int]
    out: Path
    store: Path | None

    @property
    def words(self) -> str:
        """What was written and where, in one line."""
        splits = ", ".join(f"{count:,} {name}" for name, count in self.splits.items())
        store = "" if self.store is None else f"; the store is {self.store.absolute()}"
        return f"Wrote {self.frames:,} frames to {self.out.absolute()}: {splits}{store}."


def in_the_way(out: Path | str, store: Path | str | None = None) -> list[str]:
    """What would be replaced by writing here, in words; empty if nothing is.

    Raises:
        FileExistsError: Something that is neither splits nor a store: that is never replaced.
    """
    there = []
    for place, marker, words in ((out, FRAMES_FILE, "splits"), (store, ABOUT_FILE, "a store")):
        if place is None:
            continue
        folder = Path(place)
        check_place(folder, marker)
        if (folder / marker).is_file():
            written = time.strftime("%d %b %Y %H:%M", time.localtime((folder / marker).stat().st_mtime))
            there.append(f"{folder} holds {words} written on {written}")
    return there


def write_mix(catalog: Catalog, mix: Mix, out: Path | str, store: Path | str | None, report: Report) -> Written:
    """Draw the frames of a mix and write the splits, and pack the store if one is asked for.

    Nothing takes its place before all of it is written: an error, or a cancellation, leaves everything as it was.

    Args:
        catalog: What there is.
        mix: What is asked for.
        out: Folder of the splits.
        store: Folder of the store.
        report: Told how far it is; raises where it is cancelled.

    Raises:
        ValueError: The mix cannot be filled, or its hands cannot be put together.
        FileExistsError: A folder holds something else.
        Cancelled: It was cancelled.
    """
    out, store = Path(out), None if store is None else Path(store)
    if store is not None and store.absolute() == out.absolute():
        raise ValueError(f"{store}: the store needs a folder of its own, beside the splits")
    in_the_way(out, store)
    report.stage(f"Drawing {mix.total:,} frames")
    with whole_folder(out, FRAMES_FILE) as beside:
        selection = balance(catalog, mix, beside)
        report.check()
        if store is not None:
            report.stage(f"Packing {len(selection):,} frames")
            partial = store.with_name(store.name + ".partial")
            begun_before = partial.exists()
            try:
                pack(selection, catalog.root, store, progress=report)
            except Cancelled:
                if not begun_before:
                    shutil.rmtree(partial, ignore_errors=True)
                raise
    splits = {} if selection.plan is None else selection.plan.totals["splits"]
    return Written(len(selection), splits, out, store)
