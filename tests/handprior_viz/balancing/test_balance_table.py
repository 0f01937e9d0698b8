"""A table that says what the plan says, and words for what to know of it."""

from __future__ import annotations

import re
from dataclasses import replace

from data_tools import plan
from data_tools.mix import Mix
from handprior_viz.balancing.sentences import sentence, warnings
from handprior_viz.balancing.table import balance_rows, balance_table, flag_buttons, live_share


def test_rows_stand_by_tier_then_by_size(catalog) -> None:
    rows = balance_rows(plan(catalog, replace(Mix.default(), total=1_000)), live_share(catalog))
    keys = [(("high", "medium", "low").index(row.tier), -row.available) for row in rows]
    assert keys == sorted(keys)
    assert len(rows) == len(catalog.datasets())


def test_the_table_shows_what_the_plan_gives(catalog) -> None:
    planned = plan(catalog, replace(Mix.default(), total=1_000))
    markup = balance_table(planned, balance_rows(planned, live_share(catalog)))
    given_cells = [int(cell.replace(",", "")) for cell in re.findall(r'class="hp-number" data-flash>([\d,]+)<', markup)]
    assert sum(given_cells) == planned.totals["given"] == 1_000
    assert markup.count('role="row" data-key="tier') == 3


def test_live_hands_are_those_that_the_scan_found(catalog) -> None:
    shares = live_share(catalog)
    assert shares["GRAB"] > 0.9
    assert shares["HDM05"] < 0.5
    assert all(0 <= share <= 1 for share in shares.values())


def test_unknown_datasets_and_shortfalls_are_said(catalog) -> None:
    mix = Mix.default()
    fewer = {**mix.tiers, "high": tuple(name for name in mix.tiers["high"] if name != "GRAB")}
    planned = plan(catalog, replace(mix, total=10**6, tiers=fewer))
    said = warnings(planned)
    assert "GRAB stands in no tier of the mix: taken as low" in said
    assert "high: asked 600,000" in said


def test_what_is_out_of_balance_is_said(catalog) -> None:
    mix = replace(Mix.default(), total=1_000)
    sizes = {"GRAB": 40, "arctic": 10}
    caps = {name: sizes.get(name, 0) for name in catalog.datasets()["dataset"]}
    one_sided = plan(catalog, replace(mix, caps=caps))
    assert "GRAB gives 80 % of the high tier" in warnings(one_sided)
    assert "GRAB gives" not in warnings(plan(catalog, mix))


def test_repeated_frames_and_dead_datasets_are_said(catalog) -> None:
    said = warnings(plan(catalog, replace(Mix.default(), total=100_000, shortfall="repeat")))
    assert "frames are repeated: " in said
    dead = [name for name, usable in catalog.datasets().select("dataset", "usable_frames").iter_rows() if not usable]
    assert dead
    assert f"no usable frame, dead hands throughout: {dead[0]}" in said
    assert "frames are repeated" not in warnings(plan(catalog, replace(Mix.default(), total=1_000)))


def test_menus_show_where_each_dataset_stands(catalog) -> None:
    planned = plan(catalog, replace(Mix.default(), total=1_000, caps={"GRAB": 0, "arctic": 20_000}))
    markup = balance_table(planned, balance_rows(planned, live_share(catalog)))
    chosen = dict(re.findall(r'aria-label="Tier of ([^"]+)"[^>]*>.*?<option selected>([^<]+)<', markup))
    assert (chosen["GRAB"], chosen["arctic"], chosen["CMU"]) == ("left out", "high", "low")
    assert 'data-target="arctic" value="20,000"' in markup


def test_every_dataset_can_be_dragged_to_every_tier_that_its_menu_has(catalog) -> None:
    planned = plan(catalog, replace(Mix.default(), total=1_000, caps={"GRAB": 0}))
    markup = balance_table(planned, balance_rows(planned, live_share(catalog)))
    assert markup.count('draggable="true"') == len(catalog.datasets())
    strip = markup.split('class="hp-balance-targets"')[1]
    menu = re.search(r'aria-label="Tier of GRAB"[^>]*>(.*?)</select>', markup)
    assert menu is not None
    assert re.findall(r'data-tier="([^"]+)"', strip) == re.findall(r"<option[^>]*>([^<]+)<", menu[1])
    lines = dict(re.findall(r'data-key="([^"]+)" data-tier="([^"]+)" style', markup))
    assert (lines["GRAB"], lines["arctic"], lines["CMU"]) == ("left out", "high", "low")


def test_what_is_left_out_stands_last_under_words_of_its_own(catalog) -> None:
    planned = plan(catalog, replace(Mix.default(), total=1_000, caps={"GRAB": 0, "CMU": 0}))
    rows = balance_rows(planned, live_share(catalog))
    assert [row.dataset for row in rows[-2:]] == ["CMU", "GRAB"]  # the larger first
    assert "2 datasets" in balance_table(planned, rows).split('data-key="tier left out"')[1]


def test_flags_that_are_left_out_are_marked() -> None:
    markup = flag_buttons({"jitter": 3, "NaN frames": 1}, ["jitter", "dead hands"])
    checked = dict(re.findall(r'aria-checked="(\w+)" data-event="flag" data-target="([^"]+)"', markup))
    assert markup.count('aria-checked="true"') == 2  # one that the data do not have, but the mix names, is shown too
    assert checked["false"] == "NaN frames"
    assert flag_buttons({}, []) == ""


def test_the_first_line_says_what_was_left_out_and_that_data_are_synthetic(catalog) -> None:
    said = sentence(plan(catalog, replace(Mix.default(), total=1_000)), catalog)
    assert "1,000 frames from" in said
    assert "left out: dead or invalid hands" in said
    assert "synthetic" in said
