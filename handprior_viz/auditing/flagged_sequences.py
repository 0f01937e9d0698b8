"""Which sequences stand behind a number or a flag of the audit, and what is wrong with each, in words (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from data_tools.scanning.dead_hands import SIDES
from data_tools.scanning.sequence_flags import MEAN_UNKNOWN
from handprior_viz.audit_report.dataset_rows import DatasetRow, degrees, energy_unit, joint_share, speed_words
from handprior_viz.auditing.flags import by_weight, flag_chip
from handprior_viz.auditing.sequence_clip import ClipPlace
from handprior_viz.number_words import percent

SHOWN = 30
"""Sequences that are listed before somebody asks for more."""

FLAG = "flag:"

_ORDERS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "frames": ("the longest first", "frames", ("frames",)),
    "usable": ("those with most dead frames first", "dead", ("frames", "usable_frames")),
    "energy": ("the fastest first", "energy", ("energy",)),
    "jitter": ("the most jittery first", "jittery", ("jitter", "jitter_share")),
    "limits": ("those with most joints beyond their limits first", "out_of_limit_share", ("out_of_limit_share",)),
}
_HEADS = (
    ("play", False, "Shows it below, at the frame where what is wrong begins"),
    ("sequence", False, "Its name; its file is said on hover"),
    ("frames", True, "How many, and how long they last"),
    ("dead", True, "Frames in which not both hands are live"),
    ("motion", True, "How fast the finger joints of live hands turn"),
    ("what is wrong with it", False, "What the scan and the audit found, and in how many frames"),
)
_KINDS = {
    "zero": "all zero",
    "mean": "the mean hand: nobody captured it",
    "frozen": "frozen",
    "invalid": "marked invalid by the source",
}


@dataclass(frozen=True)
class FoundSequence:
    """One sequence that a number or a flag led to.

    Attributes:
        key: Its row in the audit's table.
        place: Where its frames lie.
        dead: Share of its frames without two live hands, 0 to 1.
        energy: Degrees per second or frame; None where no hand is live.
        energy_unit: ``s`` or ``frame``.
        reasons: What is wrong with it, in words; empty if nothing is.
        faulty: Spans of frames of the file (start, stop) in which not both hands are live.
    """

    key: int
    place: ClipPlace
    dead: float
    energy: float | None
    energy_unit: str
    reasons: tuple[str, ...]
    faulty: tuple[tuple[int, int], ...]


def order_words(by: str) -> str:
    """Which sequences, in which order, in words.

    Raises:
        ValueError: Neither a flag nor a number that leads to sequences.
    """
    if by.startswith(FLAG):
        return f"with the flag \N{LEFT DOUBLE QUOTATION MARK}{by[len(FLAG) :]}\N{RIGHT DOUBLE QUOTATION MARK}"
    if by not in _ORDERS:
        raise ValueError(f"sequences are found by {', '.join(_ORDERS)} or {FLAG}NAME, not by {by!r}")
    return _ORDERS[by][0]


def find_sequences(sequences: pl.DataFrame, dataset: str, by: str) -> pl.DataFrame:
    """Rows of the audit's sequences that stand behind a number or a flag, those to look at first first.

    Args:
        sequences: :attr:`data_tools.dataset_audit.Audit.sequences`.
        dataset: Its name.
        by: ``frames``, ``usable``, ``energy``, ``jitter``, ``limits``, or ``flag:`` and a flag.

    Returns:
        The rows, with ``key``: their number in ``sequences``.
    """
    order_words(by)
    mine = sequences.with_row_index("key").filter(pl.col("dataset") == dataset)
    dead = 1 - pl.col("usable_frames") / pl.col("frames").clip(lower_bound=1)
    if by.startswith(FLAG):
        has = pl.col("flags").list.contains(by[len(FLAG) :])
        return mine.filter(has).sort(dead, "frames", descending=True, maintain_order=True)
    _, column, needed = _ORDERS[by]
    there = [name for name in needed if name in mine.columns]
    if not there:
        return mine
    if column == "jittery":
        given = "jitter_share" in mine.columns
        value = pl.col("jitter_share") if given else pl.col("jitter") / pl.col("frames").clip(lower_bound=1)
    else:
        value = dead if column == "dead" else pl.col(column)
    return mine.sort(value.fill_nan(None), descending=True, nulls_last=True, maintain_order=True)


def found_sequences(rows: pl.DataFrame, examples: pl.DataFrame, most: int = SHOWN) -> list[FoundSequence]:
    """Say of the first rows of :func:`find_sequences` where they lie and what is wrong with them.

    Args:
        rows: From :func:`find_sequences`.
        examples: :attr:`data_tools.dataset_audit.Audit.examples`: where a suspicious hand is known, playing begins.
        most: How many rows.
    """
    suspicious = examples.filter(pl.col("kind") == "suspicious").select("dataset", "sequence", "path", "frame")
    at = {tuple(row[:3]): row[3] for row in reversed(list(suspicious.iter_rows()))}
    return [_found(row, at) for row in rows.head(most).iter_rows(named=True)]


def _found(row: Mapping[str, Any], at: Mapping[tuple[str, ...], int]) -> FoundSequence:
    faulty = _gaps(row.get("usable_spans"), row["start"], row["stop"])
    first = at.get((row["dataset"], row["sequence"], row["path"]))
    if first is None or not row["start"] <= first < row["stop"]:
        first = faulty[0][0] if faulty else row["start"]
    place = ClipPlace(
        dataset=row["dataset"],
        name=row["sequence"],
        path=row["path"],
        format=row.get("format") or "",
        start=row["start"],
        stop=row["stop"],
        fps=row.get("fps"),
        hand_mean=row.get("hand_mean") or "unknown",
        at=first,
    )
    return FoundSequence(
        key=row["key"],
        place=place,
        dead=1 - row["usable_frames"] / max(row["frames"], 1),
        energy=degrees(row, "energy"),
        energy_unit=energy_unit(row),
        reasons=reasons(row),
        faulty=faulty,
    )


def _gaps(usable: Sequence[int] | None, start: int, stop: int) -> tuple[tuple[int, int], ...]:
    """What lies between spans, given as a flat list of starts and stops, ascending."""
    if usable is None:
        return ()
    edges = [start, *usable, stop]
    return tuple((low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high)


def reasons(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with a sequence, one reason each, in words; from the counts of the scan and the audit."""
    frames = max(row["frames"], 1)

    def of(count: int) -> str:
        return "in every frame" if count >= frames else f"in {count:,} of {frames:,} frames"

    said = []
    for kind, words in _KINDS.items():
        left, right = (row.get(f"{kind}_{side}") or 0 for side in SIDES)
        if kind == "frozen":  # what is the mean hand or zero throughout stands still too, and was told
            told = ("zero", "mean", "invalid")
            left, right = (
                0 if any((row.get(f"{k}_{side}") or 0) >= count for k in told) else count
                for side, count in zip(SIDES, (left, right), strict=True)
            )
        if left and left == right:
            said.append(f"both hands {words} {of(left)}")
        else:
            said += [f"{s} hand {words} {of(n)}" for s, n in zip(SIDES, (left, right), strict=True) if n]
    for column, words in (
        ("copied", "one hand copied onto the other"),
        ("nan", "not a number"),
        ("jitter", "a hand jumps and comes straight back"),
        ("beyond_pi", "joints turned by more than half a turn"),
    ):
        if count := row.get(column) or 0:
            said.append(f"{words} {of(count)}")
    if (share := joint_share(row, "out_of_limit")) and not said:
        said.append(f"{percent(share)} of its joints beyond their limits")
    flags = row.get("flags") or ()
    if MEAN_UNKNOWN in flags:
        said.append("nobody says whether the mean hand is inside")
    if "frame rate unknown" in flags:
        said.append("frame rate unknown")
    return tuple(said)


def sequence_list(
    row: DatasetRow, by: str, found: Sequence[FoundSequence], in_all: int, counts: Counter[str], playing: int | None
) -> str:
    """The sequences behind a number or a flag, as a list to play from.

    Events: ``play`` (a sequence's key), ``more``, and ``see`` as in the table.

    Args:
        row: The dataset.
        by: What led here.
        found: Those that are shown.
        in_all: How many there are.
        counts: How many sequences of the dataset have each flag.
        playing: Key of the one that is played.
    """
    many = "1 sequence" if in_all == 1 else f"{in_all:,} sequences"
    chips = "".join(flag_chip(row, flag, count, by == FLAG + flag) for flag, count in by_weight(counts))
    header = "".join(
        f'<span role="columnheader"{" class=hp-number" if is_number else ""} title="{title}">{head}</span>'
        for head, is_number, title in _HEADS
    )
    lines = "".join(_sequence_line(one, one.key == playing) for one in found)
    rest = in_all - len(found)
    more = f'<button data-event="more">{min(rest, SHOWN)} more of {rest:,}</button>' if rest > 0 else ""
    flags = f'<div class="hp-audit-flags">{chips}</div>' if chips else ""
    return (
        f'<p class="hp-audit-said">{many} of <b>{escape(row.name)}</b>, {escape(order_words(by))}</p>{flags}'
        '<div class="hp-audit-scroll"><div class="hp-audit-sequences" role="table" '
        f'aria-label="Sequences of {escape(row.name)}"><div class="hp-audit-sequence hp-head" role="row">{header}</div>'
        f"{lines}</div>{more}</div>"
    )


def _sequence_line(one: FoundSequence, is_playing: bool) -> str:
    place = one.place
    seconds = f", {(place.stop - place.start) / place.fps:,.1f} s" if place.fps else ""
    speed = "\N{EN DASH}" if one.energy is None else speed_words(one.energy, one.energy_unit)
    said = "; ".join(one.reasons) or "nothing"
    name = escape(place.name)
    short = escape(place.name.removeprefix(place.dataset)) or name  # numbered sequences say their dataset once more
    where = f"{name}, frames {place.start:,} to {place.stop:,} of {escape(place.path)}"
    return (
        f'<div class="hp-audit-sequence{" hp-picked" if is_playing else ""}" role="row" data-key="s{one.key}">'
        f'<span role="cell"><button data-event="play" data-target="{one.key}" title="Play {name}" '
        f'aria-label="Play {name}">\N{BLACK RIGHT-POINTING TRIANGLE}</button></span>'
        f'<span role="cell" title="{where}">{short}</span>'
        f'<span role="cell" class="hp-number">{place.stop - place.start:,}{seconds}</span>'
        f'<span role="cell" class="hp-number">{percent(one.dead)}</span>'
        f'<span role="cell" class="hp-number">{speed}</span>'
        f'<span role="cell" class="{"" if one.reasons else "hp-muted"}" title="{escape(said)}">{escape(said)}'
        "</span></div>"
    )
