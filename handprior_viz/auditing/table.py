"""The audit's table of datasets: sorted, picked, and with numbers that lead to their sequences (pure functions)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from handprior_viz.audit_report.dataset_rows import DatasetRow, speed_words
from handprior_viz.auditing.flags import by_weight, flag_chip
from handprior_viz.number_words import percent, short_count

FLAGS_SHOWN = 3
"""Flags of a dataset that its line shows at most; the list of its sequences has all of them."""

FAR_FROM_LIVE = 0.05
"""A smaller share of usable frames than this is marked."""


@dataclass(frozen=True)
class Column:
    """One number of every dataset.

    Attributes:
        key: Identity; also what its numbers lead to, see :mod:`.flagged_sequences`.
        title: Above it.
        unit: Below the title.
        terms: Of :func:`.definitions`: what it is and how it was measured, on hover.
        value: Of a dataset; None where it could not be measured.
        text: As it is shown.
        leads: What clicking a number shows, in words.
        tab: The tab that shows it; the list of sequences if empty.
    """

    key: str
    title: str
    unit: str
    terms: tuple[str, ...]
    value: Callable[[DatasetRow], float | None]
    text: Callable[[float, DatasetRow], str]
    leads: str
    tab: str = ""


COLUMNS = (
    Column(
        "frames", "frames", "on disk", ("Frames",), lambda row: row.frames, lambda value, _: short_count(int(value)),
        "the longest first",
    ),
    Column(
        "usable", "live hands", "of frames", ("Usable frame", "Live hand"), lambda row: row.usable,
        lambda value, _: percent(value), "those with most dead frames first",
    ),
    Column(
        "energy", "motion", "degrees", ("Motion",), lambda row: row.energy,
        lambda value, row: speed_words(value, row.energy_unit), "the fastest first",
    ),
    Column(
        "jitter", "jitter", "of frames", ("Jitter",), lambda row: row.jitter, lambda value, _: percent(value),
        "the most jittery first",
    ),
    Column(
        "limits", "beyond limits", "of joints", ("Out of limits",), lambda row: row.out_of_limit,
        lambda value, _: percent(value), "those with most joints beyond their limits first",
    ),
    Column(
        "adds", "only here", "of poses", ("Only here",), lambda row: row.only_here, lambda value, _: percent(value),
        "beside what the others add", "adds",
    ),
)  # fmt: skip
"""The numbers, in the order of the table."""

_DOWN = "\N{BLACK DOWN-POINTING SMALL TRIANGLE}"
_SORTING = "Click to sort by it, again to turn round, a third time for the fixed order."
_SEARCH = (
    '<input type="search" data-event="filter" value="{}" placeholder="filter" aria-label="Filter the datasets" '
    'title="Show only datasets with these words in their name, tier or flags">'
)
_BY_KEY = {column.key: column for column in COLUMNS}


def sorted_rows(rows: Sequence[DatasetRow], by: str = "", rising: bool = False) -> list[DatasetRow]:
    """Datasets in another order; those without the number stand last, and equal ones stay in the fixed order.

    Args:
        rows: In the fixed order: by tier, then by size.
        by: A column's key, ``name`` or ``flags``; empty for the fixed order.
        rising: Smallest first.

    Raises:
        ValueError: No such column.
    """
    if not by:
        return list(rows)
    if by == "name":
        return sorted(rows, key=lambda row: row.name.lower(), reverse=not rising)
    if by == "flags":
        return sorted(rows, key=lambda row: len(row.flags) if rising else -len(row.flags))
    if by not in _BY_KEY:
        raise ValueError(f"cannot sort by {by!r}; the columns are name, flags, {', '.join(_BY_KEY)}")
    value = _BY_KEY[by].value
    known = [row for row in rows if value(row) is not None]
    sign = 1 if rising else -1
    return sorted(known, key=lambda row: sign * (value(row) or 0)) + [row for row in rows if value(row) is None]


def audit_table(
    rows: Sequence[DatasetRow],
    counts: Mapping[str, Counter[str]],
    terms: Mapping[str, str],
    *,
    picked: Collection[str] = (),
    by: str = "",
    rising: bool = False,
    words: str = "",
) -> str:
    """The table.

    Events: ``pick`` (a dataset's anchor), ``sort`` (a column), ``filter`` (its value: words), ``see`` (``anchor what``:
    a column's key, or ``flag:`` and the flag), ``tab`` (its key).

    Args:
        rows: In the fixed order.
        counts: From :func:`.flag_counts`.
        terms: From :func:`.definitions`: how each number was measured.
        picked: Names of datasets.
        by: Column to sort by; empty for the fixed order.
        rising: Smallest first.
        words: Only datasets are shown in whose name, tier or flags all of these are found.
    """
    lines = [_header(terms, by, rising, words)]
    rows = [row for row in rows if _has(row, counts.get(row.name, ()), words)]
    if not rows:
        lines.append('<div class="hp-empty">No dataset has these words in its name, tier or flags.</div>')
    tier = None
    for row in sorted_rows(rows, by, rising):
        if not by and row.tier != tier:
            tier = row.tier
            lines.append(_tier_line(row, [other for other in rows if other.tier == tier]))
        lines.append(_line(row, counts.get(row.name, Counter()), row.name in picked))
    return f'<div class="hp-audit-table" role="table" aria-label="Datasets">{"".join(lines)}</div>'


def _has(row: DatasetRow, flags: Iterable[str], words: str) -> bool:
    text = " ".join((row.name, row.tier, *flags)).lower()
    return all(word in text for word in words.lower().split())


def _header(terms: Mapping[str, str], by: str, rising: bool, words: str) -> str:
    titles = [
        ("name", "dataset", "", "Its name"),
        ("flags", "flags", "", "What was found in its sequences, in how many"),
    ]
    titles[1:1] = [(c.key, c.title, c.unit, " ".join(terms[term] for term in c.terms)) for c in COLUMNS]
    cells = []
    for key, title, unit, meaning in titles:
        order = ("ascending" if rising else "descending") if key == by else "none"
        arrow = "" if key != by else "\N{BLACK UP-POINTING SMALL TRIANGLE}" if rising else _DOWN
        kind = ' class="hp-number"' if unit else ""
        search = "" if key != "name" else _SEARCH.format(escape(words))
        cells.append(
            f'<span role="columnheader" aria-sort="{order}"{kind}><button data-event="sort" data-target="{key}" '
            f'title="{escape(meaning.rstrip("."))}.\n{_SORTING}">{title}{arrow}<small>{unit}</small></button>{search}</span>'
        )
    return f'<div class="hp-audit-line hp-head" role="row">{"".join(cells)}</div>'


def _tier_line(row: DatasetRow, rows: Sequence[DatasetRow]) -> str:
    frames = sum(other.frames for other in rows)
    many = "1 dataset" if len(rows) == 1 else f"{len(rows)} datasets"
    return (
        f'<div role="row" data-key="tier {escape(row.tier)}"><span class="hp-tier" role="rowheader">'
        f'<i style="background:{row.tier_colour}"></i><b>{escape(row.tier)}</b> {many}, {short_count(frames)} frames'
        "</span></div>"
    )


def _line(row: DatasetRow, flags: Counter[str], is_picked: bool) -> str:
    cells = "".join(_number(column, row) for column in COLUMNS)
    name = escape(row.name)
    return (
        f'<div class="hp-audit-line{" hp-picked" if is_picked else ""}" role="row" data-key="{name}">'
        f'<span role="cell"><button class="hp-audit-pick" role="checkbox" aria-checked="{str(is_picked).lower()}" '
        f'data-event="pick" data-target="{row.anchor}" title="{name}, {escape(row.tier)}: {escape(row.verdict)}">'
        f'<i style="--hp-own:{row.colour}"></i>{name}</button></span>{cells}'
        f'<span role="cell" class="hp-audit-found">{_chips(row, flags)}</span></div>'
    )


def _number(column: Column, row: DatasetRow) -> str:
    value = column.value(row)
    if value is None:
        return (
            '<span role="cell" class="hp-number hp-muted" title="nothing to measure: no live hand">\N{EN DASH}</span>'
        )
    text = column.text(value, row)
    low = " hp-low" if column.key == "usable" and value < FAR_FROM_LIVE else ""
    title = f"{column.title} of {row.name}: {text} {column.unit}; click to see "
    title += column.leads if column.tab else f"its sequences, {column.leads}"
    event, target = ("tab", column.tab) if column.tab else ("see", f"{row.anchor} {column.key}")
    return (
        f'<span role="cell" class="hp-number"><button class="hp-audit-number{low}" data-event="{event}" '
        f'data-target="{target}" title="{escape(title)}">{text}</button></span>'
    )


def _chips(row: DatasetRow, flags: Counter[str]) -> str:
    """The gravest flags, as many as fit in a line, and what leads to all of them."""
    ordered = by_weight(flags)
    shown = "".join(flag_chip(row, flag, count) for flag, count in ordered[:FLAGS_SHOWN])
    if len(ordered) < 2:
        return f"<span>{shown}</span>"
    names = ", ".join(flag for flag, _ in ordered)
    return (
        f'<span>{shown}</span><button class="hp-audit-chip" data-event="see" data-target="{row.anchor} usable" '
        f'title="{escape(names)}; click for the sequences">all {len(ordered)}</button>'
    )
