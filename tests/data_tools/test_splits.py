"""Splits do not leak: whole sequences, whole people, guard gaps, and no dataset moves another's sequences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools import scan, splits
from data_tools.catalog import Catalog
from data_tools.mixing.dealing import GUARD_FRAMES
from data_tools.splits import Availability, availability

MakeCatalog = Callable[..., Catalog]
SPLITS = {"train": 0.8, "val": 0.1, "test": 0.1}
LENGTHS = st.lists(st.integers(1, 3000), min_size=1, max_size=40)
CORPORA = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), LENGTHS, min_size=1)


def pieces(catalog: Catalog, stock: Availability) -> pl.DataFrame:
    """Where each split may draw: dataset, sequence, split, start, stop."""
    spans = stock.spans
    return pl.DataFrame(
        {
            "dataset": [stock.datasets[index] for index in spans[:, 0]],
            "split": [stock.splits[index] for index in spans[:, 1]],
            "sequence": catalog.sequences["sequence"].gather(spans[:, 2]),
            "start": spans[:, 3],
            "stop": spans[:, 4],
        }
    )


@given(CORPORA)
def test_no_frame_is_in_two_splits_and_none_is_made_up(make_catalog: MakeCatalog, corpus: dict[str, list[int]]) -> None:
    catalog = make_catalog(corpus)
    for name, part in pieces(catalog, availability(catalog, SPLITS)).partition_by("dataset", as_dict=True).items():
        seen = np.zeros(sum(corpus[str(name[0])]), int)
        for row in part.iter_rows(named=True):
            seen[row["start"] : row["stop"]] += 1
        assert seen.max() <= 1


@given(CORPORA)
def test_sequences_are_whole_or_stand_apart(make_catalog: MakeCatalog, corpus: dict[str, list[int]]) -> None:
    catalog = make_catalog(corpus)
    stock = availability(catalog, SPLITS)
    found = pieces(catalog, stock).sort("dataset", "start")
    for _, part in found.partition_by("dataset", "sequence", as_dict=True).items():
        if part["split"].n_unique() > 1:
            assert stock.rules[stock.datasets.index(part["dataset"][0])] == "block"
            gaps = part["start"][1:].to_numpy() - part["stop"][:-1].to_numpy()
            changes = part["split"][1:].to_numpy() != part["split"][:-1].to_numpy()
            assert (gaps[changes] >= GUARD_FRAMES).all()


@given(CORPORA)
def test_recordings_are_cut_only_where_whole_ones_cannot_do(
    make_catalog: MakeCatalog, corpus: dict[str, list[int]]
) -> None:
    stock = availability(make_catalog(corpus), SPLITS)
    for name, rule in zip(stock.datasets, stock.rules, strict=True):
        lengths = np.array(corpus[name])
        if len(lengths) >= 20 and lengths.max() <= 0.05 * lengths.sum():
            assert rule == "sequence"


@given(CORPORA, LENGTHS)
def test_another_dataset_moves_nothing(
    make_catalog: MakeCatalog, corpus: dict[str, list[int]], more: list[int]
) -> None:
    small, large = make_catalog(corpus), make_catalog({**corpus, "another": more})
    before = pieces(small, availability(small, SPLITS))
    after = pieces(large, availability(large, SPLITS)).filter(pl.col("dataset") != "another")
    assert before.equals(after)


@given(st.lists(st.tuples(st.integers(1, 500), st.sampled_from("abcdef")), min_size=3, max_size=60))
def test_people_stay_together(make_catalog: MakeCatalog, clips: list[tuple[int, str]]) -> None:
    lengths, people = [length for length, _ in clips], [person for _, person in clips]
    catalog = make_catalog({"KIT": lengths}, {"KIT": people})
    stock = availability(catalog, SPLITS)
    if len(set(people)) < 3:
        assert stock.rules != ("subject",)
        return
    assert stock.rules == ("subject",)
    subjects = dict(catalog.sequences.select("sequence", "subject").iter_rows())
    found = pieces(catalog, stock).with_columns(subject=pl.col("sequence").replace_strict(subjects))
    assert found.group_by("subject").agg(pl.col("split").n_unique())["split"].max() == 1
    assert found["split"].n_unique() == 3


@given(st.lists(st.integers(20, 400), min_size=60, max_size=200))
def test_shares_are_met_where_there_are_many_sequences(make_catalog: MakeCatalog, lengths: list[int]) -> None:
    stock = availability(make_catalog({"a": lengths}), SPLITS)
    got = stock.capacity[0] / sum(lengths)
    assert np.abs(got - [0.8, 0.1, 0.1]).max() <= max(lengths) / sum(lengths)


def test_three_recordings_are_dealt_whole(make_catalog: MakeCatalog) -> None:
    stock = availability(make_catalog({"a": [900, 900, 900]}), SPLITS)
    assert stock.rules == ("sequence",)
    assert stock.capacity.tolist() == [[900, 900, 900]]


@pytest.mark.parametrize(("fps", "guard"), [(None, 30), (120.0, 120), (29.97, 30)])
def test_one_long_recording_is_cut_with_a_gap_of_a_second(
    make_catalog: MakeCatalog, fps: float | None, guard: int
) -> None:
    catalog = make_catalog({"a": [100_000]}, fps=fps)
    stock = availability(catalog, SPLITS)
    found = pieces(catalog, stock).sort("start")
    gaps = found["start"][1:].to_numpy() - found["stop"][:-1].to_numpy()
    assert (gaps == guard).all()
    np.testing.assert_allclose(stock.capacity[0] / stock.capacity[0].sum(), [0.8, 0.1, 0.1], atol=1e-3)
    assert 100_000 - stock.capacity.sum() == gaps.sum() <= 0.05 * 100_000


def test_a_recording_too_short_to_cut_stays_in_train(make_catalog: MakeCatalog) -> None:
    stock = availability(make_catalog({"a": [50]}), SPLITS)
    assert stock.rules == ("single",)
    assert stock.capacity.tolist() == [[50, 0, 0]]


def test_a_dataset_without_usable_frames(make_catalog: MakeCatalog) -> None:
    stock = availability(make_catalog({"a": [50] * 9, "b": [50] * 9}, dead=("b",)), SPLITS)
    assert stock.rules[1] == "none"
    assert stock.capacity[1].tolist() == [0, 0, 0]


def test_equal_sequences_share_a_split(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog({"a": [100] * 60})
    same = pl.when(pl.int_range(pl.len()) % 20 == 7).then(pl.lit("f" * 24)).otherwise("content_hash")
    doubled = Catalog(catalog.sequences.with_columns(content_hash=same), (), "data")
    twins = doubled.sequences.filter(content_hash="f" * 24)["sequence"].to_list()
    found = pieces(doubled, availability(doubled, SPLITS)).filter(pl.col("sequence").is_in(twins))
    assert len(found) == 3
    assert found["split"].n_unique() == 1


def test_copies_of_a_cut_recording_are_cut_alike(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog({"a": [5000, 5000]})
    copies = Catalog(catalog.sequences.with_columns(content_hash=pl.lit("f" * 24)), (), "data")
    stock = availability(copies, SPLITS)
    assert stock.rules == ("block",)
    where: dict[int, set[str]] = {}
    for row in pieces(copies, stock).iter_rows(named=True):
        for frame in range(row["start"], row["stop"]):
            where.setdefault(frame % 5000, set()).add(row["split"])
    assert {len(splits) for splits in where.values()} == {1}


def test_a_second_scan_knows_the_splits_and_another_question_is_asked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was worked out for the same data, splits and flags comes back the same, to the last value."""
    data, cache, rng = tmp_path / "data", tmp_path / "scans.sqlite", np.random.default_rng(0)
    data.mkdir()
    for name in ("GRAB", "speech"):
        waves = 0.3 * np.sin(np.arange(900)[:, None] / 9 + rng.uniform(0, 6, 90)) + np.repeat(
            rng.normal(0, 1, (3, 90)), 300, 0
        )
        np.savez(data / f"{name}.npz", lhand_pose=waves[:, :45], rhand_pose=waves[:, 45:])
    worked_out = []
    real = splits._availability
    monkeypatch.setattr(splits, "_availability", lambda *given: (worked_out.append(given), real(*given))[1])

    def ask(shares: dict[str, float] = SPLITS, flags: tuple[str, ...] = ()) -> splits.Availability:
        return splits.availability(scan(data, cache=cache), shares, flags)

    first, second = ask(), ask()
    assert len(worked_out) == 1
    for name, value in vars(first).items():
        np.testing.assert_equal(vars(second)[name], value, err_msg=name)
        assert type(vars(second)[name]) is type(value)
    ask({"train": 0.5, "test": 0.5})
    ask(flags=("frame rate unknown",))
    assert len(worked_out) == 3
    np.savez(data / "CMU.npz", lhand_pose=waves[:300, 45:], rhand_pose=waves[:300, :45])
    assert ask().datasets == ("CMU", "GRAB", "speech")
