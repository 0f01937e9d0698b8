"""Small parts of panels in a real Chromium, with a stand-in for the notebook: tabs, and the map of distances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from handprior_viz.audit_report.distance_map import distance_map
from handprior_viz.auditing.dataset_looks import DistancesPicture
from handprior_viz.auditing.distance_view import DistanceView
from handprior_viz.tab_strip import TabStrip
from tests.handprior_viz.widget_page import change, mount
from tests.jupyter_browser import browser as browser

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own: one that was written anew forgets what the pointer is over."""
    opened = browser.new_page(viewport={"width": 800, "height": 800})
    yield opened
    opened.close()


# Tabs -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tabs(page: Page) -> Page:
    strip = TabStrip({key: (f"The {key}", f"about {key}") for key in ("a", "b", "<c>")}, on_open=print)
    mount(page, strip, width=600)
    strip.close()
    return page


def opened(page: Page) -> list[str]:
    """What was told since this was last asked."""
    return [message["open"] for message in page.evaluate("() => window.page.sent.splice(0)")]


def open_tab(page: Page) -> str:
    """The tab that is said to be open; it alone can be reached by the Tab key."""
    tab = page.get_by_role("tab", selected=True)
    expect(tab).to_have_count(1)
    assert page.locator("[role=tab][tabindex='0']").all_inner_texts() == tab.all_inner_texts()
    return tab.inner_text()


def test_a_tab_is_opened_by_a_click_once(tabs: Page) -> None:
    assert open_tab(tabs) == "The a"
    tabs.get_by_role("tab", name="The <c>", exact=True).dblclick()
    assert opened(tabs) == ["<c>"]
    assert open_tab(tabs) == "The <c>"
    change(tabs, chosen="b")
    assert open_tab(tabs) == "The b"
    assert opened(tabs) == []


def test_arrows_home_and_end_go_through_the_tabs(tabs: Page) -> None:
    tabs.keyboard.press("Tab")
    for key, to in (("ArrowRight", "b"), ("ArrowRight", "<c>"), ("ArrowRight", "a"), ("ArrowLeft", "<c>"),
                    ("Home", "a"), ("End", "<c>")):  # fmt: skip
        tabs.keyboard.press(key)
        assert opened(tabs) == [to]
        assert open_tab(tabs) == f"The {to}"
        expect(tabs.get_by_role("tab", selected=True)).to_be_focused()
    tabs.keyboard.press("End")
    tabs.keyboard.press("Control+ArrowLeft")
    assert opened(tabs) == []
    tabs.keyboard.press("Shift+Tab")
    assert tabs.evaluate("() => document.activeElement === document.body")


# Distances --------------------------------------------------------------------------------------------------------

NAMES = ("GRAB", "arctic", "<b>CMU")
VALUES = np.array([[np.nan, 0.25, 0.5], [0.25, np.nan, np.nan], [0.5, np.nan, np.nan]])


@pytest.fixture
def distances(page: Page) -> Page:
    drawn = distance_map(NAMES, ["#0072B2"] * 3, VALUES, key="map", most=0.5)
    view = DistanceView()
    view.show(
        DistancesPicture(f'<p class="hp-audit-here">rest</p><div class="hp-audit-map">{drawn}</div>', NAMES, VALUES)
    )
    mount(page, view, width=600)
    view.close()
    return page


def move_to(page: Page, row: int, column: int) -> None:
    """Point at the middle of a square, where its number stands in the picture: one to the right of its name."""
    box = page.locator("svg.map").bounding_box()
    assert box is not None
    side, room = (float(page.locator("svg.map").get_attribute(f"data-{name}") or 0) for name in ("side", "room"))
    scale = box["width"] / (room + 3 * side)
    x, y = (scale * (room + side * (k + 0.5)) for k in (column, row))
    page.mouse.move(box["x"] + x, box["y"] + y)


def test_the_number_of_a_square_is_said_under_the_pointer(distances: Page) -> None:
    said = distances.locator(".hp-audit-here")
    for row, column, words in (
        (0, 2, "GRAB and <b>CMU: 0.50"),
        (1, 0, "arctic and GRAB: 0.25"),
        (1, 2, "arctic and <b>CMU: not known, one of them has no live hand"),
        (1, 1, "rest"),
    ):
        move_to(distances, row, column)
        expect(said).to_have_text(words)
    move_to(distances, 0, 1)
    box, square = distances.locator(".here").bounding_box(), distances.locator("text.number", has_text="0.25").first
    number = square.bounding_box()
    assert box is not None
    assert number is not None
    assert box["x"] < number["x"] < number["x"] + number["width"] < box["x"] + box["width"]
    assert box["y"] < number["y"] < box["y"] + box["height"]
    distances.mouse.move(5, 795)
    expect(said).to_have_text("rest")


def test_the_arrow_keys_go_from_square_to_square_and_leave_out_the_diagonal(distances: Page) -> None:
    said = distances.locator(".hp-audit-here")
    distances.mouse.move(5, 795)
    distances.locator("svg.map").focus()
    for key, words in (
        ("ArrowDown", "GRAB and arctic: 0.25"),  # the first
        ("ArrowRight", "GRAB and <b>CMU: 0.50"),
        ("ArrowRight", "GRAB and <b>CMU: 0.50"),  # there is no more
        ("ArrowLeft", "GRAB and arctic: 0.25"),
        ("ArrowDown", "<b>CMU and arctic: not known, one of them has no live hand"),
        ("ArrowLeft", "<b>CMU and GRAB: 0.50"),
        ("Escape", "rest"),
    ):
        distances.keyboard.press(key)
        expect(said).to_have_text(words)
