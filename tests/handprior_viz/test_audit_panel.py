"""The audit panel: a folder is audited in the background, numbers lead to sequences, hands lead to their frames."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from data_tools import scan
from data_tools.dataset_audit import Audit
from handprior_viz.audit_panel import AuditPanel
from handprior_viz.auditing import audit_source
from handprior_viz.auditing.view import TABS


@pytest.fixture(scope="module")
def few(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two datasets, which is audited in no time."""
    folder = tmp_path_factory.mktemp("few")
    for name in ("GRAB.npz", "KIT.npz"):
        shutil.copy(demo_data / name, folder)
    return folder


@pytest.fixture(autouse=True)
def nothing_kept_between_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def panel(audited: Audit) -> Iterator[AuditPanel]:
    made = AuditPanel(audited)
    assert made.settle()
    yield made
    made.close()


def click(panel: AuditPanel, event: str, target: str = "") -> None:
    panel._on_event(event, target, None)
    assert panel.settle()


def anchor(panel: AuditPanel, name: str) -> str:
    return next(row.anchor for row in panel._rows if row.name == name)


def order(panel: AuditPanel) -> list[str]:
    return re.findall(r'class="hp-audit-line[^"]*" role="row" data-key="([^"]+)"', panel._table.markup)


def test_it_opens_on_all_datasets_in_the_fixed_order(panel: AuditPanel) -> None:
    assert order(panel) == [row.name for row in panel._rows]
    assert f"{len(panel._rows)} datasets" in panel._sentence.markup
    assert "synthetic data" in panel._sentence.markup


def test_a_column_sorts_and_the_third_click_brings_the_order_back(panel: AuditPanel) -> None:
    fixed = order(panel)
    click(panel, "sort", "energy")
    energies = dict(panel.audit.datasets.select("dataset", "energy").iter_rows())
    moving = [energies[name] for name in order(panel) if energies[name] is not None]
    assert moving == sorted(moving, reverse=True)
    click(panel, "sort", "energy")
    click(panel, "sort", "energy")
    assert order(panel) == fixed


def test_picked_datasets_are_what_the_tabs_show(panel: AuditPanel) -> None:
    for name in ("GRAB", "CMU"):
        click(panel, "pick", anchor(panel, name))
    assert {card["title"].split(",")[0] for card in panel._grid.cards} == {"GRAB", "CMU"}
    click(panel, "tab", "angles")
    assert re.findall(r'class="hp-strip" data-key="(\w+)"', panel._shown.markup) == ["GRAB", "CMU"]
    click(panel, "tab", "distances")
    assert "Distances between 2 datasets" in panel._far.markup
    assert panel._far.names == ["GRAB", "CMU"]
    click(panel, "tab", "adds")
    assert panel._shown.markup.count('data-key="a ') == 2
    click(panel, "all")
    assert panel._shown.markup.count('data-key="a ') == len(panel._rows)


def test_another_joint_is_another_picture(panel: AuditPanel) -> None:
    panel.show_tab("angles")
    assert panel.settle()
    before = panel._shown.markup
    panel._angles.finger.value = "right thumb"
    assert panel.settle()
    assert "right thumb" in panel._shown.markup
    assert panel._shown.markup != before


def test_a_flag_leads_to_its_sequences_and_they_can_be_played(panel: AuditPanel) -> None:
    flagged = panel.audit.sequences.explode("flags").filter(dataset="CMU", flags="dead hands")
    click(panel, "see", f"{anchor(panel, 'CMU')} flag:dead hands")
    listed = re.findall(r'data-event="play" data-target="(\d+)" title="Play ([^"]+)"', panel._shown.markup)
    assert sorted(name for _, name in listed) == sorted(flagged["sequence"])
    key, name = listed[1]
    click(panel, "play", key)
    assert panel._player.clip.place.name == name
    assert panel._shown.markup.count("hp-picked") == 1
    assert panel._player.widget.layout.display == ""
    click(panel, "tab", "distances")
    assert panel._player.widget.layout.display == "none"  # only where something can be played


def test_doubled_motion_is_listed_in_pairs_that_can_be_played(audited: Audit) -> None:
    a, b = audited.sequences.filter(dataset="GRAB").head(2)["sequence"]
    pair = ("near", "GRAB", a, "GRAB", b, 0.8, 120, 1.0, 0.02)
    doubled = replace(audited, duplicates=pl.DataFrame([pair], audited.duplicates.schema, orient="row"))
    panel = AuditPanel(doubled)
    assert panel.settle()
    assert 'data-event="tab" data-target="doubles"' in panel._findings.markup
    click(panel, "tab", "doubles")
    assert "nearly the same: 120 frames, 80 % of the shorter, 1.1" in panel._shown.markup
    keys = re.findall(r'data-event="play" data-target="(\d+)"', panel._shown.markup)
    click(panel, "play", keys[1])
    assert panel._player.clip.place.name == b
    panel.close()


def test_a_hand_leads_to_its_frame(panel: AuditPanel) -> None:
    panel.pick("GRAB")
    assert panel.settle()
    panel._on_hand(1)
    assert panel.settle()
    example = panel.audit.examples.row(panel._sheet.rows[1], named=True)
    clip = panel._player.clip
    assert clip.frames[clip.first] == example["frame"]
    assert clip.place.name == example["sequence"]
    panel.see("GRAB")
    assert panel.settle()
    (marked,) = re.findall(r'hp-picked" role="row" data-key="s(\d+)"', panel._shown.markup)
    assert panel.audit.sequences["sequence"][int(marked)] == example["sequence"]


@pytest.mark.parametrize(
    ("event", "target"), [("tab", "nothing"), ("see", "d1 beauty"), ("sort", "beauty"), ("play", "999999")]
)
def test_what_makes_no_sense_is_one_line(panel: AuditPanel, event: str, target: str) -> None:
    panel._on_event(event, target, None)
    panel.settle()
    assert 'class="hp-error"' in panel._said.markup
    click(panel, "tab", "adds")


def test_names_that_are_not_there_are_refused(panel: AuditPanel) -> None:
    with pytest.raises(ValueError, match="no dataset 'Nobody'"):
        panel.pick("Nobody")
    with pytest.raises(ValueError, match="no dataset 'Nobody'"):
        panel.see("Nobody")


def test_a_folder_is_audited_in_the_background(few: Path) -> None:
    panel = AuditPanel(few)
    assert panel.settle()
    assert order(panel) == ["GRAB", "KIT"]
    assert panel.audit.datasets["dataset"].to_list() == ["GRAB", "KIT"]
    assert panel._work.widget.markup == ""
    panel.close()


def test_an_audit_that_was_written_is_read(audited: Audit, tmp_path: Path) -> None:
    audited.write(tmp_path / "audit")
    panel = AuditPanel(tmp_path / "audit")
    assert panel.settle()
    assert panel.audit.fingerprint == audited.fingerprint
    panel.close()


def test_an_audit_can_be_cancelled_and_begun_again(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(data, *, progress):
        begun.set()
        go_on.wait(10)
        return scan(data, progress=progress)

    monkeypatch.setattr(audit_source, "scan", slow)
    panel = AuditPanel(few)
    assert begun.wait(10)
    assert "Scanning" in panel._work.widget.markup
    panel._work.cancel()
    go_on.set()
    assert panel.settle()
    assert panel.audit is None
    assert "cancelled" in panel._findings.markup
    click(panel, "again")
    assert panel.audit is not None
    panel.close()


def test_a_folder_without_motion_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    panel = AuditPanel(tmp_path / "empty")
    assert panel.settle()
    assert 'class="hp-error"' in panel._said.markup
    assert "empty" in panel._said.markup
    panel.close()


def test_a_folder_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        AuditPanel(tmp_path / "nowhere")


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_frees_everything(audited: Audit) -> None:
    panel = AuditPanel(audited)
    assert panel.settle()
    panel._on_hand(0)
    panel.settle()
    for tab in TABS:
        panel.show_tab(tab)
    panel.settle()
    panel.close()


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_while_it_audits_frees_everything(demo_data: Path) -> None:
    AuditPanel(demo_data).close()
