"""The live hand in a real Chromium, with a stand-in for the notebook: it shows what the stills show, and behaves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from handprior_viz.hand_picture import packed
from handprior_viz.hand_view import HandView
from handprior_viz.render import Renderer, render_hands
from tests.handprior_viz.widget_page import CHANGE, FIFTY_TIMES, change, message_of, mount, pixels, rest
from tests.jupyter_browser import chromium, open_browser

pytestmark = pytest.mark.browser

# Only hands are compared with stills.
PLAIN = """
.hp-side, .hp-hand-view > div { display: none !important }
.hp-hand-view { border: none !important; border-radius: 0 !important; outline: none !important }
"""


def both(name: str) -> np.ndarray:
    left = np.asarray(named_poses()[name], np.float32)
    return np.concatenate([left, mirror_hand(left)])


class Mounted:
    """A live hand in a page."""

    def __init__(self, page: Page, view: HandView) -> None:
        self.page, self.view = page, view
        self.root = page.locator(".hp-hand-view")

    def send(self, pose: np.ndarray, version: int) -> None:
        change(self.page, **self.view._posed(pose, shadows=True), version=version)

    def sync(self) -> None:
        """Hand the page all that the view would have sent."""
        assert self.view.settle(20)
        names = "positions joints ghost_positions shares legend joint_names stage faces left_count nails indptr indices"
        traits = (*names.split(), "weights", "rough_faces", "rough_left_count", "figure")
        change(self.page, **{name: getattr(self.view, name) for name in traits})

    def rest(self) -> None:
        """Wait until nothing is drawn any more."""
        rest(self.page, ".hp-hand-view")

    def frames(self) -> int:
        return int(self.root.get_attribute("data-frame-count") or 0)

    def pixels(self) -> np.ndarray:
        return pixels(self.page.locator("canvas"))

    def text(self, name: str) -> str | None:
        """What a part of the view says; None while it is hidden."""
        part = self.root.locator(name)
        return part.inner_text() if part.is_visible() else None


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if chromium() is None:
        pytest.skip("needs Chromium (system package `chromium`)")
    with open_browser() as browser:
        yield browser.new_page(viewport={"width": 640, "height": 480})


@pytest.fixture
def mounted(page: Page) -> Iterator[Mounted]:
    view = HandView(height=300)
    view.show(both("ok"))
    assert view.settle()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    mount(page, view, width=400, style=PLAIN)
    live = Mounted(page, view)
    page.wait_for_selector(".hp-hand-view[data-frame-count]")
    live.rest()
    yield live
    page.evaluate("() => window.page.end()")
    assert page.locator("canvas").count() == 0
    assert problems == []
    view.close()


def test_shows_what_the_stills_show(mounted: Mounted) -> None:
    raster = Renderer(mounted.view.model, platform=None)
    for key, side in (("p", "palm"), ("b", "back"), ("t", "thumb")):
        mounted.root.focus()
        mounted.page.keyboard.press(key)
        mounted.rest()
        still = render_hands(both("ok"), size=(400, 300), view=side, labels=False, caption="", renderer=raster)  # type: ignore[arg-type]
        difference = np.abs(mounted.pixels() - still)
        assert difference.mean() < 1.0, side
        assert (difference.max(axis=2) > 60).mean() < 0.01, side


def test_a_new_pose_is_drawn_and_its_version_told(mounted: Mounted) -> None:
    before = mounted.pixels()
    mounted.send(both("fist"), 77)
    mounted.page.wait_for_selector(".hp-hand-view[data-positions-version='77']")
    mounted.rest()
    assert (np.abs(mounted.pixels() - before).max(axis=2) > 40).mean() > 0.03


def test_of_many_poses_only_the_newest_is_drawn(mounted: Mounted) -> None:
    frames = mounted.frames()
    messages = [
        message_of(**mounted.view._posed(np.full(90, angle)), version=version)
        for version, angle in enumerate(np.linspace(0, 0.3, 6), 100)
    ]
    mounted.page.evaluate(f"(many) => many.forEach({CHANGE})", messages)
    mounted.page.wait_for_selector(".hp-hand-view[data-positions-version='105']")
    assert mounted.frames() == frames + 1


def test_soft_shadows_that_come_later_are_drawn_with_the_sharper_picture(mounted: Mounted) -> None:
    mounted.send(both("fist"), 50)
    mounted.rest()
    right = mounted.pixels()
    vertices, _ = mounted.view._figure.posed(both("fist"))
    lit = packed(vertices, np.ones(len(vertices), np.float32))
    frames = mounted.frames()
    change(mounted.page, positions=lit, version=51)
    mounted.page.wait_for_selector(".hp-hand-view[data-positions-version='51']")
    change(mounted.page, positions=mounted.view._posed(both("fist"), shadows=True)["positions"])
    mounted.rest()
    assert mounted.frames() == frames + 2  # the pose, and the sharper picture
    assert np.abs(mounted.pixels() - right).mean() < 0.05
    change(mounted.page, positions=lit)  # once it is sharp nothing else would draw them
    mounted.rest()
    assert np.abs(mounted.pixels() - right).mean() > 0.2


def test_nothing_is_drawn_while_nothing_changes(mounted: Mounted) -> None:
    frames = mounted.frames()
    mounted.page.wait_for_timeout(500)
    assert mounted.frames() == frames


def test_drag_arrows_wheel_and_double_click(mounted: Mounted) -> None:
    start = mounted.pixels()
    mouse, keyboard = mounted.page.mouse, mounted.page.keyboard

    def changed() -> float:
        mounted.rest()
        return float((np.abs(mounted.pixels() - start).max(axis=2) > 40).mean())

    mouse.move(200, 150)
    mouse.down()
    mouse.move(260, 150, steps=4)
    mouse.up()
    assert changed() > 0.02
    mouse.dblclick(200, 150)
    assert changed() < 0.002
    keyboard.press("ArrowRight")
    assert changed() > 0.005
    keyboard.press("Home")
    assert changed() < 0.002
    mouse.wheel(0, 400)
    assert changed() > 0.02


def test_a_ghost_is_see_through_and_goes_away(mounted: Mounted) -> None:
    start = mounted.pixels()
    mounted.view.ghost(both("spread"))
    mounted.sync()
    mounted.rest()
    with_ghost = mounted.pixels()
    added = (np.abs(with_ghost - start).max(axis=2) > 8) & (start.min(axis=2) > 240)
    assert added.mean() > 0.01
    red, _, blue = with_ghost[added].mean(axis=0)
    assert blue > red + 10
    mounted.page.add_style_tag(content=".handprior { --hp-accent: #ff0000 !important }")  # as another theme does
    mounted.sync()
    mounted.rest()
    red, _, blue = mounted.pixels()[added].mean(axis=0)
    assert red > blue + 10
    mounted.view.ghost(None)
    mounted.sync()
    mounted.rest()
    assert np.abs(mounted.pixels() - start).mean() < 0.2


def test_a_lost_context_comes_back_with_the_picture(mounted: Mounted) -> None:
    before = mounted.pixels()
    mounted.page.evaluate(
        """async () => {
          const loss = document.querySelector('canvas').getContext('webgl2').getExtension('WEBGL_lose_context');
          loss.loseContext();
          await new Promise((done) => setTimeout(done, 200));
          loss.restoreContext();
        }"""
    )
    mounted.page.wait_for_timeout(500)
    mounted.rest()
    assert np.abs(mounted.pixels() - before).mean() < 0.2


def test_seen_again_it_is_drawn_again_and_as_sharp(mounted: Mounted) -> None:
    """WebKit does not keep what was drawn on a canvas that the notebook left out meanwhile."""
    mounted.page.evaluate("() => { document.body.style.height = '4000px'; }")
    frames = mounted.frames()
    for place in (2000, 0):
        mounted.page.evaluate("(y) => scrollTo(0, y)", place)
        mounted.page.wait_for_timeout(150)
    assert mounted.frames() == frames + 1
    assert mounted.root.get_attribute("data-at-rest") == "true"
    assert mounted.page.evaluate("() => document.querySelector('canvas').width") == 800


def test_follows_the_width_of_the_page(mounted: Mounted) -> None:
    mounted.page.evaluate("() => { document.querySelector('#here').style.width = '600px'; }")
    mounted.rest()
    picture = mounted.pixels()
    assert picture.shape[:2] == (300, 600)
    hand = (picture.max(axis=2) - picture.min(axis=2) > 30).any(axis=0)
    columns = np.flatnonzero(hand)
    assert abs((columns[0] + columns[-1]) / 2 - 300) < 6


def test_the_joint_under_the_pointer_is_named(mounted: Mounted) -> None:
    mounted.page.add_style_tag(content=".hp-joint-name:not([hidden]) { display: block !important }")
    mounted.send(both("flat"), 5)
    mounted.rest()
    stage, joints = mounted.view._renderer.stage, mounted.view.model.hands(both("flat")).joints
    for side, point, words in (
        (0, 2, "left index finger, middle joint"),
        (1, 15, "right thumb, last joint"),
        (1, 18, "right little finger, tip"),
    ):
        x, y, _ = stage.project(joints[side, point][None], (400, 300))[0].tolist()
        mounted.page.mouse.move(x + 2, y + 1)
        assert mounted.text(".hp-joint-name") == words
    mounted.page.mouse.move(200, 40)
    assert mounted.text(".hp-joint-name") is None


def test_colours_and_their_legend_come_and_go(mounted: Mounted) -> None:
    mounted.page.add_style_tag(content=".hp-hand-view-legend:not([hidden]) { display: block !important }")
    start = mounted.pixels()
    values = mounted.view.model.hands(both("ok")).vertices[:, 1]
    mounted.view.colour(np.where(mounted.view.model.side == 0, values, np.nan), label="height, m")
    mounted.sync()
    assert (mounted.text(".hp-hand-view-legend") or "").startswith("height, m")
    mounted.page.locator(".hp-hand-view-legend").evaluate("(e) => { e.style.visibility = 'hidden'; }")
    mounted.rest()
    coloured = mounted.pixels()
    raster = mounted.view._figure.draw(mounted.view._pose, (400, 300), mounted.view._colouring.paint())  # type: ignore[union-attr]
    solid = raster[..., 3] == 255
    assert np.abs(coloured - raster[..., :3])[solid].mean() < 4
    assert np.abs(coloured - start)[:, 210:].mean() < 0.5
    mounted.view.colour(None)
    mounted.sync()
    mounted.rest()
    assert mounted.text(".hp-hand-view-legend") is None
    assert np.abs(mounted.pixels() - start).mean() < 0.2


def test_the_body_takes_the_place_of_the_hands_and_gives_it_back(mounted: Mounted) -> None:
    start = mounted.pixels()
    mounted.view.show_body()
    mounted.sync()
    mounted.rest()
    drawn = mounted.view._figure.draw(mounted.view._pose, (400, 300), None)
    body = drawn[..., 3] > 127
    shown = np.abs(mounted.pixels() - mounted.pixels()[0, 0]).max(axis=2) > 20
    assert (body & shown).sum() > 0.95 * body.sum()
    assert (shown & ~body).sum() < 0.05 * body.sum()
    assert mounted.page.locator("button[data-view='front']").count() == 1
    mounted.view.show_body(False)
    mounted.sync()
    mounted.rest()
    assert np.abs(mounted.pixels() - start).mean() < 0.2


def test_what_is_under_the_pointer_stays_there_while_zooming(mounted: Mounted) -> None:
    mounted.page.add_style_tag(content=".hp-joint-name:not([hidden]) { display: block !important }")
    joint = mounted.view.model.hands(both("ok")).joints[1, 5]
    x, y, _ = mounted.view._renderer.stage.project(joint[None], (400, 300))[0].tolist()
    mounted.root.focus()
    mounted.page.mouse.move(x, y)
    before = mounted.text(".hp-joint-name")
    mounted.page.mouse.wheel(0, -600)
    mounted.rest()
    assert before is not None
    assert mounted.text(".hp-joint-name") == before


def test_fifty_times_made_and_taken_away_no_context_is_left(mounted: Mounted) -> None:
    """A page holds sixteen contexts; were they to pile up, those still shown would be lost."""
    made, alive = mounted.page.evaluate(FIFTY_TIMES)
    assert made == 50
    assert alive == 0
    assert mounted.root.count() == 1
