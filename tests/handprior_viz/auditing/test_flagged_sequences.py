"""Sequences behind a number or a flag, and what is wrong with them in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest

from handprior_viz.audit_report.dataset_rows import dataset_rows
from handprior_viz.auditing.flagged_sequences import (
    find_sequences,
    found_sequences,
    order_words,
    reasons,
    sequence_list,
)
from tests.handprior_viz.made_up_audit import example, made_up_audit


def sequence(name: str, **changes: Any) -> dict[str, Any]:
    """A healthy sequence of frames 100 to 200."""
    return {
        "dataset": "GRAB", "sequence": name, "path": "GRAB.npz", "format": "consolidated", "start": 100, "stop": 200,
        "frames": 100, "fps": 30.0, "hand_mean": "incl", "usable_frames": 100, "usable_spans": [100, 200],
        "jitter": 0, "nan": 0, "copied": 0, "beyond_pi": 0, "frozen_left": 0, "frozen_right": 0, "zero_left": 0,
        "zero_right": 0, "mean_left": 0, "mean_right": 0, "invalid_left": 0, "invalid_right": 0,
        "energy": 1.0, "energy_unit": "rad/s", "out_of_limit_share": 0.1, "flags": [],
    } | changes  # fmt: skip


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema_overrides={"flags": pl.List(pl.String), "usable_spans": pl.List(pl.Int64)})


@pytest.fixture
def sequences() -> pl.DataFrame:
    return table(
        sequence("calm", energy=0.5, jitter=9),
        sequence("long", stop=600, frames=500, usable_frames=500, usable_spans=[100, 600]),
        sequence("dead", usable_frames=0, usable_spans=[], energy=None, flags=["dead hands"]),
        sequence("fast", energy=4.0, flags=["jitter"], out_of_limit_share=0.4),
        sequence("elsewhere", dataset="CMU"),
    )


@pytest.mark.parametrize(
    ("by", "first"),
    [("frames", "long"), ("usable", "dead"), ("energy", "fast"), ("jitter", "calm"), ("limits", "fast")],
)
def test_a_number_leads_to_the_sequences_that_explain_it(sequences, by: str, first: str) -> None:
    found = find_sequences(sequences, "GRAB", by)
    assert found["sequence"][0] == first
    assert len(found) == 4


def test_sequences_that_were_not_measured_stand_last(sequences) -> None:
    assert find_sequences(sequences, "GRAB", "energy")["sequence"][-1] == "dead"


def test_a_flag_leads_to_those_that_have_it(sequences) -> None:
    assert find_sequences(sequences, "GRAB", "flag:jitter")["sequence"].to_list() == ["fast"]


def test_a_key_names_the_row_in_the_audit(sequences) -> None:
    found = find_sequences(sequences, "GRAB", "energy")
    assert sequences["sequence"][found["key"][0]] == "fast"


def test_what_leads_nowhere_is_refused(sequences) -> None:
    with pytest.raises(ValueError, match="not by 'beauty'"):
        find_sequences(sequences, "GRAB", "beauty")
    with pytest.raises(ValueError, match="not by 'beauty'"):
        order_words("beauty")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ()),
        ({"zero_left": 100}, ("left hand all zero in every frame",)),
        ({"frozen_left": 20, "frozen_right": 20}, ("both hands frozen in 20 of 100 frames",)),
        ({"frozen_left": 20, "frozen_right": 5},
         ("left hand frozen in 20 of 100 frames", "right hand frozen in 5 of 100 frames")),
        ({"mean_right": 100, "frozen_right": 100},
         ("right hand the mean hand: nobody captured it in every frame",)),
        ({"jitter": 7}, ("a hand jumps and comes straight back in 7 of 100 frames",)),
        ({"nan": 2, "copied": 3},
         ("one hand copied onto the other in 3 of 100 frames", "not a number in 2 of 100 frames")),
        ({"flags": ["mean hand unknown", "frame rate unknown"]},
         ("nobody says whether the mean hand is inside", "frame rate unknown")),
    ],
)  # fmt: skip
def test_reasons_are_words(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    assert reasons(sequence("x", out_of_limit_share=0.0, **changes)) == words


def test_faulty_frames_are_what_lies_between_usable_spans() -> None:
    rows = table(sequence("x", usable_frames=60, usable_spans=[110, 150, 180, 200]))
    (one,) = found_sequences(find_sequences(rows, "GRAB", "usable"), made_up_audit(["GRAB"]).examples)
    assert one.faulty == ((100, 110), (150, 180))
    assert one.dead == pytest.approx(0.4)
    assert one.place.at == 100


def test_playing_begins_where_the_audit_found_the_worst_hand() -> None:
    audit = made_up_audit(["GRAB"])
    worst = example("GRAB", "suspicious", sequence="x", path="GRAB.npz", frame=177)
    examples = pl.DataFrame([worst], schema=audit.examples.schema)
    (one,) = found_sequences(find_sequences(table(sequence("x")), "GRAB", "frames"), examples)
    assert one.place.at == 177


def test_the_list_says_how_many_there_are_and_offers_the_rest(sequences) -> None:
    row = dataset_rows(made_up_audit(["GRAB"]))[0]
    rows = find_sequences(sequences, "GRAB", "usable")
    found = found_sequences(rows, made_up_audit(["GRAB"]).examples, most=3)
    markup = sequence_list(row, "usable", found, len(rows), Counter({"jitter": 1}), found[0].key)
    assert "4 sequences of" in markup
    assert "1 more of 1" in markup
    assert markup.count('data-event="play"') == 3
    assert 'flag:jitter"' in markup


def test_a_numbered_sequence_does_not_say_its_dataset_again() -> None:
    audit = made_up_audit(["GRAB"])
    rows = find_sequences(table(sequence("GRAB#000001"), sequence("s1/mug")), "GRAB", "frames")
    found = found_sequences(rows, audit.examples)
    markup = sequence_list(dataset_rows(audit)[0], "frames", found, 2, Counter(), None)
    assert ">#000001</span>" in markup
    assert 'title="GRAB#000001, frames ' in markup
    assert ">s1/mug</span>" in markup


def test_an_audit_without_the_scans_columns_still_lists() -> None:
    audit = made_up_audit(["GRAB"])
    rows = find_sequences(audit.sequences, "GRAB", "jitter")
    assert len(found_sequences(rows, audit.examples)) == 4
