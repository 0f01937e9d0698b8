"""What was found in the sequences of a dataset: flags, what each means, chips that lead to them (pure functions)."""

from __future__ import annotations

from collections import Counter
from html import escape

import polars as pl

from data_tools.scanning.dead_hands import FROZEN_FRAMES, FROZEN_SECONDS
from data_tools.scanning.sequence_flags import DEAD, FLAGS, JITTER_FRAMES, MEAN_UNKNOWN
from handprior_viz.audit_report.dataset_rows import DatasetRow
from handprior_viz.number_words import short_count

_FROZEN = f"for {FROZEN_SECONDS:g} s or more, or {FROZEN_FRAMES} frames where no file says the frame rate"
_WORDS = {
    DEAD: "no frame has a live hand",
    "NaN frames": "some values are no finite numbers",
    "copied hands": "in some frames one hand is a copy of the other",
    "jitter": f"a hand jumps far and straight back in {JITTER_FRAMES} frames or more",
    "angles beyond pi": "some joints are given as more than half a turn; they are brought back",
    MEAN_UNKNOWN: "nobody says whether the mean hand is inside the values",
    "frame rate unknown": "no file says it; speeds are per frame",
    "dead": "no frame has a live {hand}, but the other one lives",
    "constant": "the {hand} has one pose throughout",
    "frozen": f"the {{hand}} stands still {_FROZEN}",
    "zero": "in some frames all values of the {hand} are zero",
    "mean": "in some frames the {hand} is the model's mean hand: nobody captured it",
    "invalid": "in some frames the source marks the {hand} as invalid",
}


def flag_words(flag: str) -> str:
    """What a flag means, in words; the flag itself if it is not one of the scan's."""
    kind, _, hand = flag.partition(" ")
    return _WORDS[flag] if flag in _WORDS else _WORDS[kind].format(hand=hand) if flag in FLAGS else flag


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


def by_weight(flags: Counter[str]) -> list[tuple[str, int]]:
    """Flags with their counts, those that say most first: the scan lists them in that order."""
    places = {flag: place for place, flag in enumerate(FLAGS)}
    return sorted(flags.items(), key=lambda item: (places.get(item[0], len(places)), item[0]))


def flag_chip(row: DatasetRow, flag: str, count: int, is_on: bool = False) -> str:
    """A flag that leads to the sequences that have it. Event: ``see`` (``anchor flag:NAME``)."""
    many = "1 sequence" if count == 1 else f"{count:,} sequences"
    title = f"{many} of {row.name}: {flag_words(flag)}; click to see them"
    return (
        f'<button class="hp-audit-chip{" hp-on" if is_on else ""}" data-event="see" '
        f'data-target="{row.anchor} flag:{escape(flag)}" title="{escape(title)}">{escape(flag)} '
        f"<b>{short_count(count)}</b></button>"
    )
