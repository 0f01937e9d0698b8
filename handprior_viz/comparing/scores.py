"""Scores of runs side by side: what their cards know at once, everything else on request, and the table as files.

A table that was made before is shown again as long as it holds (:mod:`.kept_scores`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

import ipywidgets as W

from data_tools.store import PoseStore
from handprior_viz.comparing import kept_scores
from handprior_viz.comparing.runs import ComparedRun
from handprior_viz.comparing.tables import card_table, score_tables
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.long_work import LongWork, Report
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
_FOUND = '<p class="hp-said">Scored before: nothing that these numbers come from has changed since.</p>'
_NO_TABLE = "Score the runs first: the files hold that table"


class ScoreSection:
    """The table of scores, with what makes it and what writes it.

    Args:
        store: Whose held-out frames are scored.
        tell: Is given errors that nobody expects; the others are told in the section itself.
        out: Where the table is written if no other place is typed.

    Attributes:
        widget: What to show.
        table: The scores; None until the runs have been scored, or scores of them were found.
    """

    def __init__(self, store: PoseStore, *, tell: Callable[[Exception], object], out: Path) -> None:
        self._store, self._tell = store, tell
        self._chosen: Sequence[ComparedRun] = ()
        self._scored: tuple[str, ...] = ()
        self._about = ""
        self._adopting = threading.Lock()  # two threads come by tables
        self.table: ScoreTable | None = None
        self._work = LongWork(self._failed)
        self._build(out)
        self._finding = LatestWins(self._find, on_error=self._failed, name="compare-find")
        self._writing = LatestWins(self._write, on_error=self._failed, name="compare-write")

    def use(self, chosen: Sequence[ComparedRun]) -> None:
        """Show these runs, and scores of them that were made before."""
        self._chosen = chosen
        self._show()
        self._finding.submit(tuple(chosen))

    def score(self) -> None:
        """Score the runs that are shown; returns at once.

        Raises:
            RuntimeError: Scoring is under way.
        """
        if self._work.running:
            raise RuntimeError("these runs are being scored: wait for the end, or cancel it")
        runs, settings = tuple(self._chosen), _split(DEPTHS[self._depth.value], self._store)
        set_enabled(self._start, False, _SCORE, "Scoring is under way")
        self._said.markup = ""
        self._work.start("Scoring", lambda report: self._score(runs, settings, report), on_end=self._ended)

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
        return all(work.settle(timeout) for work in (self._finding, self._work, self._writing))

    def close(self) -> None:
        """End the threads."""
        for work in (self._work, self._finding, self._writing):
            work.close()

    def _build(self, out: Path) -> None:
        self._markup, self._said = LiveMarkup(), LiveMarkup()
        self._start = button("Score on held-out frames", _SCORE, self.score, main=True)
        self._depth = W.Dropdown(
            options=list(DEPTHS),
            tooltip="Quick look: 2,000 frames, 5,000 drawn poses. As published: 20,000 and 50,000, which takes longer",
            description="scoring",
            layout={"width": "200px"},
            style={"description_width": "initial"},
        )
        self._place = W.Text(
            value=str(out),
            description="table as",
            tooltip="Where the page goes; the same as CSV and LaTeX beside it",
            layout={"flex": "1 1 260px", "width": "auto"},
        )
        self._export = button("Export table", _NO_TABLE, self._on_export)
        set_enabled(self._export, False, "", _NO_TABLE)
        tools = row(self._start, self._depth, self._place, self._export)
        self.widget = column(LiveMarkup(_HEADING), self._markup, self._work.widget, self._said, tools)

    def _score(self, runs: tuple[ComparedRun, ...], settings: ScoredFrames, report: Report) -> None:
        titles = {str(run.run.path): f"{run.title}, {k} of {len(runs)}" for k, run in enumerate(runs, start=1)}

        def progress(done: int, total: int, what: str) -> None:
            run, colon, part = what.rpartition(": ")
            report(done, total, titles.get(run, run) + colon + part)

        key = self._key(runs, settings)
        table = compare([run.run.path for run in runs], self._store, settings=settings, progress=progress)
        if self._key(runs, settings) == key:  # none of them has kept a better prior meanwhile
            kept_scores.keep(_place_of(runs), key, table)
        self._adopt(table, runs)

    def _ended(self, cancelled: bool) -> None:
        if cancelled:
            self._said.markup = _said("Scoring was cancelled; nothing of it is shown.")
        set_enabled(self._start, True, _SCORE, "")
        self._show()

    def _find(self, runs: tuple[ComparedRun, ...]) -> None:
        """Scores of these runs that were made before, the more thorough ones first."""
        if not kept_scores.any_in(_place_of(runs)):
            return
        names = tuple(run.name for run in runs)
        for settings in reversed(DEPTHS.values()):
            settings = _split(settings, self._store)
            table = kept_scores.find(_place_of(runs), self._key(runs, settings))
            if table is not None and names == tuple(run.name for run in self._chosen) and names != self._scored:
                self._adopt(table, runs, said=_FOUND)
                self._show()
                return

    def _key(self, runs: Sequence[ComparedRun], settings: ScoredFrames) -> str:
        return kept_scores.key_of([run.run for run in runs], self._store.hash, settings)

    def _adopt(self, table: ScoreTable, runs: Sequence[ComparedRun], said: str = "") -> None:
        with self._adopting:
            self.table, self._scored, self._about = table, tuple(run.name for run in runs), said
        set_enabled(self._export, True, "Write the table as a page, as CSV and as LaTeX", _NO_TABLE)

    def _write(self, asked: tuple[ScoreTable, Path]) -> None:
        self._said.markup = _said("Drawing the hands for the page …")
        self._said.markup = _said(files_words(write_scores(*asked)))

    def _on_export(self) -> None:
        try:
            self.export()
        except ValueError as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, EXPECTED):
            text = " ".join(str(error).split())
            self._said.markup = f'<p class="hp-error" role="alert">{escape(text)}</p>'
        else:
            self._tell(error)

    def _show(self) -> None:
        markup = card_table(self._chosen)
        if self.table is not None:
            markup += score_tables(self.table, self._chosen) + self._about
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


def _place_of(runs: Sequence[ComparedRun]) -> Path:
    """The folder in which these runs' scores are kept."""
    return runs[0].run.path.parent


def files_words(files: ScoreFiles) -> str:
    """Where the table went."""
    return f"Written: {files.page.absolute()}, and beside it {files.csv.name} and {files.latex.name}."


def _said(words: str) -> str:
    return f'<p class="hp-said" role="status">{escape(words)}</p>'
