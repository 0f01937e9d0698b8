"""Motion that is there twice: pairs of sequences to compare by eye, each to be played (pure functions)."""

from __future__ import annotations

from html import escape

import polars as pl

from handprior_viz.audit_report.dataset_pairs import SHOWN_SEQUENCES, doubled_sequences
from handprior_viz.number_words import percent


def doubled_list(duplicates: pl.DataFrame, sequences: pl.DataFrame) -> str:
    """The longest pairs, most frames first, with a button for either sequence.

    Event: ``play`` (a sequence's row in the audit's table).

    Args:
        duplicates: :attr:`data_tools.dataset_audit.Audit.duplicates`.
        sequences: :attr:`data_tools.dataset_audit.Audit.sequences`.
    """
    if duplicates.is_empty():
        return '<div class="hp-empty">No motion is there twice.</div>'
    keys = {tuple(row): key for key, row in enumerate(sequences.select("dataset", "sequence").iter_rows())}
    ordered = duplicates.sort("frames", descending=True, nulls_last=True, maintain_order=True)
    ends = ordered.select("dataset_a", "sequence_a", "dataset_b", "sequence_b").iter_rows()
    lines = []
    for pair, (dataset_a, name_a, dataset_b, name_b) in zip(doubled_sequences(duplicates), ends, strict=False):
        apart = "" if pair.apart is None else f", {pair.apart:.1f}\N{DEGREE SIGN} apart"
        share = "" if pair.share is None else f", {percent(pair.share)} of the shorter"
        buttons = (_button(keys.get((dataset_a, name_a)), pair.a), _button(keys.get((dataset_b, name_b)), pair.b))
        cells = (*buttons, f"{escape(pair.kind)}: {pair.frames:,} frames{share}{apart}")
        line = "".join(f'<span role="cell">{cell}</span>' for cell in cells)
        lines.append(f'<div class="hp-audit-double" role="row">{line}</div>')
    rest = len(duplicates) - len(lines)
    more = f'<p class="hp-said">and {rest:,} more pairs</p>' if rest > 0 else ""
    many = "1 pair" if len(duplicates) == 1 else f"{len(duplicates):,} pairs"
    return (
        f'<p class="hp-audit-said">{many} of sequences that hold the same motion, the longest first (at most '
        f"{SHOWN_SEQUENCES} are shown): they weigh double, and one may be in training, the other in test.</p>"
        f'<div role="table" aria-label="Doubled motion">{"".join(lines)}</div>{more}'
    )


def _button(key: int | None, words: str) -> str:
    if key is None:
        return escape(words)
    return (
        f'<button data-event="play" data-target="{key}" title="Play {escape(words)}">'
        f"\N{BLACK RIGHT-POINTING TRIANGLE} {escape(words)}</button>"
    )
