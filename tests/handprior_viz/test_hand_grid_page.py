"""The grid of live hands in a real Chromium: every card shows what a still of its pose shows, and behaves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from handprior_viz.hand_grid import HandGrid
from handprior_viz.render import Renderer, render_hands
from tests.handprior_viz.widget_page import FIFTY_TIMES, change, mount, pixels, rest
from tests.jupyter_browser import chromium, open_browser

pytestmark = pytest.mark.browser

NAMES = ["flat", "fist", "spread", "victory", "ok"]

# Only hands are compared with stills.
PLAIN = ".hp-grid-hands span, .hp-grid-hands b { display: none !important }"


def poses(*names: str) -> np.ndarray:
    left = np.stack([np.asarray(named_poses()[name], np.float32) for name in names])
    return np.concatenate([left, mirror_hand(left)], axis=1)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if chromium() is None:
        pytest.skip("needs Chromium (system package `chromium`)")
    with open_browser() as browser:
        yield browser.new_page(viewport={"width": 900, "height": 700})


@pytest.fixture
def grid(page: Page) -> Iterator[HandGrid]:
    grid = HandGrid(columns=3, cell=(200, 160), on_click=lambda index: None)
    grid.show(poses(*NAMES), NAMES)
    assert grid.settle(20)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    mount(page, grid, width=700, style=PLAIN)
    page.wait_for_selector(".hp-hand-grid[data-frame-count]")
    yield grid
    page.evaluate("() => window.page.end()")
    assert page.locator("canvas").count() == 0
    assert problems == []
    grid.close()


BELOW = 12
"""Pixels below the hands that are left to L and R."""


def send(page: Page, grid: HandGrid, *names: str) -> None:
    grid.show(poses(*names), names)
    assert grid.settle(20)
    change(page, cards=grid.cards, poses=grid.poses, version=grid.version)
    page.wait_for_selector(f".hp-hand-grid[data-poses-version='{grid.version}']")


def hands(page: Page, index: int) -> np.ndarray:
    return pixels(page.locator(".hp-grid-hands").nth(index))


def test_every_card_shows_the_still_of_its_pose_in_one_canvas(page: Page, grid: HandGrid) -> None:
    rest(page, ".hp-hand-grid")
    raster = Renderer(grid._renderer.model, platform=None)
    assert page.locator("canvas").count() == 1
    for index, name in enumerate(NAMES):
        shown, free = np.split(hands(page, index), [-BELOW])
        assert np.ptp(free[:10, 20:-20], axis=1).max() == 0, "only background, where L and R stand"
        size = (shown.shape[1], shown.shape[0])
        still = render_hands(poses(name)[0], size=size, labels=False, caption="", renderer=raster)
        difference = np.abs(shown - still)
        assert difference.mean() < 2.5, name
        assert (difference.max(axis=2) > 60).mean() < 0.02, name


def test_the_number_of_hands_may_change_and_none_hides_the_grid(page: Page, grid: HandGrid) -> None:
    send(page, grid, "fist", "flat")
    rest(page, ".hp-hand-grid")
    assert page.locator(".hp-grid-card").count() == 2
    assert (hands(page, 1).min(axis=2) < 200).mean() > (hands(page, 0).min(axis=2) < 200).mean() + 0.03
    send(page, grid, *NAMES, *NAMES)
    assert page.locator(".hp-grid-card").count() == 10
    change(page, cards=[], poses=b"", version=grid.version + 1)
    assert not page.locator(".hp-hand-grid").is_visible()


def test_columns_follow_the_width_and_nothing_scrolls_sideways(page: Page, grid: HandGrid) -> None:
    def columns() -> int:
        return len({round(card.bounding_box()["x"]) for card in page.locator(".hp-grid-card").all()})  # type: ignore[index]

    for width, expected in ((700, 3), (1500, 3), (430, 2), (240, 1), (150, 1)):
        page.evaluate(f"() => {{ document.querySelector('#here').style.width = '{width}px'; }}")
        assert columns() == expected, width
        assert page.evaluate(
            "() => { const e = document.querySelector('#here'); return e.scrollWidth <= e.clientWidth; }"
        )


def test_click_and_enter_choose_and_a_drag_turns_all_instead(page: Page, grid: HandGrid) -> None:
    rest(page, ".hp-hand-grid")
    before = [hands(page, 0), hands(page, 4)]
    cards = page.locator(".hp-grid-card")
    box = cards.nth(1).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 80, steps=4)
    page.mouse.up()
    rest(page, ".hp-hand-grid")
    page.mouse.move(5, 690)
    assert page.evaluate("() => window.page.sent") == []
    for index, picture in zip((0, 4), before, strict=True):
        assert (np.abs(hands(page, index) - picture).max(axis=2) > 40).mean() > 0.02
    cards.nth(2).click()
    page.keyboard.press("Tab")
    cards.nth(0).focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    told = [{"clicked": 2, "version": grid.version}, {"clicked": 4, "version": grid.version}]
    assert page.evaluate("() => window.page.sent") == told


def test_titles_are_text_and_may_hold_anything(page: Page, grid: HandGrid) -> None:
    change(page, cards=[{"title": "<img src=x onerror=alert(1)> & co"}] * 5, version=grid.version + 1)
    assert page.locator(".hp-grid-title").first.inner_text() == "<img src=x onerror=alert(1)> & co"
    assert page.locator("img").count() == 0


def test_fifty_times_made_and_taken_away_no_context_is_left(page: Page, grid: HandGrid) -> None:
    """A page holds sixteen contexts; were they to pile up, those still shown would be lost."""
    made, alive = page.evaluate(FIFTY_TIMES)
    assert made == 50
    assert alive == 0
    assert page.locator(".hp-hand-grid").count() == 1


def test_says_so_where_webgl_is_missing(page: Page, grid: HandGrid) -> None:
    page.evaluate(
        """() => {
          window.page.end();
          HTMLCanvasElement.prototype.getContext = () => null;
          window.page.end = window.page.start();
        }"""
    )
    assert "cannot be drawn: this browser offers no WebGL 2" in page.locator(".hp-grid-caption").inner_text()
    assert page.locator(".hp-grid-title").first.inner_text() == "flat"
    assert not page.locator(".hp-grid-hands").first.is_visible()
