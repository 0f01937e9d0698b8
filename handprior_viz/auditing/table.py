"""The audit's table of datasets: sorted, picked, and with numbers that lead to their sequences (pure functions)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

from data_tools.scanning.sequence_flags import FLAGS
from handprior_viz.audit_report.dataset_rows import DatasetRow
from handprior_viz.balancing.table import percent, short_count

FLAGS_SHOWN = 3
"""Flags of a dataset that its line has room for; the list of its sequences has all of them."""

FAR_FROM_LIVE = 0.05
"""A smaller share of usable frames than this is marked."""


@dataclass(frozen=True)
class Column:
    """One number of every dataset.

    Attributes:
        key: Identity; also what its numbers lead to, see :mod:`.flagged_sequences`.
        title: Above it.
        words: What it means, on hover.
        value: Of a dataset; None where it could not be measured.
        text: As it is shown.
        leads: What clicking a number shows, in words; empty where there is nothing to show.
    """

    key: str
    title: str
    words: str
    value: Callable[[DatasetRow], float | None]
    text: Callable[[float, DatasetRow], str]
    leads: str = ""


COLUMNS = (
    Column(
        "frames", "frames", "frames on disk", lambda row: row.frames, lambda value, _: short_count(int(value)),
        "the longest first",
    ),
    Column(
        "usable", "live hands", "frames in which both hands are live: moving, finite, not the mean hand, not copied",
        lambda row: row.usable, lambda value, _: percent(value), "those with most dead frames first",
    ),
    Column(
        "energy", "motion", "motion energy: how fast the finger joints of live hands turn, degrees per second "
        "(per frame where no file says the frame rate)", lambda row: row.energy,
        lambda value, row: f"{value:.0f}\N{DEGREE SIGN}/{row.energy_unit[0]}", "the fastest first",
    ),
    Column(
        "jitter", "jitter", "frames in which a hand jumps far and straight back, of all frames",
        lambda row: row.jitter, lambda value, _: percent(value), "the most jittery first",
    ),
    Column(
        "limits", "beyond limits", "joints that bend further than published limits, of all live joints: compare "
        "datasets by it", lambda row: row.out_of_limit, lambda value, _: percent(value),
        "those with most joints beyond their limits first",
    ),
    Column(
        "adds", "only here", "kinds of poses that no other dataset shows, of all kinds", lambda row: row.only_here,
        lambda value, _: percent(value),
    ),
)  # fmt: skip
"""The numbers, in the order of the table."""

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


def flag_counts(sequences: pl.DataFrame) -> dict[str, Counter[str]]:
    """How many sequences of each dataset have each flag, by dataset."""
    counted = (
        sequences.select("dataset", "flags").explode("flags", empty_as_null=True).drop_nulls()
        .group_by("dataset", "flags").agg(pl.len().alias("sequences"))
    )  # fmt: skip
    found: dict[str, Counter[str]] = {}
    for dataset, flag, count in counted.sort("dataset", "sequences", "flags").iter_rows():
        found.setdefault(dataset, Counter())[flag] = count
    return found


def audit_table(
    rows: Sequence[DatasetRow],
    counts: Mapping[str, Counter[str]],
    *,
    picked: Collection[str] = (),
    by: str = "",
    rising: bool = False,
) -> str:
    """The table.

    Events: ``pick`` (a dataset's anchor), ``sort`` (a column), ``see`` (``anchor what``: a column's key, or
    ``flag:`` and the flag).

    Args:
        rows: In the fixed order.
        counts: From :func:`flag_counts`.
        picked: Names of datasets.
        by: Column to sort by; empty for the fixed order.
        rising: Smallest first.
    """
    lines = [_header(by, rising)]
    tier = None
    for row in sorted_rows(rows, by, rising):
        if not by and row.tier != tier:
            tier = row.tier
            lines.append(_tier_line(row, [other for other in rows if other.tier == tier]))
        lines.append(_line(row, counts.get(row.name, Counter()), row.name in picked))
    return f'<div class="hp-audit-table" role="table" aria-label="Datasets">{"".join(lines)}</div>'


def _header(by: str, rising: bool) -> str:
    titles = [("name", "dataset", "its name"), *((c.key, c.title, c.words) for c in COLUMNS)]
    titles.append(("flags", "flags", "what was found in its sequences, and in how many"))
    cells = []
    for key, title, words in titles:
        order = ("ascending" if rising else "descending") if key == by else "none"
        arrow = ("\N{BLACK UP-POINTING SMALL TRIANGLE}" if rising else "\N{BLACK DOWN-POINTING SMALL TRIANGLE}") * (
            key == by
        )
        kind = "" if key in ("name", "flags") else ' class="hp-number"'
        cells.append(
            f'<span role="columnheader" aria-sort="{order}"{kind}><button data-event="sort" data-target="{key}" '
            f'title="{escape(words)}; click to sort by it, again to turn round, a third time for the fixed order">'
            f"{title}{arrow}</button></span>"
        )
    return f'<div class="hp-audit-line hp-head" role="row">{"".join(cells)}</div>'


def _tier_line(row: DatasetRow, rows: Sequence[DatasetRow]) -> str:
    frames = sum(other.frames for other in rows)
    many = "1 dataset" if len(rows) == 1 else f"{len(rows)} datasets"
    return (
        f'<div class="hp-tier" role="row" data-key="tier {escape(row.tier)}"><i style="background:{row.tier_colour}">'
        f"</i><b>{escape(row.tier)}</b> {many}, {short_count(frames)} frames</div>"
    )


def _line(row: DatasetRow, flags: Counter[str], is_picked: bool) -> str:
    cells = "".join(_number(column, row) for column in COLUMNS)
    name = escape(row.name)
    return (
        f'<div class="hp-audit-line{" hp-picked" if is_picked else ""}" role="row" data-key="{name}">'
        f'<span role="cell"><button class="hp-audit-pick" role="checkbox" aria-checked="{str(is_picked).lower()}" '
        f'data-event="pick" data-target="{row.anchor}" title="{name}, {escape(row.tier)}: {escape(row.verdict)}">'
        f'<i style="--hp-own:{row.colour}"></i>{name}</button></span>{cells}'
        f'<span role="cell" class="hp-audit-flags">{_chips(row, flags)}</span></div>'
    )


def _number(column: Column, row: DatasetRow) -> str:
    value = column.value(row)
    if value is None:
        return (
            '<span role="cell" class="hp-number hp-muted" title="nothing to measure: no live hand">\N{EN DASH}</span>'
        )
    text = column.text(value, row)
    low = " hp-low" if column.key == "usable" and value < FAR_FROM_LIVE else ""
    if not column.leads:
        return f'<span role="cell" class="hp-number">{text}</span>'
    title = f"{text} {column.title}; click for the sequences of {row.name}, {column.leads}"
    return (
        f'<span role="cell" class="hp-number"><button class="hp-audit-number{low}" data-event="see" '
        f'data-target="{row.anchor} {column.key}" title="{escape(title)}">{text}</button></span>'
    )


def _chips(row: DatasetRow, flags: Counter[str]) -> str:
    ordered = by_weight(flags)
    shown = "".join(flag_chip(row, flag, count) for flag, count in ordered[:FLAGS_SHOWN])
    if len(ordered) < 2:
        return shown
    names = ", ".join(flag for flag, _ in ordered)
    return (
        f'{shown}<button class="hp-audit-chip" data-event="see" data-target="{row.anchor} usable" '
        f'title="{escape(names)}">all {len(ordered)}</button>'
    )


def by_weight(flags: Counter[str]) -> list[tuple[str, int]]:
    """Flags with their counts, those that say most first: the scan lists them in that order."""
    places = {flag: place for place, flag in enumerate(FLAGS)}
    return sorted(flags.items(), key=lambda item: (places.get(item[0], len(places)), item[0]))


def flag_chip(row: DatasetRow, flag: str, count: int, is_on: bool = False) -> str:
    """A flag that leads to the sequences that have it."""
    many = "1 sequence" if count == 1 else f"{count:,} sequences"
    return (
        f'<button class="hp-audit-chip{" hp-on" if is_on else ""}" data-event="see" '
        f'data-target="{row.anchor} flag:{escape(flag)}" title="{many} of {escape(row.name)}: {escape(flag)}; '
        f'click to see them">{escape(flag)} <b>{short_count(count)}</b></button>'
    )
