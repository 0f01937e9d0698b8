"""The audit's table: its orders, and numbers that lead somewhere."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import polars as pl
import pytest

from data_tools.auditing.definitions import DEFINITIONS
from data_tools.mix import Mix
from data_tools.scanning.sequence_flags import FLAGS
from handprior_viz.audit_report.dataset_rows import DatasetRow, dataset_rows
from handprior_viz.audit_report.definitions import definitions
from handprior_viz.audit_report.findings import findings
from handprior_viz.auditing.flags import flag_counts, flag_words
from handprior_viz.auditing.table import COLUMNS, audit_table, sorted_rows
from handprior_viz.auditing.view import AuditView, findings_markup, picked_markup
from tests.handprior_viz.made_up_audit import made_up_audit, with_row

NAMES = ["CMU", "GRAB", "talkshow", "arctic"]  # 1,000 to 4,000 frames; low, high, medium, high
TERMS = definitions(DEFINITIONS, Mix.default())


@pytest.fixture
def rows() -> list[DatasetRow]:
    audit = made_up_audit(NAMES)
    datasets = with_row(audit.datasets, "GRAB", energy=3.0, jitter_share=0.02)
    datasets = with_row(datasets, "CMU", energy=None)
    return dataset_rows(replace(audit, datasets=datasets))


def names(rows: list[DatasetRow]) -> list[str]:
    return [row.name for row in rows]


def test_the_fixed_order_is_by_tier_then_by_size(rows) -> None:
    assert names(sorted_rows(rows)) == ["arctic", "GRAB", "talkshow", "CMU"]


@pytest.mark.parametrize(
    ("by", "rising", "order"),
    [
        ("frames", False, ["arctic", "talkshow", "GRAB", "CMU"]),
        ("frames", True, ["CMU", "GRAB", "talkshow", "arctic"]),
        ("name", True, ["arctic", "CMU", "GRAB", "talkshow"]),
        ("jitter", False, ["GRAB", "arctic", "talkshow", "CMU"]),
    ],
)
def test_it_sorts_by_any_column_and_equal_ones_keep_their_order(rows, by: str, rising: bool, order: list[str]) -> None:
    assert names(sorted_rows(rows, by, rising)) == order


@pytest.mark.parametrize("rising", [True, False])
def test_what_was_not_measured_stands_last_either_way(rows, rising: bool) -> None:
    assert names(sorted_rows(rows, "energy", rising))[-1] == "CMU"


def test_a_column_that_is_not_there_is_named(rows) -> None:
    with pytest.raises(ValueError, match="cannot sort by 'beauty'"):
        sorted_rows(rows, "beauty")


def test_flags_are_counted_by_sequence() -> None:
    sequences = pl.DataFrame({"dataset": ["A", "A", "B"], "flags": [["jitter", "dead hands"], ["jitter"], []]})
    assert flag_counts(sequences) == {"A": Counter({"jitter": 2, "dead hands": 1})}


def test_every_number_and_flag_leads_to_sequences_of_its_dataset(rows) -> None:
    markup = audit_table(rows, {"GRAB": Counter({"jitter": 2, "NaN frames": 1})}, TERMS)
    anchor = next(row.anchor for row in rows if row.name == "GRAB")
    targets = re.findall(rf'data-event="see" data-target="{anchor} ([^"]+)"', markup)
    leading = [column.key for column in COLUMNS if not column.tab]
    assert sorted(targets) == sorted([*leading, "usable", "flag:jitter", "flag:NaN frames"])
    assert markup.count('data-event="tab" data-target="adds"') == len(rows)  # what is only here


def test_hovering_over_a_column_tells_how_it_was_measured_by_which_threshold_and_source(rows) -> None:
    titles = dict(re.findall(r'data-event="sort" data-target="(\w+)" title="([^"]+)"', audit_table(rows, {}, TERMS)))
    assert "0.03 rad" in titles["jitter"]
    assert "HOnnotate" in titles["limits"]
    assert "not frozen (1 s without motion" in titles["usable"]
    assert "across a gap" in titles["energy"]
    assert "k-means" in titles["adds"]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("", ["arctic", "GRAB", "talkshow", "CMU"]),
        ("gr", ["GRAB"]),
        ("HIGH", ["arctic", "GRAB"]),
        ("dead low", ["CMU"]),
    ],
)
def test_it_is_filtered_by_name_tier_and_flags(rows, words: str, left: list[str]) -> None:
    markup = audit_table(rows, {"CMU": Counter({"dead hands": 1})}, TERMS, words=words)
    assert re.findall(r'class="hp-audit-line" role="row" data-key="(\w+)"', markup) == left
    assert "No dataset has these words" in audit_table(rows, {}, TERMS, words=words + " nowhere")


def test_every_flag_is_explained() -> None:
    assert [flag for flag in FLAGS if flag_words(flag) == flag or "{" in flag_words(flag)] == []
    assert flag_words("dead left hand") == "no frame has a live left hand, but the other one lives"
    assert flag_words("of a later version") == "of a later version"


def test_more_flags_than_there_is_room_for_are_counted_and_the_gravest_shown(rows) -> None:
    flags = Counter({"mean left hand": 9, "copied hands": 1, "jitter": 1, "dead hands": 1, "NaN frames": 1})
    markup = audit_table(rows, {"GRAB": flags}, TERMS)
    assert ">all 5</button>" in markup
    assert "flag:dead hands" in markup
    assert "flag:mean left hand" not in markup


def test_picked_datasets_are_marked_for_eyes_and_screen_readers(rows) -> None:
    markup = audit_table(rows, {}, TERMS, picked=["GRAB"])
    checked = re.findall(r'aria-checked="true" data-event="pick" data-target="(\w+)"', markup)
    assert checked == [row.anchor for row in rows if row.name == "GRAB"]


def test_a_hostile_name_stays_text() -> None:
    evil = '<img src=x onerror="alert(1)">'
    rows = dataset_rows(made_up_audit([evil]))
    markup = audit_table(rows, {evil: Counter({evil: 1})}, TERMS)
    assert "<img" not in markup


def test_a_column_is_sorted_down_then_up_then_not_at_all() -> None:
    view = AuditView()
    seen = []
    for _ in range(3):
        view = view.sorted_by("energy")
        seen.append((view.by, view.rising))
    assert seen == [("energy", False), ("energy", True), ("", False)]


def test_picking_twice_leaves_it_again() -> None:
    view = AuditView().with_picked("A").with_picked("B").with_picked("A")
    assert view.picked == ("B",)


def test_what_is_picked_is_said_and_can_be_left_again() -> None:
    markup = picked_markup(AuditView(tab="adds", picked=("GRAB", "A & B")))
    assert "GRAB, A &amp; B" in markup
    assert 'data-event="all"' in markup
    assert "of all datasets" in picked_markup(AuditView())
    assert 'data-event="all"' not in picked_markup(AuditView())


def test_a_finding_about_a_dataset_leads_to_its_sequences(rows) -> None:
    found = findings(rows, pl.DataFrame(), [])
    markup = findings_markup(found, rows)
    anchor = next(row.anchor for row in rows if row.name == "GRAB")
    assert "GRAB: hands tremble" in markup
    assert f'data-target="{anchor} jitter"' in markup


def test_a_finding_about_limits_leads_to_the_worst_sequences(rows) -> None:
    odd = [replace(row, out_of_limit=0.9 if row.name == "GRAB" else 0.1, jitter=0.0) for row in rows]
    (found,) = findings(odd * 2, pl.DataFrame(), [])[:1]
    anchor = next(row.anchor for row in rows if row.name == "GRAB")
    assert f'data-target="{anchor} limits"' in findings_markup([found], rows)
