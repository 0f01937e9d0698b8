"""A mix is loaded and saved, its splits and store are written, and nothing is replaced unasked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_tools import PoseStore
from data_tools.mix import Mix
from data_tools.selection import Selection
from handprior_viz import BalancePanel
from handprior_viz.balancing import mix_files
from handprior_viz.balancing.writing import write_mix


@pytest.fixture
def panel(catalog, tmp_path: Path) -> Iterator[BalancePanel]:
    made = BalancePanel(catalog, total=1_000, out=tmp_path / "splits")
    assert made.settle()
    yield made
    made.close()


def test_the_button_writes_the_splits_and_says_so(panel: BalancePanel, tmp_path: Path) -> None:
    panel._files.write_button.click()
    assert panel._files.work.settle(30)
    assert "Wrote 1,000 frames" in panel._said.markup
    assert len(Selection.read(tmp_path / "splits")) == 1_000
    assert not panel._files.write_button.disabled


def test_a_folder_that_holds_something_else_is_named(panel: BalancePanel, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    panel._files.folder.value = str(tmp_path / "mine")
    panel._files.write_button.click()
    assert panel._files.work.settle(30)
    assert "thesis" not in panel._said.markup
    assert "mine: exists and holds no" in panel._said.markup
    assert not panel._files.write_button.disabled


def test_a_mix_is_saved_and_loaded(panel: BalancePanel, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    panel._weighting.value = "equal"
    panel._on_event("tier", "GRAB", "low")
    panel.set_share("low", 40)
    panel._files.file.value = str(path)
    panel._files.save_button.click()
    saved = panel.mix
    assert Mix.read(path) == saved
    panel.load("75-25")
    assert panel.mix == Mix.read("75-25")
    assert panel._total.value == panel.mix.total
    panel._files.file.value = str(path)
    panel._files.load_button.click()
    assert panel.settle()
    assert panel.mix == saved
    assert panel._rack.values == [42, 18, 40]
    assert panel._weighting.value == "equal"


@pytest.mark.parametrize(
    ("content", "words"), [("shares: {high: -1}", "at least 0"), ("totl: 5", "totl"), ("[", "bad.yaml")]
)
def test_a_mix_that_is_wrong_is_one_line_and_changes_nothing(
    panel: BalancePanel, tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "bad.yaml").write_text(content)
    before = panel.mix
    panel._files.file.value = str(tmp_path / "bad.yaml")
    panel._files.load_button.click()
    assert panel.settle()
    assert words in panel._said.markup
    assert "bad.yaml" in panel._said.markup
    assert panel.mix == before


def test_a_file_that_is_there_is_replaced_when_asked_for_twice(panel: BalancePanel, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("not mine to lose")
    panel._files.file.value = str(path)
    panel._files.save_button.click()
    assert path.read_text() == "not mine to lose"
    assert "press again to replace it" in panel._said.markup
    panel._files.save_button.click()
    assert Mix.read(path) == panel.mix
    assert panel._files.save_button.description == "Save mix"


def test_splits_that_are_there_are_replaced_when_asked_for_twice(panel: BalancePanel, tmp_path: Path) -> None:
    panel.write()
    panel._seed.value = 7
    panel._files.write_button.click()
    assert not panel._files.work.running
    assert "holds splits written on" in panel._said.markup
    assert Selection.read(tmp_path / "splits").about["seed"] == 42
    panel._files.write_button.click()
    assert panel._files.work.settle(60)
    assert Selection.read(tmp_path / "splits").about["seed"] == 7


@pytest.mark.parametrize("change", [lambda panel: panel.set_share("high", 80), lambda panel: panel.load("75-25")])
def test_asking_once_is_forgotten_when_the_mix_changes(panel: BalancePanel, change) -> None:
    panel.write()
    panel._files.write_button.click()
    assert panel._files.write_button.description == "Replace what is there"
    change(panel)
    assert panel._files.write_button.description == "Write splits"
    panel._files.write_button.click()
    assert not panel._files.work.running


def test_splits_and_store_are_written(panel: BalancePanel, tmp_path: Path) -> None:
    panel._files.store.value = str(tmp_path / "store")
    panel._files.both_button.click()
    assert panel._files.work.settle(120)
    assert "the store is" in panel._said.markup
    assert len(PoseStore(tmp_path / "store")) == 1_000
    assert not panel._files.both_button.disabled


def test_cancelling_writes_nothing(panel: BalancePanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*of: object) -> object:
        begun.set()
        go_on.wait(10)
        return write_mix(*of)

    monkeypatch.setattr(mix_files, "write_mix", slow)
    panel._files.write_button.click()
    assert begun.wait(10)
    assert panel._files.write_button.disabled
    panel._files.work.cancel()
    go_on.set()
    assert panel._files.work.settle(60)
    assert "Cancelled: nothing was written" in panel._said.markup
    assert not (tmp_path / "splits").exists()
    assert not panel._files.write_button.disabled


def test_an_error_while_writing_frees_the_buttons(panel: BalancePanel, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*of: object) -> object:
        raise OSError(28, "splits: the disk is full")

    monkeypatch.setattr(mix_files, "write_mix", full)
    panel._files.write_button.click()
    assert panel._files.work.settle(30)
    assert "the disk is full" in panel._said.markup
    assert not panel._files.write_button.disabled
