"""The live hand in a real Chromium, with a stand-in for the notebook: it shows what the stills show, and behaves."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from handprior_viz.hand_view import HandView
from handprior_viz.render import Renderer, render_hands
from tests.jupyter_browser import chromium, open_browser

pytestmark = pytest.mark.browser

# Traits that the page reads.
STATE = list(HandView.class_own_traits(sync=True))

# A page that does what anywidget does: hands the module a model with get, on and off.
MOUNT = """async ([code, state, binary]) => {
  for (const name of binary) {
    state[name] = new DataView(Uint8Array.from(atob(state[name]), (c) => c.charCodeAt(0)).buffer);
  }
  const listeners = {};
  const model = { get: (name) => state[name], on: (name, act) => { listeners[name] = act; },
                  off: (name) => { delete listeners[name]; } };
  const widget = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const end = widget.default.render({ model, el: document.querySelector("#here") });
  window.page = { state, listeners, end };
}"""

SEND = """([name, data, version]) => {
  const { state, listeners } = window.page;
  state[name] = new DataView(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)).buffer);
  state.version = version;
  listeners[`change:${name}`]();
}"""

# Only hands are compared with stills.
PLAIN = """
.hp-side, .hp-hand-view > div { display: none !important }
.hp-hand-view { border: none !important; border-radius: 0 !important; outline: none !important }
"""


def both(name: str) -> np.ndarray:
    left = np.asarray(named_poses()[name], np.float32)
    return np.concatenate([left, mirror_hand(left)])


def encoded(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


class Mounted:
    """A live hand in a page."""

    def __init__(self, page: Page, view: HandView) -> None:
        self.page, self.view = page, view
        self.root = page.locator(".hp-hand-view")

    def send(self, pose: np.ndarray, version: int, trait: str = "positions") -> None:
        self.page.evaluate(SEND, [trait, encoded(self.view._packed(pose)), version])

    def rest(self) -> None:
        """Wait until nothing is drawn any more, the sharper picture after a movement included."""
        frames = -1
        while frames != (frames := self.frames()):
            self.page.wait_for_timeout(1300)

    def frames(self) -> int:
        return int(self.root.get_attribute("data-frame-count") or 0)

    def pixels(self) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.page.locator("canvas").screenshot())).convert("RGB")).astype(int)


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
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_content(f"<style>body {{ margin: 0 }} {view._css} {PLAIN}</style><div id=here style='width: 400px'></div>")
    state = {name: getattr(view, name) for name in STATE}
    binary = [name for name, value in state.items() if isinstance(value, bytes)]
    page.evaluate(MOUNT, [view._esm, {name: encoded(value) for name, value in state.items()}, binary])
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
    poses = [encoded(mounted.view._packed(both("flat") * 0 + angle)) for angle in np.linspace(0, 0.3, 6)]
    frames = mounted.frames()
    mounted.page.evaluate(f"(many) => many.forEach((data, k) => ({SEND})(['positions', data, 100 + k]))", poses)
    mounted.page.wait_for_selector(".hp-hand-view[data-positions-version='105']")
    assert mounted.frames() == frames + 1


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
    mounted.send(both("spread"), 5, "ghost_positions")
    mounted.rest()
    with_ghost = mounted.pixels()
    added = (np.abs(with_ghost - start).max(axis=2) > 8) & (start.min(axis=2) > 240)
    assert added.mean() > 0.01
    red, _, blue = with_ghost[added].mean(axis=0)
    assert blue > red + 10
    mounted.page.evaluate(SEND, ["ghost_positions", "", 6])
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


def test_follows_the_width_of_the_page(mounted: Mounted) -> None:
    mounted.page.evaluate("() => { document.querySelector('#here').style.width = '600px'; }")
    mounted.rest()
    picture = mounted.pixels()
    assert picture.shape[:2] == (300, 600)
    hand = (picture.max(axis=2) - picture.min(axis=2) > 30).any(axis=0)
    columns = np.flatnonzero(hand)
    assert abs((columns[0] + columns[-1]) / 2 - 300) < 6
