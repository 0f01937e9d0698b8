"""Scores of runs side by side: what their cards know at once, everything else on request, and the table as files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

import ipywidgets as W

from data_tools.store import PoseStore
from handprior_viz.comparing.runs import ComparedRun
from handprior_viz.comparing.tables import card_table, score_tables
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import EXPECTED, button, column, row, set_enabled
from handprior_viz.score_page import ScoreFiles, check_page_name, write_scores
from training.reference_poses import ScoredFrames
from training.score_table import ScoreTable, compare

QUICK = ScoredFrames(
    at_most=2_000, samples=5_000, overlap=2_000, nearest=200, known=5_000, spread=200, reconstructed=500, decoded=200
)
DEPTHS = {"quick look": QUICK, "as published": ScoredFrames()}
"""How many frames and poses are scored, by what it is called."""

_SCORE = "Score the ticked runs on held-out frames and on what they draw, beside real poses; in the background"
_NO_TABLE = "Score the runs first: the files hold that table"


class Cancelled(Exception):
    """Somebody asked for an end."""


class ScoreSection:
    """The table of scores, with what makes it and what writes it.

    Args:
        store: Whose held-out frames are scored.
        tell: Is given errors that nobody expects; the others are told in the section itself.
        out: Where the table is written if no other place is typed.

    Attributes:
        widget: What to show.
        table: The scores; None until the runs have been scored.
    """

    def __init__(self, store: PoseStore, *, tell: Callable[[Exception], object], out: Path) -> None:
        self._store, self._tell = store, tell
        self._chosen: Sequence[ComparedRun] = ()
        self._scored: tuple[str, ...] = ()
        self.table: ScoreTable | None = None
        self._cancelled = threading.Event()
        self._build(out)
        self._scoring = LatestWins(self._score, on_error=self._failed, name="compare-score")
        self._writing = LatestWins(self._write, on_error=self._failed, name="compare-write")

    def use(self, chosen: Sequence[ComparedRun]) -> None:
        """Show these runs."""
        self._chosen = chosen
        self._show()

    def score(self) -> None:
        """Score the runs that are shown; returns at once."""
        self._cancelled.clear()
        self._progress.markup = _progress("Reading the held-out frames …", 0.0)
        set_enabled(self._start, False, _SCORE, "Scoring is under way")
        self._cancel.layout.display = None
        self._scoring.submit((tuple(self._chosen), DEPTHS[self._depth.value]))

    def cancel(self) -> None:
        """End scoring behind the run that is being scored."""
        self._cancelled.set()
        self._progress.markup = _progress("Ends when the present run is scored …", None)

    def export(self, out: Path | str | None = None) -> None:
        """Write the table as a page, as CSV and as LaTeX beside it; returns at once, the paths are said.

        Raises:
            ValueError: Nothing has been scored yet, or not a page's name.
        """
        if self.table is None:
            raise ValueError(_NO_TABLE)
        self._writing.submit((self.table, check_page_name(out or self._place.value)))

    def settle(self, timeout: float) -> bool:
        """Wait until what was asked for is done."""
        return self._scoring.settle(timeout) and self._writing.settle(timeout)

    def close(self) -> None:
        """End the threads."""
        self._cancelled.set()
        self._scoring.close()
        self._writing.close()

    def _build(self, out: Path) -> None:
        self._markup, self._progress = LiveMarkup(), LiveMarkup()
        self._start = button("Score on held-out frames", _SCORE, self.score, main=True)
        self._depth = W.Dropdown(
            options=list(DEPTHS),
            tooltip="Quick look: 2,000 frames, 5,000 drawn poses. As published: 20,000 and 50,000, which takes longer",
            layout={"width": "140px"},
        )
        self._cancel = button("Cancel", "End behind the run that is being scored", self.cancel)
        self._cancel.layout.display = "none"
        self._place = W.Text(
            value=str(out),
            description="table as",
            tooltip="Where the page goes; the same as CSV and LaTeX beside it",
            layout={"flex": "1 1 260px", "width": "auto"},
        )
        self._export = button("Export table", _NO_TABLE, self._on_export)
        set_enabled(self._export, False, "", _NO_TABLE)
        tools = row(self._start, self._depth, self._cancel, self._place, self._export)
        self.widget = column(LiveMarkup(_HEADING), self._markup, self._progress, tools)

    def _score(self, asked: tuple[tuple[ComparedRun, ...], ScoredFrames]) -> None:
        runs, settings = asked
        titles = {str(run.run.path): run.title for run in runs}

        def progress(done: int, many: int, what: str) -> None:
            if self._cancelled.is_set():
                raise Cancelled
            said = titles.get(what, what)
            self._progress.markup = _progress(f"Scoring {said}, {min(done + 1, many)} of {many}", done / (many + 1))

        said = ""
        try:
            paths = [run.run.path for run in runs]
            self.table = compare(paths, self._store, settings=_split(settings, self._store), progress=progress)
            self._scored = tuple(run.name for run in runs)
            set_enabled(self._export, True, "Write the table as a page, as CSV and as LaTeX", _NO_TABLE)
        except Cancelled:
            said = _progress("Scoring was cancelled; nothing of it is shown.", None)
        finally:
            self._progress.markup = said
            self._cancel.layout.display = "none"
            set_enabled(self._start, True, _SCORE, "")
            self._show()

    def _write(self, asked: tuple[ScoreTable, Path]) -> None:
        self._progress.markup = _progress("Drawing the hands for the page …", None)
        self._progress.markup = _progress(files_words(write_scores(*asked)), None)

    def _on_export(self) -> None:
        try:
            self.export()
        except ValueError as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, EXPECTED):
            text = " ".join(str(error).split())
            self._progress.markup = f'<p class="hp-error" role="alert">{escape(text)}</p>'
        else:
            self._tell(error)

    def _show(self) -> None:
        markup = card_table(self._chosen)
        if self.table is not None:
            markup += score_tables(self.table, self._chosen)
            if set(self._scored) != {run.name for run in self._chosen}:
                markup += '<p class="hp-warning">Other runs are ticked than were scored: score again.</p>'
        self._markup.markup = markup


_HEADING = (
    '<p class="hp-compare-heading">Scores <span class="hp-muted">hover over a heading to read what it means</span></p>'
)


def _split(settings: ScoredFrames, store: PoseStore) -> ScoredFrames:
    """On the test split; on val where there is no test."""
    held_out = "test" if "test" in store.splits and len(store.split("test")) else "val"
    return replace(settings, split=held_out)


def files_words(files: ScoreFiles) -> str:
    """Where the table went."""
    return f"Written: {files.page.absolute()}, and beside it {files.csv.name} and {files.latex.name}."


def _progress(words: str, share: float | None) -> str:
    bar = "" if share is None else f'<progress value="{share:.3f}" max="1"></progress> '
    return f'<p class="hp-said" role="status">{bar}{escape(words)}</p>'
