"""The audit panel: what can be trusted in each dataset, in numbers that lead to the sequences behind them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from data_tools.catalog import Catalog
from data_tools.dataset_audit import Audit
from data_tools.hand_model import HandModel
from data_tools.mix import Mix
from handprior_viz.angle_menus import AngleMenus
from handprior_viz.audit_report.dataset_rows import DatasetRow, dataset_rows
from handprior_viz.audit_report.definitions import definitions
from handprior_viz.audit_report.findings import findings
from handprior_viz.audit_report.summary import files_set_aside
from handprior_viz.auditing.audit_source import Source, audit_of, check_source
from handprior_viz.auditing.dataset_looks import HandSheet, additions, angle_violins, distances_picture, hand_sheet
from handprior_viz.auditing.distance_view import DistanceView
from handprior_viz.auditing.doubled_list import doubled_list
from handprior_viz.auditing.flagged_sequences import (
    SHOWN,
    find_sequences,
    found_sequences,
    order_words,
    sequence_list,
)
from handprior_viz.auditing.flags import flag_counts
from handprior_viz.auditing.sequence_player import SequencePlayer
from handprior_viz.auditing.table import audit_table
from handprior_viz.auditing.view import PLAYED_IN, TABS, AuditView, audit_sentence, findings_markup, picked_markup
from handprior_viz.hand_grid import HandGrid
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.long_work import LongWork, Report
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import Panel, column, row
from handprior_viz.tab_strip import TabStrip


class AuditPanel(Panel):
    """The datasets side by side: a table to sort and pick from, their hands, angles and distances, their sequences.

    Example:
        >>> AuditPanel("data")                                          # doctest: +SKIP
        >>> AuditPanel(audit(scan("data")))                             # doctest: +SKIP

    Args:
        data: A folder of motion files, which is audited in the background; what :func:`data_tools.scan` or
            :func:`data_tools.audit` returned; or the folder of tables that an audit was written to.
        mix: Sorts datasets into tiers, or a mix.yaml; the project's own if not given.
        model: Draws the hands; the user's licensed model if there is one, else the open hand.

    Raises:
        FileNotFoundError: No such folder.
    """

    def __init__(
        self,
        data: Source,
        mix: Mix | str | Path | None = None,
        *,
        model: HandModel | None = None,
    ) -> None:
        check_source(data)
        self._mix = Mix.default() if mix is None else mix if isinstance(mix, Mix) else Mix.read(mix)
        super().__init__()
        self.audit: Audit | None = None
        self._model = model
        self._data = data
        self._view = AuditView()
        self._rows: list[DatasetRow] = []
        self._sheet: HandSheet | None = None
        self._grid: HandGrid | None = None
        self._player: SequencePlayer | None = None
        self._build()
        self._work = LongWork(self.tell)
        self._showing = LatestWins(self._show, on_error=self.tell, name="audit-show")
        self.ends_with(self._showing, self._work)
        self.arrange(self._sentence, self._work.widget, self._findings, self._scrolled, self._below)
        self._begin()

    def pick(self, *names: str) -> None:
        """Pick these datasets in place of those that were picked; none stands for all.

        Raises:
            ValueError: No such dataset.
        """
        known = {row.name for row in self._rows}
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"no dataset {unknown[0]!r} in this audit; there are {', '.join(sorted(known))}")
        self._change(replace(self._view, picked=names))

    def show_tab(self, tab: str) -> None:
        """Open ``hands``, ``odd``, ``angles``, ``distances``, ``adds``, ``doubles`` or ``sequences``.

        Raises:
            ValueError: No such tab.
        """
        if tab not in TABS:
            raise ValueError(f"no tab {tab!r}; there are {', '.join(TABS)}")
        self._change(replace(self._view, tab=tab))

    def see(self, dataset: str, by: str = "usable") -> None:
        """List the sequences of a dataset behind a number or a flag, see :func:`.find_sequences`.

        Raises:
            ValueError: No such dataset, number or flag.
        """
        order_words(by)
        if dataset not in {row.name for row in self._rows}:
            raise ValueError(f"no dataset {dataset!r} in this audit")
        self._change(self._view.seeing(dataset, by))

    def play(self, key: int) -> None:
        """Show a sequence, to be played; ``key`` is its row in :attr:`.Audit.sequences`.

        Raises:
            ValueError: No such sequence.
        """
        found = self.audit
        if found is None or self._player is None or not 0 <= key < len(found.sequences):
            raise ValueError(f"no sequence number {key} in this audit")
        row = found.sequences.with_row_index("key").slice(key, 1)
        self._player.open(found_sequences(row, found.examples)[0])
        self._change(replace(self._view, playing=key))

    def close(self) -> None:
        """Take the panel away: an audit under way is cancelled, threads end, and no widget stays in memory."""
        if not self.closed:
            self._work.close()  # before what they make is looked for
            self._showing.close()
        super().close()

    def settle(self, timeout: float = 120.0) -> bool:
        """Wait until the audit is there and what was asked for is shown."""
        return (
            self._work.settle(timeout)
            and self._showing.settle(timeout)
            and all(part.settle(timeout) for part in (self._grid, self._player) if part is not None)
        )

    # --- the parts

    def _build(self) -> None:
        self._sentence, self._findings = LiveMarkup(), LiveMarkup(on_event=self._on_event)
        self._table = LiveMarkup(on_event=self._on_event)
        self._scrolled = column(self._table, classes=["hp-scroll"])
        self._scrolled.layout.max_height = "440px"
        self._tabs = TabStrip(TABS, on_open=lambda tab: self._on_event("tab", tab, None))
        self._picked, self._shown = LiveMarkup(on_event=self._on_event), LiveMarkup(on_event=self._on_event)
        self._angles = AngleMenus(lambda _: self._change(self._view))
        self._hands, self._far = column(classes=["hp-audit-hands"]), DistanceView()
        self._sides = row(self._shown, classes=["hp-audit-sides"])  # and what is played, beside its list
        tabs = row(self._tabs, self._picked, classes=["hp-tabbed"])
        self._below = column(tabs, self._angles.widget, self._hands, self._far, self._sides)
        for part in (self._scrolled, self._angles.widget, self._below):
            part.layout.display = "none"

    # --- the audit

    def _begin(self) -> None:
        if isinstance(self._data, Audit):
            self._use(self._data)
            return
        what = "the catalog" if isinstance(self._data, Catalog) else str(self._data)
        self._sentence.markup = f'<p class="hp-sentence">Audit of {escape(what)}</p>'
        self._start()

    def _start(self) -> None:
        self._findings.markup = ""
        self._work.start("Looking at what is there", self._audit, on_end=self._after)

    def _audit(self, report: Report) -> None:
        self._use(audit_of(self._data, report))

    def _after(self, was_cancelled: bool) -> None:
        if self.audit is None:
            state = "cancelled: nothing was audited" if was_cancelled else "nothing to show"
            button = '<button data-event="again" title="Audit the same data">Audit again</button>'
            self._findings.markup = f'<div class="hp-empty">{state} {button}</div>'

    def _use(self, found: Audit) -> None:
        self.audit = found
        self._rows = dataset_rows(found, self._mix)
        self._counts, self._terms = flag_counts(found.sequences), definitions(found.definitions, self._mix)
        aside = files_set_aside(found, ())
        self._sentence.markup = audit_sentence(self._rows, found)
        self._findings.markup = findings_markup(findings(self._rows, found.duplicates, aside), self._rows)
        self._player = SequencePlayer(
            found.root, found.hands_mean, model=self._model, synthetic=found.synthetic, on_error=self.tell
        )
        self.ends_with(self._player)
        self._sides.children = (self._shown, self._player.widget)
        self._scrolled.layout.display = self._below.layout.display = ""
        self._showing.submit(self._view)

    # --- what a person does

    def _on_event(self, event: str, target: str, value: Any) -> None:
        with self.telling():
            self.say()
            if event == "sort":
                self._change(self._view.sorted_by(target))
            elif event == "filter":
                self._change(replace(self._view, words=str(value)))
            elif event == "pick":
                self._change(self._view.with_picked(self._name(target)))
            elif event == "see":
                anchor, by = target.split(" ", 1)
                self._change(self._view.seeing(self._name(anchor), by))
            elif event == "tab":
                self.show_tab(target)
            elif event == "all":
                self._change(replace(self._view, picked=()))
            elif event == "more":
                self._change(replace(self._view, listed=self._view.listed + SHOWN))
            elif event == "play":
                self.play(int(target))
            elif event == "again" and not self._work.running:
                self._start()

    def _name(self, anchor: str) -> str:
        return next(row.name for row in self._rows if row.anchor == anchor)

    def _on_hand(self, index: int) -> None:
        """A hand was clicked: play its sequence from its frame."""
        sheet, found = self._sheet, self.audit
        if sheet is None or found is None or self._player is None or not 0 <= index < len(sheet.rows):
            return
        example = found.examples.row(sheet.rows[index], named=True)
        mine = find_sequences(found.sequences, example["dataset"], "frames")
        mine = mine.filter((mine["path"] == example["path"]) & (mine["sequence"] == example["sequence"]))
        for one in found_sequences(mine, found.examples, most=1):
            self._view = replace(self._view, playing=one.key)  # marked when its list is shown next
            self._player.open(replace(one, place=replace(one.place, at=example["frame"])))

    def _change(self, view: AuditView) -> None:
        self._view = view
        self._tabs.chosen = view.tab
        self._showing.submit(view)

    # --- what is shown

    def _show(self, view: AuditView) -> None:
        found = self.audit
        if found is None:
            return
        self._table.markup = audit_table(
            self._rows, self._counts, self._terms,
            picked=view.picked, by=view.by, rising=view.rising, words=view.words,
        )  # fmt: skip
        self._picked.markup = picked_markup(view)
        picked = [row for row in self._rows if row.name in view.picked] or self._rows
        _display(self._angles.widget, view.tab == "angles")
        _display(self._hands, view.tab in ("hands", "odd"))
        _display(self._far, view.tab == "distances")
        if self._player is not None:
            _display(self._player.widget, self._view.playing is not None and view.tab in PLAYED_IN)
        if view.tab in ("hands", "odd"):
            self._shown.markup = self._show_hands(found, picked, "typical" if view.tab == "hands" else "suspicious")
        elif view.tab == "angles":
            self._shown.markup = angle_violins(found.histograms, picked, self._angles.angle)
        elif view.tab == "distances":
            self._far.show(distances_picture(found.distances, picked if len(picked) > 1 else self._rows))
            self._shown.markup = ""
        elif view.tab == "adds":
            self._shown.markup = additions(self._rows, self._terms, view.picked)
        elif view.tab == "doubles":
            self._shown.markup = doubled_list(found.duplicates, found.sequences)
        else:
            self._shown.markup = self._list_sequences(found, view)

    def _show_hands(self, found: Audit, picked: list[DatasetRow], kind: str) -> str:
        self._sheet = sheet = hand_sheet(found.examples, picked, kind)
        if self._grid is None and len(sheet.poses):
            self._grid = HandGrid(
                self._model, columns=6, cell=(160, 124), on_click=self._on_hand, synthetic=found.synthetic,
                action="Click to play its sequence from here",
            )  # fmt: skip
            self.ends_with(self._grid)
            self._hands.children = (self._grid,)
        if self._grid is not None:
            self._grid.show(sheet.poses, sheet.titles, sheet.colours)
        if not len(sheet.poses):
            none = "no live hand" if kind == "typical" else "nothing suspicious"
            return f'<div class="hp-empty">There is {none} in the picked datasets.</div>'
        return f'<p class="hp-said">and {sheet.left_out:,} more: pick fewer datasets.</p>' if sheet.left_out else ""

    def _list_sequences(self, found: Audit, view: AuditView) -> str:
        name = view.dataset or (view.picked[-1] if view.picked else self._rows[0].name)
        mine = next(row for row in self._rows if row.name == name)
        rows = find_sequences(found.sequences, name, view.seen_by)
        listed = found_sequences(rows, found.examples, view.listed)
        return sequence_list(mine, view.seen_by, listed, len(rows), self._counts.get(name, Counter()), view.playing)


def _display(widget: Any, shown: bool) -> None:
    display = "" if shown else "none"
    if widget.layout.display != display:
        widget.layout.display = display
