"""What of an audit is looked at, and the lines around it (pure functions)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from html import escape

from data_tools.dataset_audit import Audit
from handprior_viz.audit_report.dataset_rows import DatasetRow
from handprior_viz.audit_report.findings import Finding
from handprior_viz.auditing.flagged_sequences import SHOWN
from handprior_viz.number_words import short_count

TABS = {
    "hands": ("Hands", "typical hands of the picked datasets"),
    "odd": ("Suspicious hands", "the hands of the picked datasets that most want a look, and why"),
    "angles": ("Joint angles", "how one joint angle is spread in each dataset"),
    "distances": ("Distances", "how far the datasets lie apart"),
    "adds": ("What each adds", "the poses that each dataset adds to the others"),
    "doubles": ("Doubled motion", "pairs of sequences that hold the same motion"),
    "sequences": ("Sequences", "the sequences behind a number or a flag, to be played"),
}
"""The tabs: what is written on each, and what it shows."""

PLAYED_IN = ("hands", "odd", "doubles", "sequences")
"""Tabs from which a sequence is played."""


@dataclass(frozen=True)
class AuditView:
    """What of an audit is looked at.

    Attributes:
        by: Column that the table is sorted by; empty for the fixed order.
        rising: Smallest first.
        words: The table shows datasets in which all of these are found.
        picked: Names of datasets, in the order in which they were picked; none stands for all.
        tab: A key of :data:`TABS`.
        dataset: Whose sequences are listed.
        seen_by: The number or flag that led to them.
        listed: How many of them.
        playing: Key of the sequence that is played.
    """

    by: str = ""
    rising: bool = False
    words: str = ""
    picked: tuple[str, ...] = ()
    tab: str = "hands"
    dataset: str = ""
    seen_by: str = "usable"
    listed: int = SHOWN
    playing: int | None = None

    def sorted_by(self, column: str) -> AuditView:
        """Sort by a column: largest first, then smallest first, then the fixed order again."""
        if column != self.by:
            return replace(self, by=column, rising=column == "name")
        turned = self.rising != (column == "name")
        return replace(self, by="", rising=False) if turned else replace(self, rising=not self.rising)

    def with_picked(self, name: str) -> AuditView:
        """Pick a dataset, or leave it again; what is shown of it stays the same."""
        without = tuple(other for other in self.picked if other != name)
        return replace(self, picked=without if name in self.picked else (*self.picked, name))

    def seeing(self, dataset: str, by: str) -> AuditView:
        """Look at the sequences behind a number or a flag."""
        return replace(self, tab="sequences", dataset=dataset, seen_by=by, listed=SHOWN)


def audit_sentence(rows: Sequence[DatasetRow], found: Audit) -> str:
    """The panel's first line: what was audited."""
    frames, usable = sum(row.frames for row in rows), sum(row.usable_frames for row in rows)
    made_up = " \N{MIDDLE DOT} synthetic data" if found.synthetic else ""
    return (
        f'<p class="hp-sentence">Audit: what can be trusted in {len(rows)} datasets <small>{short_count(frames)} '
        f"frames, {short_count(usable)} with two live hands, in {len(found.sequences):,} sequences{made_up} "
        "\N{MIDDLE DOT} pick datasets to compare them; click a number or a flag to see its sequences</small></p>"
    )


def findings_markup(found: Sequence[Finding], rows: Sequence[DatasetRow]) -> str:
    """What matters most, with what to do about it; what a finding is about is one click away."""
    anchors = {row.anchor for row in rows}
    lines = []
    for finding in found:
        lines.append(
            f'<li class="hp-finding-{finding.kind}"><b>{escape(finding.what)}.</b> {escape(finding.why)} '
            f'<span class="hp-muted">{escape(finding.todo)}</span>{_show_button(finding, anchors)}</li>'
        )
    return f'<ul class="hp-audit-findings">{"".join(lines)}</ul>'


def _show_button(finding: Finding, anchors: Collection[str]) -> str:
    """What leads from a finding to what it is about; empty where that is not in the panel."""
    if finding.by and finding.anchor in anchors:
        event, target, words = "see", f"{finding.anchor} {finding.by}", "List its sequences, the worst first"
    elif finding.anchor == "duplicates":
        event, target, words = "tab", "doubles", "List the pairs of sequences"
    elif finding.anchor == "datasets" and finding.kind != "note":
        event, target, words = "sort", "usable", "Sort the datasets by their live hands"
    else:
        return ""
    return f' <button data-event="{event}" data-target="{target}" title="{words}">show</button>'


def picked_markup(view: AuditView) -> str:
    """Of which datasets the tabs show something, and how to see all again. Event: ``all``."""
    if not view.picked:
        return '<span class="hp-muted">of all datasets; pick some above</span>'
    names = escape(", ".join(view.picked))
    return (
        f'<span class="hp-audit-picked"><span title="{names}">{names}</span> '
        '<button data-event="all" title="Pick none: show all datasets">all</button></span>'
    )
