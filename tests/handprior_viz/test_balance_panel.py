"""The balance panel follows its sliders, writes splits and tells errors in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_tools.mix import Mix
from data_tools.selection import Selection
from handprior_viz import BalancePanel


@pytest.fixture
def panel(catalog, tmp_path: Path):
    made = BalancePanel(catalog, total=1_000, out=tmp_path / "splits")
    assert made.settle()
    yield made
    made.close()


def drag(panel: BalancePanel, tier: int, value: float, gesture: int = 1) -> None:
    panel._rack._hear(panel._rack, {"moves": [[tier, value]], "gesture": gesture}, [])


def test_it_opens_on_the_projects_mix(panel: BalancePanel) -> None:
    assert panel._rack.values == [60, 25, 15]
    assert "1,000 frames from" in panel._sentence.markup
    assert "GRAB" in panel._table.markup


def test_dragging_one_tier_moves_the_others_and_the_table(panel: BalancePanel) -> None:
    before = panel._table.markup
    drag(panel, 0, 80)
    assert panel.settle()
    assert panel._rack.values == [80, 13, 7]
    assert panel.mix.shares == {"high": 0.80, "medium": 0.13, "low": 0.07}
    assert panel.plan.totals["tiers"]["high"] == 800
    assert panel._table.markup != before


def test_a_slider_pushed_to_the_end_and_back_in_one_drag_leaves_the_others_as_they_were(panel: BalancePanel) -> None:
    for value in (80, 100, 60):
        drag(panel, 0, value)
    assert panel._rack.values == [60, 25, 15]


def test_total_weighting_and_seed_change_the_mix(panel: BalancePanel) -> None:
    panel._total.value = 500
    panel._seed.value = 7
    panel._weighting.value = "equal"
    assert panel.settle()
    assert (panel.mix.total, panel.mix.seed, panel.mix.weighting) == (500, 7, "equal")
    assert "500 frames from" in panel._sentence.markup


def test_a_shortfall_is_said_in_words(panel: BalancePanel) -> None:
    panel._total.value = 1_000_000
    assert panel.settle()
    assert "high: asked 600,000" in panel._warnings.markup


def test_a_mix_that_refuses_is_one_line_and_the_next_one_clears_it(panel: BalancePanel) -> None:
    panel._total.value = 1_000_000
    panel._shortfall.value = "fail"
    assert panel.settle()
    assert "shortfall: fail" in panel._said.markup
    panel._total.value = 1_000
    assert panel.settle()
    assert panel._said.markup == ""


def test_the_button_writes_the_splits_and_says_so(panel: BalancePanel, tmp_path: Path) -> None:
    panel._button.click()
    assert panel._writing.settle(30)
    assert "Wrote 1,000 frames" in panel._said.markup
    assert len(Selection.read(tmp_path / "splits")) == 1_000
    assert not panel._button.disabled


def test_a_folder_that_holds_something_else_is_named(panel: BalancePanel, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    panel._folder.value = str(tmp_path / "mine")
    panel._button.click()
    assert panel._writing.settle(30)
    assert "thesis" not in panel._said.markup
    assert "mine: exists and holds no" in panel._said.markup
    assert not panel._button.disabled


def test_shares_can_be_set_from_code(panel: BalancePanel) -> None:
    panel.set_share("low", 40)
    assert panel._rack.values == [42, 18, 40]
    with pytest.raises(ValueError, match="unknown tier 'best'"):
        panel.set_share("best", 1)


def test_a_mix_with_other_shares_keeps_them_until_a_slider_moves(catalog) -> None:
    panel = BalancePanel(catalog, Mix(total=900, shares={"high": 1, "medium": 1, "low": 1}, tiers=Mix.default().tiers))
    assert panel._rack.values == [34, 33, 33]
    assert panel.mix.shares == {"high": 1, "medium": 1, "low": 1}
    panel.close()


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_frees_everything(catalog) -> None:
    panel = BalancePanel(catalog, total=1_000)
    panel.close()
