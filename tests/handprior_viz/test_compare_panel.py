"""The compare panel: all shows without being asked for, follows the ticks, and is freed when it closes."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from data_tools.pose_layout import hands_of
from data_tools.store import PoseStore
from handprior_viz.compare_panel import ComparePanel
from handprior_viz.comparing.kept_scores import FOLDER
from handprior_viz.comparing.samples import IN_A_ROW
from handprior_viz.comparing.scores import ScoreSection
from handprior_viz.comparing.walk import two_poses
from tests.handprior_viz.comparing.made_runs import FEW
from tests.handprior_viz.comparing.made_runs import folder as folder


@pytest.fixture
def panel(folder: Path, store: PoseStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ComparePanel]:
    monkeypatch.setattr("handprior_viz.comparing.scores.DEPTHS", {"quick look": FEW})
    shutil.rmtree(folder / FOLDER, ignore_errors=True)  # what another test has scored
    made = ComparePanel(folder, store)
    yield made
    made.close()


def test_everything_shows_without_being_asked_for(panel: ComparePanel) -> None:
    assert "Compare 2 runs" in panel._sentence.markup
    assert panel.settle(300.0)
    assert panel._said.markup == ""
    assert len(panel._samples._hands.grid.cards) == 3 * IN_A_ROW
    assert len(panel._walk._hands.grid.cards) == 2
    assert panel._energy._markup.markup.count("hp-energy-cell") == 2 * (1 + len(panel._energy._backdrop.datasets))


def test_unticking_a_run_takes_it_out_everywhere(panel: ComparePanel) -> None:
    name = panel.runs[0].name
    panel._choice._hear(None, {"event": "choose", "target": name, "value": False}, [])
    assert [run.name for run in panel.chosen] == [panel.runs[1].name]
    assert panel.settle(300.0)
    assert len(panel._samples._hands.grid.cards) == 2 * IN_A_ROW
    assert len(panel._walk._hands.grid.cards) == 1
    panel._choice._hear(None, {"event": "choose", "target": panel.runs[1].name, "value": False}, [])
    assert "at least one run" in panel._said.markup
    assert len(panel.chosen) == 1


def test_mistakes_in_code_raise(panel: ComparePanel) -> None:
    with pytest.raises(ValueError, match="no run nowhere here"):
        panel.choose(["nowhere"])
    with pytest.raises(ValueError, match="Score the runs first"):
        panel.export("table.html")


def test_one_slider_moves_the_hands_of_all_runs(panel: ComparePanel) -> None:
    assert panel._walk.settle(300.0)
    shown = []
    panel._walk._hands.grid.show = lambda poses, **_: shown.append(poses)
    panel._walk._rack._hear(None, {"moves": [[0, 2.0]], "gesture": 1}, [])
    np.testing.assert_array_equal(shown[-1], panel._walk.walk.poses[-1])
    panel._walk._which.value = -1  # between two real poses
    assert panel._walk.settle(300.0)
    assert panel._walk._rack.rows[0]["label"] == "from A to B"
    panel._walk._rack._hear(None, {"moves": [[0, 0.0]], "gesture": 2}, [])
    np.testing.assert_array_equal(shown[-1], panel._walk.walk.poses[0])
    first = panel._walk.walk.poses[0, 0]
    np.testing.assert_allclose(first, hands_of(two_poses(panel.store, 0)[0]), atol=1e-3)


def test_playing_walks_until_it_is_paused(panel: ComparePanel) -> None:
    assert panel._walk.settle(300.0)
    seen = threading.Event()
    panel._walk._hands.grid.show = lambda poses, **_: seen.set()
    panel._walk.play()
    assert panel._walk._play.description == "Pause"
    assert seen.wait(20)
    panel._walk.play()
    assert not panel._walk._player.playing


def test_scores_are_made_on_request_written_where_they_are_wanted_and_found_again(
    panel: ComparePanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert panel._scores._export.disabled
    panel.score()
    assert panel._scores.settle(300.0)
    assert panel.table is not None
    assert not panel._scores._export.disabled
    assert "real: held-out poses" in panel._scores._markup.markup
    panel._scores._place.value = str(tmp_path / "scores" / "table.html")
    panel._scores._export.click()
    assert panel._scores.settle(300.0)
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == ["table.csv", "table.html", "table.tex"]
    assert str(tmp_path / "scores" / "table.html") in panel._scores._said.markup
    panel._scores._place.value = str(tmp_path / "table.xlsx")
    panel._scores._export.click()
    assert "ends in .html" in panel._scores._said.markup
    panel.choose([panel.runs[0].name])
    assert "score again" in panel._scores._markup.markup
    scored = panel.table

    def no_more(*_: object, **__: object) -> None:
        raise AssertionError("these runs have been scored")

    monkeypatch.setattr("handprior_viz.comparing.scores.compare", no_more)
    again = ScoreSection(panel.store, tell=pytest.fail, out=tmp_path / "table.html")
    again.use(panel.runs)
    assert again.settle(60.0)
    assert again.table is not None
    assert again.table.plain() == scored.plain()
    assert not again._export.disabled
    assert "Scored before" in again._markup.markup
    again.close()


def test_scoring_can_be_cancelled(panel: ComparePanel, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def scoring(runs, store, *, settings, progress):
        progress(40, 300, f"{runs[0]}: drawing poses")
        begun.set()
        assert go_on.wait(20)
        progress(40, 300, f"{runs[0]}: drawing poses")
        raise AssertionError("nothing more is done of the run")

    monkeypatch.setattr("handprior_viz.comparing.scores.compare", scoring)
    panel.score()
    assert begun.wait(20)
    assert "1 of 2: drawing poses" in panel._scores._work.widget.markup
    assert "13 %" in panel._scores._work.widget.markup
    with pytest.raises(RuntimeError, match="being scored"):
        panel.score()
    panel._scores._work.widget._hear(None, {"event": "cancel", "target": "", "value": None}, [])
    assert "Cancelling" in panel._scores._work.widget.markup
    go_on.set()
    assert panel._scores.settle(20.0)
    assert panel._scores._work.widget.markup == ""
    assert "cancelled" in panel._scores._said.markup
    assert panel.table is None
    assert not panel._scores._start.disabled


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_frees_everything_even_while_it_works(folder: Path, store: PoseStore) -> None:
    threads = set(threading.enumerate())
    panel = ComparePanel(folder, store)
    panel.close()
    settled = ComparePanel(folder, store)
    assert settled.settle(300.0)
    settled._walk.play()
    settled.close()
    assert set(threading.enumerate()) <= threads
