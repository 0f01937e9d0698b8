"""The rows of files under a mix: load and save it, write its splits, pack its store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets as W

from data_tools.catalog import Catalog
from data_tools.mix import Mix
from handprior_viz.balancing.writing import in_the_way, write_mix
from handprior_viz.long_work import LongWork, Report
from handprior_viz.panel import Panel, button, column, row

_REPLACE = "Replace what is there"


class MixFiles:
    """Names of files and folders, and buttons that read and write them. What is there is replaced when asked twice.

    Args:
        panel: Where errors and results are told.
        catalog: What frames are drawn from.
        mix: Gives the mix as the panel stands.
        on_load: Called with a mix that was read.
        out: Folder of the splits.
        store: Folder of the store.

    Attributes:
        widget: All of it.
        work: Writing goes on in it; one work at a time, whoever starts it.
        file: Name of the mix's file.
        folder: Name of the folder of the splits.
        store: Name of the folder of the store.
    """

    def __init__(
        self,
        panel: Panel,
        catalog: Catalog,
        mix: Callable[[], Mix],
        on_load: Callable[[Mix], object],
        *,
        out: str | Path,
        store: str | Path,
    ) -> None:
        self._panel, self._catalog, self._mix, self._on_load = panel, catalog, mix, on_load
        self._sure_of = ""  # what was asked about, until it is asked again or the mix changes
        self._asked: tuple[str, W.Button] | None = None  # on which button, and what it said before
        self.work = LongWork(self._tell_not_written)
        title = "File that the mix is read from and saved to; 60-25-15 and 75-25 come with the project"
        self.file = _named("mix", "mix.yaml", title, width=320)
        self.folder = _named("splits", out, "Folder that the splits are written to")
        self.store = _named("store", store, "Folder that the store is packed into, for training")
        self.load_button = button("Load mix", "Take over the mix of this file", self._press_load)
        self.save_button = button("Save mix", "Write the mix as it stands to this file", self._press_save)
        title = "Draw the frames of this mix and write them: selection, samples by split, plan and mix.yaml"
        self.write_button = button("Write splits", title, lambda: self._press_write(False), main=True)
        title = "Write the splits, and pack their frames into a store that priors are trained on"
        self.both_button = button("Write splits and store", title, lambda: self._press_write(True))
        self.widget = column(
            row(self.file, self.load_button, self.save_button),
            row(self.folder, self.store, self.write_button, self.both_button),
            self.work.widget,
        )

    def load(self, path: str | Path | None = None) -> None:
        """Take over a mix; from the file that is named here by default.

        Raises:
            ValueError: Not a mix; the message names the file and the entry.
            FileNotFoundError: No such file.
        """
        name = self.file.value if path is None else str(path)
        mix = Mix.read(name)
        self.file.value = name
        self._on_load(mix)

    def save(self, path: str | Path | None = None) -> None:
        """Write the mix as it stands; to the file that is named here by default.

        Raises:
            ValueError: That is a folder.
            OSError: It cannot be written.
        """
        name = Path(self.file.value if path is None else path)
        if not name.name or name.is_dir():
            raise ValueError(f"{name}: a mix is a file, such as mix.yaml")
        if not name.parent.is_dir():
            raise FileNotFoundError(f"{name.parent}: no such folder to save the mix in")
        self._mix().write(name)

    def forget_asking(self) -> None:
        """Ask again before anything is replaced: what would be written is no longer what was asked about."""
        if self._asked is not None:
            label, pressed = self._asked
            pressed.description = label
        self._sure_of, self._asked = "", None

    def _press_load(self) -> None:
        with self._panel.telling():
            self._panel.say()
            self.load()
            self._panel.say(f"Loaded {self.file.value}.")

    def _press_save(self) -> None:
        with self._panel.telling():
            path = Path(self.file.value)
            if path.is_file() and not self._is_sure("save", self.save_button, f"{path} is there already"):
                return
            self.save()
            self._panel.say(f"Saved the mix as {path.absolute()}.")

    def _press_write(self, with_store: bool) -> None:
        with self._panel.telling():
            out, store = self.folder.value, self.store.value if with_store else None
            there = in_the_way(out, store)
            pressed = self.both_button if with_store else self.write_button
            if there and not self._is_sure(f"write {out} {store}", pressed, "; ".join(there)):
                return
            self._allow_writing(False)
            self._panel.say()
            mix = self._mix()
            self.work.start(
                f"Drawing {mix.total:,} frames", lambda report: self._write(mix, out, store, report),
                on_end=self._after_writing,
            )  # fmt: skip

    def _is_sure(self, what: str, pressed: W.Button, there: str) -> bool:
        """Whether the same was asked for twice; the first time says what would be replaced."""
        was_asked = self._sure_of == what
        self.forget_asking()
        if not was_asked:
            self._sure_of, self._asked = what, (pressed.description, pressed)
            pressed.description = _REPLACE
            self._panel.say(f"{there}: press again to replace it, or name another place.", "warning")
        return was_asked

    def _write(self, mix: Mix, out: str, store: str | None, report: Report) -> None:
        written = write_mix(self._catalog, mix, out, store, report)
        self._panel.say(written.words)

    def _after_writing(self, was_cancelled: bool) -> None:
        self._allow_writing(True)
        if was_cancelled:
            self._panel.say("Cancelled: nothing was written, and what was there is as it was.")

    def _tell_not_written(self, error: Exception) -> None:
        self._allow_writing(True)
        self._panel.tell(error)

    def _allow_writing(self, allowed: bool) -> None:
        for pressed in (self.write_button, self.both_button):
            pressed.disabled = not allowed


def _named(name: str, value: str | Path, title: str, width: int = 240) -> W.Text:
    made = W.Text(
        value=str(value), description=name, tooltip=title, continuous_update=False, layout={"width": f"{width}px"}
    )
    made.style.description_width = "44px"
    return made
