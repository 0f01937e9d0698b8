"""Splits and store are written both or not at all, and what is there is not replaced unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data_tools import PoseStore
from data_tools.mix import Mix
from data_tools.selection import Selection
from handprior_viz.balancing.writing import in_the_way, write_mix
from handprior_viz.long_work import Cancelled, Report

MIX = replace(Mix.default(), total=500)


class CancelledAt(Report):
    """Is cancelled as soon as a stage begins, or the first file of it is done."""

    def __init__(self, words: str, *, at_first_file: bool = False) -> None:
        super().__init__(lambda _: None)
        self.cancel_words, self.at_first_file, self.now = words, at_first_file, ""

    def stage(self, words: str) -> None:
        self.now = words
        super().stage(words)
        if words.startswith(self.cancel_words) and not self.at_first_file:
            self.cancel()

    def __call__(self, done: int, total: int, item: str) -> None:
        if self.now.startswith(self.cancel_words):
            self.cancel()
        super().__call__(done, total, item)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_both_are_written(catalog, tmp_path: Path) -> None:
    written = write_mix(catalog, MIX, tmp_path / "splits", tmp_path / "store", Report(lambda _: None))
    assert len(Selection.read(tmp_path / "splits")) == 500
    assert len(PoseStore(tmp_path / "store")) == 500
    assert written.words.startswith("Wrote 500 frames to ")
    assert "400 train, 50 val, 50 test; the store is" in written.words
    assert names(tmp_path) == ["splits", "store"]


@pytest.mark.parametrize(
    "report", [CancelledAt("Drawing"), CancelledAt("Packing"), CancelledAt("Packing", at_first_file=True)]
)
def test_cancelling_leaves_nothing(catalog, tmp_path: Path, report: Report) -> None:
    with pytest.raises(Cancelled):
        write_mix(catalog, MIX, tmp_path / "splits", tmp_path / "store", report)
    assert names(tmp_path) == []


def test_cancelling_leaves_what_was_there(catalog, tmp_path: Path) -> None:
    write_mix(catalog, MIX, tmp_path / "splits", tmp_path / "store", Report(lambda _: None))
    before = PoseStore(tmp_path / "store").hash
    with pytest.raises(Cancelled):
        write_mix(
            catalog, replace(MIX, seed=7), tmp_path / "splits", tmp_path / "store",
            CancelledAt("Packing", at_first_file=True),
        )  # fmt: skip
    assert PoseStore(tmp_path / "store").hash == before
    assert Selection.read(tmp_path / "splits").about["seed"] == MIX.seed
    assert names(tmp_path) == ["splits", "store"]


def test_what_would_be_replaced_is_said(catalog, tmp_path: Path) -> None:
    assert in_the_way(tmp_path / "splits", tmp_path / "store") == []
    write_mix(catalog, MIX, tmp_path / "splits", tmp_path / "store", Report(lambda _: None))
    splits, store = in_the_way(tmp_path / "splits", tmp_path / "store")
    assert splits.startswith(f"{tmp_path / 'splits'} holds splits written on ")
    assert store.startswith(f"{tmp_path / 'store'} holds a store written on ")


def test_something_else_is_never_replaced(catalog, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "main.tex").write_text("x")
    with pytest.raises(FileExistsError, match="thesis: exists and holds no"):
        write_mix(catalog, MIX, tmp_path / "splits", tmp_path / "thesis", Report(lambda _: None))
    assert names(tmp_path) == ["thesis"]


def test_the_store_needs_a_folder_of_its_own(catalog, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a folder of its own"):
        write_mix(catalog, MIX, tmp_path / "x", tmp_path / "x", Report(lambda _: None))
