"""A dataset is dragged to another tier in a real Chromium: what the table tells is what its menu would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from data_tools import plan
from data_tools.mix import Mix
from handprior_viz.balancing.table import balance_rows, balance_table, live_share
from handprior_viz.balancing.tier_drag import TierDrag
from handprior_viz.live_markup import LiveMarkup
from tests.handprior_viz.widget_page import mount
from tests.jupyter_browser import browser as browser

pytestmark = pytest.mark.browser

ADD = """async (code) => {
  const el = document.createElement("div");
  document.body.append(el);
  const widget = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  window.stop = widget.default.render({ el });
  await new Promise(requestAnimationFrame);
}"""


@pytest.fixture(scope="module")
def browser_page(browser: Browser) -> Page:
    return browser.new_page(viewport={"width": 1000, "height": 1500})


@pytest.fixture
def page(browser_page: Page, catalog) -> Page:
    """The whole table, with BMLmovi left out."""
    planned = plan(catalog, replace(Mix.default(), total=1_000, caps={"BMLmovi": 0}))
    table = LiveMarkup(balance_table(planned, balance_rows(planned, live_share(catalog))))
    mount(browser_page, table, width=960)
    browser_page.evaluate("() => document.body.classList.add('hp-panel')")
    browser_page.evaluate(ADD, str(TierDrag._esm))
    table.close()
    return browser_page


def name_of(page: Page, dataset: str):
    return page.locator(f".hp-balance-line[data-key='{dataset}'] .hp-balance-name")


def over(page: Page, x: float, y: float) -> None:
    """Hold what is dragged over a place: the first event there is that it enters, the second that it is over it."""
    for step in (0, 1):
        page.mouse.move(x + step, y)


def told(page: Page) -> list[dict[str, str]]:
    return page.evaluate("() => window.page.sent")


def test_a_dataset_dropped_on_a_tier_is_told_as_its_menu_tells_it(page: Page) -> None:
    name_of(page, "GRAB").drag_to(page.locator(".hp-tier[data-tier=low]"))
    assert told(page) == [{"event": "tier", "target": "GRAB", "value": "low"}]
    menu = page.get_by_label("Tier of arctic")
    menu.select_option("low")
    assert told(page)[1] == {"event": "tier", "target": "arctic", "value": "low"}


def test_any_line_of_a_tier_takes_it_and_so_does_being_left_out(page: Page) -> None:
    name_of(page, "KIT").drag_to(page.locator(".hp-balance-line[data-key=fitness]"))
    name_of(page, "CMU").drag_to(page.locator(".hp-tier[data-tier=high]"))
    name_of(page, "GRAB").drag_to(page.locator(".hp-balance-line[data-key=BMLmovi]"))
    assert [(one["target"], one["value"]) for one in told(page)] == [
        ("KIT", "medium"),
        ("CMU", "high"),
        ("GRAB", "left out"),
    ]


def test_what_can_be_dropped_on_shows_while_it_is_dragged(page: Page) -> None:
    strip, target = page.locator(".hp-balance-targets"), page.locator(".hp-balance-targets [data-tier=medium]")
    expect(strip).to_be_hidden()
    name_of(page, "GRAB").hover()
    page.mouse.down()
    page.mouse.move(300, 200, steps=3)
    expect(strip).to_be_visible()
    box = target.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 10)  # to enter it is enough: WebKit may tell no more
    expect(page.locator(".hp-tier.hp-balance-over")).to_have_attribute("data-tier", "medium")
    over(page, 990, 1490)  # beside the table
    expect(page.locator(".hp-balance-over")).to_have_count(0)
    page.mouse.up()
    expect(strip).to_be_hidden()
    assert told(page) == []
    name_of(page, "GRAB").hover()
    page.mouse.down()
    page.mouse.move(300, 200, steps=3)
    expect(strip).to_be_visible()
    over(page, box["x"] + 20, box["y"] + 10)
    page.mouse.up()
    expect(strip).to_be_hidden()
    assert told(page) == [{"event": "tier", "target": "GRAB", "value": "medium"}]


def test_its_own_tier_and_other_things_that_are_dragged_are_nothing_to_it(page: Page) -> None:
    name_of(page, "GRAB").drag_to(page.locator(".hp-balance-line[data-key=arctic]"))
    page.evaluate(
        """() => { const link = document.createElement("a");
                   Object.assign(link, { href: "#x", id: "link", textContent: "a link" });
                   document.body.append(link); }"""
    )
    page.locator("#link").drag_to(page.locator(".hp-balance-line[data-key=arctic]"))
    page.evaluate("() => window.stop()")
    name_of(page, "GRAB").drag_to(page.locator(".hp-balance-line[data-key=fitness]"))
    assert told(page) == []
