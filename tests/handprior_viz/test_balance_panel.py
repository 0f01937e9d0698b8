"""The balance panel follows its sliders, writes splits and tells errors in one line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from data_tools import plan
from data_tools.dataset_audit import Audit
from data_tools.mix import Mix
from handprior_viz import BalancePanel, balance_panel
from handprior_viz.balancing.coverage import SeenPoses, mix_coverage
from handprior_viz.balancing.tier_drag import TierDrag
from handprior_viz.number_words import percent

MIX = replace(Mix.default(), total=1_000)


@pytest.fixture
def panel(catalog, tmp_path: Path):
    made = BalancePanel(catalog, MIX, out=tmp_path / "splits")
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


def use(panel: BalancePanel, event: str, target: str = "", value: object = None) -> None:
    panel._on_event(event, target, value)
    assert panel.settle()


def given(panel: BalancePanel, dataset: str) -> int:
    table = panel.plan.table()
    return int(table.filter(table["dataset"] == dataset)["given"][0])


def test_a_menu_moves_a_dataset_to_another_tier(panel: BalancePanel) -> None:
    use(panel, "tier", "GRAB", "low")
    assert panel.mix.tier_of("GRAB") == "low"
    low = panel._table.markup.split('data-key="tier low"')[1]
    assert 'data-key="GRAB"' in low


def test_a_dataset_can_be_left_out_and_taken_in_again(panel: BalancePanel) -> None:
    use(panel, "tier", "GRAB", "left out")
    assert given(panel, "GRAB") == 0
    use(panel, "tier", "GRAB", "high")
    assert given(panel, "GRAB") > 0


def test_a_drop_is_heard_as_the_menu_is_and_the_dataset_stands_where_it_was_dropped(panel: BalancePanel) -> None:
    """What the page sends for either, see test_tier_drag_page."""
    panel._table._hear(None, {"event": "tier", "target": "GRAB", "value": "medium"}, [])
    assert panel.settle()
    assert panel.mix.tier_of("GRAB") == "medium"
    assert 'data-key="GRAB" data-tier="medium"' in panel._table.markup
    panel._table._hear(None, {"event": "tier", "target": "GRAB", "value": "left out"}, [])
    assert panel.settle()
    assert 'data-key="GRAB" data-tier="left out"' in panel._table.markup
    assert sum(isinstance(widget, TierDrag) for widget in panel.children) == 1


def test_a_most_is_kept(panel: BalancePanel) -> None:
    use(panel, "cap", "GRAB", "7")
    assert given(panel, "GRAB") == 7
    use(panel, "cap", "GRAB", "")
    assert given(panel, "GRAB") > 7


def test_a_most_that_is_no_number_is_one_line_and_the_field_shows_what_holds(panel: BalancePanel) -> None:
    use(panel, "cap", "GRAB", "7")
    before = re.search(r'class="hp-balance"[^>]*data-key="(\d+)"', panel._table.markup)
    use(panel, "cap", "GRAB", "many")
    after = re.search(r'class="hp-balance"[^>]*data-key="(\d+)"', panel._table.markup)
    assert "&#x27;many&#x27; is not a number of frames" in panel._said.markup
    assert panel.mix.limits("GRAB") == (0, 7)
    assert before
    assert after
    assert before[1] != after[1]  # a new edition: the page forgets what was typed


def test_flagged_sequences_can_be_left_out(panel: BalancePanel) -> None:
    flag = next(iter(panel._flag_counts()))
    use(panel, "flag", flag)
    assert panel.mix.exclude_flags == (flag,)
    assert 'aria-checked="true"' in panel._flags.markup
    use(panel, "flag", flag)
    assert panel.mix.exclude_flags == ()


def test_a_mix_at_a_temperature_is_shown_as_it_is(panel: BalancePanel, tmp_path: Path) -> None:
    mix = Mix(total=800, weighting=3, tiers=Mix.default().tiers)
    mix.write(tmp_path / "warm.yaml")
    panel.load(tmp_path / "warm.yaml")
    assert panel.settle()
    assert panel.mix == mix
    assert panel._weighting.label == "at temperature 3"


def test_measuring_says_what_the_mix_covers(panel: BalancePanel, audited: Audit, monkeypatch) -> None:
    monkeypatch.setattr(balance_panel, "run_audit", lambda catalog, *, progress: progress(1, 1, "GRAB.npz") or audited)
    assert 'data-event="measure"' in panel._covers.markup
    panel._on_event("measure", "", None)
    assert panel._files.work.settle(120)
    assert panel.settle()
    assert "of all joint ranges" in panel._covers.markup
    assert "was" not in panel._covers.markup
    panel.set_share("low", 90)
    assert panel.settle()
    assert "was: the mix that the panel opened with" in panel._covers.markup
    use(panel, "reference")
    assert "was" not in panel._covers.markup


def test_a_mix_that_was_changed_before_measuring_is_compared_with_the_one_it_opened_with(panel, audited) -> None:
    panel.set_share("low", 90)
    assert panel.settle()
    panel._seen = SeenPoses.of(audited)
    panel._planning.submit(panel.mix)
    assert panel.settle()
    now, opened = (mix_coverage(plan(panel.catalog, mix), panel._seen) for mix in (panel.mix, MIX))
    assert now.ranges != opened.ranges
    assert f"was {percent(opened.ranges)}" in panel._covers.markup
