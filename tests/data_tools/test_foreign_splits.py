"""Splits that others wrote are read as they are, and refused in one line where they name what is not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_tools import balance
from data_tools.catalog import Catalog
from data_tools.foreign_splits import sample_names
from data_tools.mix import Mix
from data_tools.selection import Selection

MakeCatalog = Callable[..., Catalog]


@pytest.fixture
def catalog(make_catalog: MakeCatalog) -> Catalog:
    return make_catalog({"GRAB": [100] * 4, "CMU": [50] * 3}, dead=("CMU",))


def write(folder: Path, **splits: Any) -> Path:
    for split, samples in splits.items():
        text = samples if isinstance(samples, str) else json.dumps(samples)
        (folder / f"{split}_samples.json").write_text(text)
    return folder


def test_frames_come_with_their_sequences(catalog: Catalog, tmp_path: Path) -> None:
    write(tmp_path, train={"GRAB": [250, 3, 100], "CMU": [0]}, test={"GRAB": [399]})
    selection = Selection.from_samples(tmp_path, catalog)
    rows = selection.frames.select("dataset", "sequence", "path", "frame", "tier", "split").rows()
    assert rows == [
        ("CMU", "CMU#000000", "CMU.npz", 0, "low", "train"),
        ("GRAB", "GRAB#000000", "GRAB.npz", 3, "high", "train"),
        ("GRAB", "GRAB#000001", "GRAB.npz", 100, "high", "train"),
        ("GRAB", "GRAB#000002", "GRAB.npz", 250, "high", "train"),
        ("GRAB", "GRAB#000003", "GRAB.npz", 399, "high", "test"),
    ]
    assert selection.about["splits"] == ["train", "test"]
    assert selection.about["files"] == {name: ["consolidated", "incl"] for name in ("CMU.npz", "GRAB.npz")}
    assert (selection.about["unusable"], selection.about["shared_sequences"]) == (1, 0)


def test_our_own_splits_come_back(make_catalog: MakeCatalog, tmp_path: Path) -> None:
    catalog = make_catalog({"GRAB": [100] * 30, "speech": [90] * 40, "KIT": [50] * 30})
    written = balance(catalog, replace(Mix.default(), total=1000), tmp_path / "splits")
    again = Selection.from_samples(tmp_path / "splits", catalog)
    assert again.frames.columns == written.frames.columns
    texts = pl.col(pl.Categorical).cast(pl.String)
    assert again.frames.with_columns(texts).equals(written.frames.with_columns(texts))
    assert (again.about["unusable"], again.about["shared_sequences"]) == (0, 0)


def test_a_sequence_in_two_splits_is_counted(catalog: Catalog, tmp_path: Path) -> None:
    write(tmp_path, train={"GRAB": [0, 1, 120]}, test={"GRAB": [2, 350]})
    assert Selection.from_samples(tmp_path, catalog).about["shared_sequences"] == 1


def test_the_hash_is_of_the_frames(catalog: Catalog, tmp_path: Path) -> None:
    first = Selection.from_samples(write(tmp_path, train={"GRAB": [1, 2]}), catalog).hash
    assert Selection.from_samples(write(tmp_path, train={"GRAB": [2, 1]}), catalog).hash == first
    assert Selection.from_samples(write(tmp_path, train={"GRAB": [1, 3]}), catalog).hash != first


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ({"GRAB": [400]}, "GRAB: frame 400 does not exist; the file has frames 0 to 399"),
        ({"GRAB": [5, -1]}, "GRAB: frame -1 does not exist"),
        ({"GRAB": [7, 8, 7]}, "GRAB: frame 7 is named twice"),
        ({"GRAB": [1.5]}, "GRAB: expected a list of whole frame numbers, got '1.5'"),
        ({"GRAB": [0, True]}, "GRAB: expected a list of whole frame numbers, got true or false"),
        ({"GRAB": ["1"]}, "GRAB: expected a list of whole frame numbers, got '1'"),
        ({"GRAB": [[1], [2, 3]]}, "GRAB: expected a list of whole frame numbers"),
        ({"GRAB": [[1, 2]]}, "GRAB: expected a list of whole frame numbers"),
        ({"GRAB": [10**30]}, "GRAB: expected a list of whole frame numbers"),
        ({"GRAB": {"1": 2}}, "GRAB: expected a list of whole frame numbers"),
        ({"MOYO": [1]}, "no dataset 'MOYO' in the data; they have"),
        ({"/etc/passwd": [1]}, "'/etc/passwd' lies outside the data folder"),
        ({"../other/GRAB": [1]}, "lies outside the data folder"),
        ({"a\\..\\..\\b": [1]}, "lies outside the data folder"),
        ({"C:\\data\\GRAB": [1]}, "lies outside the data folder"),
        ({}, "the splits name no frames"),
        ('{"GRAB": [1], "GRAB": [2]}', "'GRAB' is named twice"),
        ("[1, 2]", 'expected {"dataset"'),
        ('{"GRAB": [1', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(catalog: Catalog, tmp_path: Path, samples: Any, message: str) -> None:
    write(tmp_path, train=samples)
    with pytest.raises(ValueError, match=r"samples\.json|splits name no frames") as caught:
        Selection.from_samples(tmp_path, catalog)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_frame_in_two_splits_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    write(tmp_path, train={"GRAB": [1, 2]}, val={"GRAB": [2]})
    with pytest.raises(ValueError, match=r"frame 2 of GRAB\.npz stands in train and in val \(1 such frames\)"):
        Selection.from_samples(tmp_path, catalog)


def test_no_splits_there(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no train_samples\.json in it"):
        Selection.from_samples(tmp_path, catalog)


def test_names_of_files_are_their_paths_without_suffix_unless_two_would_be_the_same() -> None:
    assert sample_names(["GRAB.npz", "a/b.c/d.pkl", "v1.0/e", "x.npz", "x.pkl"]) == {
        "GRAB.npz": "GRAB",
        "a/b.c/d.pkl": "a/b.c/d",
        "v1.0/e": "v1.0/e",
        "x.npz": "x.npz",
        "x.pkl": "x.pkl",
    }


def test_frames_are_found_usable_as_the_scan_says(make_catalog: MakeCatalog, tmp_path: Path) -> None:
    whole = make_catalog({"GRAB": [100, 100], "KIT": [40]})
    spans = pl.Series([[10, 20, 50, 60], [], [40, 40]], dtype=pl.List(pl.Int64))
    catalog = Catalog(whole.sequences.with_columns(usable_spans=spans), (), "data")
    write(tmp_path, train={"GRAB": list(range(200)), "KIT": list(range(40))})
    assert Selection.from_samples(tmp_path, catalog).about["unusable"] == 240 - 20
