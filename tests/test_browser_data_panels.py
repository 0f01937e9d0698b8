"""The audit and balance panels as a person meets them: JupyterLab in a real Chromium."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from data_tools import PoseStore, demo_corpus
from data_tools.mix import Mix
from tests.jupyter_browser import Lab, lab, write_notebook  # noqa: F401 (a fixture)

PATIENCE = 120_000
"""Milliseconds that a step may take on a slow machine; steps end as soon as they are done."""


@pytest.fixture(autouse=True)
def nothing_kept_between_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))


def names(lines: Locator) -> list[str]:
    return [line.get_attribute("data-key") or "" for line in lines.all()]


def test_audit_and_balance(lab: Lab) -> None:  # noqa: F811
    demo_corpus.write(lab.folder / "data", frames=20_000, seed=0)
    write_notebook(
        lab.folder / "panels.ipynb",
        "from data_tools import scan\nfrom handprior_viz.audit_panel import AuditPanel\nAuditPanel('data')",
        "from handprior_viz import BalancePanel\nBalancePanel(scan('data'), total=2_000)",
    )
    notebook = lab.open("panels.ipynb", width=1440, height=1200)
    page = notebook.page
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    notebook.run_all()
    audit, balance = (page.locator(".hp-panel", has=page.locator(kind)) for kind in (".hp-audit-table", ".hp-balance"))
    _pick_and_look(page, audit)
    _follow_a_flag_and_play(page, audit)
    _change_the_mix(page, balance)
    _write_and_write_again(page, balance, lab.folder)
    assert not notebook.problems, notebook.problems


def _pick_and_look(page: Page, audit: Locator) -> None:
    """Sort, pick with the mouse and with the keyboard, and look at what was picked."""
    lines = audit.locator(".hp-audit-line[data-key]")
    expect(lines.first).to_be_visible()
    fixed = names(lines)
    audit.get_by_role("button", name=re.compile("^motion")).click()
    expect(audit.locator('[aria-sort="descending"]')).to_contain_text("motion")
    assert names(lines) != fixed
    assert sorted(names(lines)) == sorted(fixed) != []
    audit.get_by_role("searchbox").press_sequentially("gra")
    expect(lines).to_have_count(1)
    audit.get_by_role("searchbox").fill("")
    expect(lines).to_have_count(len(fixed))
    grab = audit.get_by_role("checkbox", name="GRAB", exact=True)
    grab.click()
    expect(grab).to_have_attribute("aria-checked", "true")
    audit.get_by_role("checkbox", name="CMU", exact=True).focus()
    page.keyboard.press("Space")
    expect(audit.locator(".hp-audit-picked")).to_contain_text("GRAB, CMU")
    audit.get_by_role("tab", name="Joint angles").click()
    expect(audit.locator(".hp-strip")).to_have_count(2)
    audit.get_by_role("tab", name="Distances").click()
    expect(audit.locator(".hp-audit-map svg")).to_be_visible()


def _follow_a_flag_and_play(page: Page, audit: Locator) -> None:
    """From a flag to its sequences, to one that plays and can be scrubbed."""
    audit.locator(".hp-audit-line", has=page.get_by_role("checkbox", name="CMU", exact=True)).get_by_role(
        "button", name=re.compile("^dead hands")
    ).click()
    audit.get_by_role("button", name=re.compile("^Play CMU")).first.click()
    expect(audit.locator(".hp-hand-view canvas")).to_be_visible()
    expect(audit.locator(".hp-audit-faults")).to_be_visible()
    frame = audit.locator("input[type=range]")
    frame.focus()
    page.keyboard.press("Home")
    expect(frame).to_have_js_property("value", "0")
    audit.locator("button", has_text="Play").last.click()
    page.wait_for_function("input => Number(input.value) > 3", arg=frame.element_handle())


def _change_the_mix(page: Page, balance: Locator) -> None:
    """A menu moves a dataset to another tier, a field limits one, and both come back with a mix that is loaded."""
    grab = balance.locator('.hp-line[data-key="GRAB"]')
    given = grab.locator("[data-flash]")
    before = given.inner_text()
    page.get_by_label("Tier of GRAB").select_option("low")
    expect(given).not_to_have_text(before)
    page.get_by_label("Most frames from GRAB").fill("5")
    page.keyboard.press("Enter")
    expect(given).to_have_text("5")
    page.get_by_label("Most frames from GRAB").fill("many")
    page.keyboard.press("Tab")
    expect(balance.locator(".hp-error")).to_contain_text("is not a number of frames")
    expect(page.get_by_label("Most frames from GRAB")).to_have_value("5")
    balance.locator("button", has_text="Save mix").click()
    expect(balance.locator(".hp-said")).to_contain_text("Saved the mix")
    page.get_by_label("Tier of GRAB").select_option("high")
    page.get_by_label("Most frames from GRAB").fill("")
    page.keyboard.press("Tab")
    expect(given).not_to_have_text("5")
    balance.locator("button", has_text="Load mix").click()
    expect(given).to_have_text("5")
    expect(page.get_by_label("Tier of GRAB")).to_have_value("low")
    balance.locator("button", has_text="Measure it").click()
    expect(balance.locator(".hp-covers")).to_contain_text("of all joint ranges")


def _write_and_write_again(page: Page, balance: Locator, folder: Path) -> None:
    """Splits and store are written; the second time they are replaced only when that is said."""
    write = balance.locator("button", has_text="Write splits and store")
    write.click()
    expect(balance.locator(".hp-said")).to_contain_text("Wrote 2,000 frames")
    assert len(PoseStore(folder / "store")) == 2_000
    assert Mix.read(folder / "splits" / "mix.yaml").tier_of("GRAB") == "low"
    write.click()
    expect(balance.locator(".hp-warning", has_text="press again to replace it")).to_be_visible()
    expect(balance.locator("button", has_text="Replace what is there")).to_be_visible()
