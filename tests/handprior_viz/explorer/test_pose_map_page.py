"""The map in a real Chromium, with a stand-in for the notebook: what is drawn, what a click hits, what a line holds."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from handprior_viz.explorer.pose_map import PoseMap
from tests.handprior_viz.widget_page import pixels
from tests.jupyter_browser import chromium, open_browser

pytestmark = pytest.mark.browser

STATE = list(PoseMap.class_own_traits(sync=True))
COLOURS = ("#0072B2", "#E69F00", "#8A94A3")

# What anywidget does, with the buffers of what is sent; `set` and `save_changes` come back as a change.
MOUNT = """async ([code, state, binary]) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  for (const name of binary) state[name] = bytes(state[name]);
  const listeners = {}, sent = [], changed = new Set();
  const model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; changed.add(name); },
    save_changes: () => { for (const name of changed) listeners[`change:${name}`]?.(); changed.clear(); },
    on: (name, act) => { listeners[name] = act; }, off: (name) => { delete listeners[name]; },
    send: (message, _, buffers) => {
      sent.push({ ...message, points: buffers ? [...new Uint32Array(buffers[0])] : null });
    },
  };
  const widget = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const end = widget.default.render({ model, el: document.querySelector("#here") });
  window.page = { state, listeners, sent, end };
}"""

CHANGE = """([name, value]) => {
  const { state, listeners } = window.page;
  state[name] = value;
  listeners[`change:${name}`]?.();
}"""


class Mounted:
    """A map in a page, of points in a square from (-50, -50) to (50, 50), millimetres."""

    def __init__(self, page: Page, points: np.ndarray, dataset_of: np.ndarray) -> None:
        self.page, self.points, self.dataset_of = page, points, dataset_of
        self.plot = page.locator(".hp-map-plot")

    @property
    def box(self) -> dict[str, float]:
        box = self.plot.bounding_box()
        assert box is not None
        return dict(box)

    def places(self) -> np.ndarray:
        """Where each point is in the page: the square's scale and middle, worked out from the plot's size alone."""
        width, height = (
            self.page.evaluate(f"document.querySelector('.hp-map-plot').client{s}") for s in ("Width", "Height")
        )
        extent = self.points.max(axis=0) - self.points.min(axis=0)
        middle = (self.points.max(axis=0) + self.points.min(axis=0)) / 2
        scale = min((width - 50) / extent[0], (height - 50) / extent[1])
        corner = np.array([self.box["x"] + 1, self.box["y"] + 1])  # inside the border
        return corner + [width / 2, height / 2] + scale * (self.points - middle) * [1, -1]

    def sent(self) -> list[dict[str, Any]]:
        return self.page.evaluate("() => window.page.sent.splice(0)")

    def tell(self, name: str, value: Any) -> None:
        self.page.evaluate(CHANGE, [name, value])

    def rest(self) -> None:
        self.page.wait_for_timeout(120)

    def drag(self, path: np.ndarray) -> None:
        mouse = self.page.mouse
        mouse.move(*path[0])
        mouse.down()
        for place in path[1:]:
            mouse.move(*place)
        mouse.up()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if chromium() is None:
        pytest.skip("needs Chromium (system package `chromium`)")
    with open_browser() as browser:
        yield browser.new_page(viewport={"width": 900, "height": 640})


def show(page: Page, points: np.ndarray, dataset_of: np.ndarray, width: int = 860) -> Mounted:
    shown = PoseMap()
    state: dict[str, Any] = {name: getattr(shown, name) for name in STATE}
    state |= {
        "points": base64.b64encode(points.astype("<f4").tobytes()).decode(),
        "dataset_of": base64.b64encode(dataset_of.astype("<u2").tobytes()).decode(),
        "datasets": [
            {"name": name, "colour": colour, "count": int((dataset_of == k).sum())}
            for k, (name, colour) in enumerate(zip(("GRAB", "KIT", "CMU"), COLOURS, strict=True))
        ],
        "axes": {"across": {"low": "both hands open", "high": "both hands closed", "about": "first"}, "up": {}},
    }
    page.set_content(f"<style>body {{ margin: 10px }} {shown._css}</style><div id=here style='width: {width}px'></div>")
    page.evaluate(MOUNT, [shown._esm, state, ["points", "dataset_of"]])
    shown.close()
    page.wait_for_selector(".hp-map[data-frame-count]")
    mounted = Mounted(page, points, dataset_of)
    mounted.rest()
    return mounted


@pytest.fixture
def mounted(page: Page) -> Iterator[Mounted]:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    random = np.random.default_rng(0)
    points = random.uniform(-50, 50, (400, 2))
    points[:2] = [[-50, -50], [50, 50]]
    yield show(page, points, random.integers(0, 3, 400))
    page.evaluate("() => window.page.end()")
    assert page.evaluate("() => Object.keys(window.page.listeners)") == []
    assert problems == []


def wound_around(path: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points a closed path winds around: the angle under which it is seen adds up to whole turns."""
    seen = np.arctan2(*np.moveaxis(path[None] - points[:, None], -1, 0)[::-1])
    turned = np.diff(np.concatenate([seen, seen[:, :1]], axis=1), axis=1)
    return np.abs(((turned + np.pi) % (2 * np.pi) - np.pi).sum(axis=1)) > np.pi


def colour_at(picture: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Colours of a picture around a place in it."""
    x, y = np.round(place).astype(int)
    return picture[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3)


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])


def test_each_point_is_drawn_in_the_colour_of_its_dataset(mounted: Mounted) -> None:
    box = mounted.box
    picture, places = pixels(mounted.plot), mounted.places() - [box["x"], box["y"]]
    apart = np.sort(np.linalg.norm(places[:, None] - places[None], axis=-1), axis=1)[:, 1] > 9
    alone = [k for k in np.flatnonzero(apart) if places[k, 0] > 40 and k > 1]
    assert len(alone) > 60
    for k in alone:
        white = 255 - 0.75 * (255 - rgb(COLOURS[mounted.dataset_of[k]]))
        assert np.abs(colour_at(picture, places[k]) - white).max(axis=1).min() < 12


def test_a_click_hits_the_nearest_point_and_an_empty_place_none(mounted: Mounted) -> None:
    places = mounted.places()
    for k in (5, 42, 399):
        mounted.page.mouse.click(*(places[k] + [0.6, -0.4]).tolist())
        nearest = np.linalg.norm(places - places[k] - [0.6, -0.4], axis=1).argmin()
        assert mounted.sent() == [{"picked": int(nearest), "points": None}]
    empty = np.array([mounted.box["x"] + 30, mounted.box["y"] + 12])
    assert np.linalg.norm(places - empty, axis=1).min() > 14
    mounted.page.mouse.click(*empty.tolist())
    assert mounted.sent() == []


@pytest.mark.parametrize("shape", ["round", "crossing itself", "a horseshoe"])
def test_a_line_holds_exactly_the_points_that_it_winds_around(mounted: Mounted, shape: str) -> None:
    places = mounted.places()
    middle, turn = places.mean(axis=0), np.linspace(0, 2 * np.pi, 40, endpoint=False)
    if shape == "round":
        path = middle + 90.3 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    elif shape == "crossing itself":
        path = middle + 120.7 * np.stack([np.sin(turn), np.sin(2 * turn) / 2], axis=1)
    else:
        out, back = turn[:30], turn[:30][::-1]
        arcs = [radius * np.stack([np.cos(t), np.sin(t)], axis=1) for radius, t in ((130.2, out), (60.1, back))]
        path = middle + np.concatenate(arcs)
    mounted.drag(path)
    (told,) = mounted.sent()
    inside = np.flatnonzero(wound_around(path, places))
    assert 10 < len(inside) < 390
    assert sorted(told["points"]) == inside.tolist()
    assert (told["chosen"], told["from"]) == (len(inside), "lasso")


def test_hidden_datasets_are_neither_drawn_nor_hit_nor_held(mounted: Mounted) -> None:
    places, entries = mounted.places(), mounted.page.locator(".hp-map-entry")
    entries.nth(1).click()
    assert entries.nth(1).get_attribute("aria-pressed") == "false"
    assert mounted.page.evaluate("() => window.page.state.hidden") == [1]
    mounted.page.mouse.move(5, 5)
    mounted.rest()
    amber = np.abs(pixels(mounted.plot) - (255 - 0.75 * (255 - rgb(COLOURS[1])))).max(axis=2) < 8
    assert amber.sum() == 0
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (places.max(axis=0) - places.min(axis=0) + 8)
    mounted.drag(places.min(axis=0) - 4 + corners)
    (told,) = mounted.sent()
    assert sorted(told["points"]) == np.flatnonzero(mounted.dataset_of != 1).tolist()
    entries.nth(2).dblclick()
    assert mounted.page.evaluate("() => window.page.state.hidden") == [0, 1]
    mounted.page.get_by_role("button", name="All").click()
    assert mounted.page.evaluate("() => window.page.state.hidden") == []
    entries.nth(0).focus()
    mounted.page.keyboard.press("Shift+Enter")
    assert mounted.page.evaluate("() => window.page.state.hidden") == [1, 2]


def test_the_mark_moves_leaves_a_trail_and_draws_no_point_again(mounted: Mounted) -> None:
    frames = mounted.page.locator(".hp-map").get_attribute("data-frame-count")
    mark = mounted.page.locator(".hp-map-ring")
    for k in (10, 11, 12):
        mounted.tell("mark", mounted.points[k].tolist())
        box = mark.bounding_box()
        assert box is not None
        np.testing.assert_allclose(
            [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2], mounted.places()[k], atol=1
        )
    trail = mounted.page.locator(".hp-map-trail")
    assert (trail.get_attribute("d") or "").count("L") == 2
    assert mounted.page.locator(".hp-map").get_attribute("data-frame-count") == frames
    mounted.page.evaluate("() => { const now = performance.now(); performance.now = () => now + 4001; }")
    mounted.page.wait_for_function("() => !document.querySelector('.hp-map-trail').getAttribute('d')")
    mounted.page.evaluate("() => { delete performance.now; }")
    mounted.tell("mark", [10_000.0, 0.0])
    box = mark.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= mounted.box["x"] + mounted.box["width"]


def test_everything_can_be_done_with_the_keyboard(mounted: Mounted) -> None:
    mounted.tell("mark", [0.0, 0.0])
    start = mounted.places()[:2].mean(axis=0)
    keyboard = mounted.page.keyboard
    mounted.plot.focus()
    keyboard.press("Enter")
    assert mounted.sent() == []  # there is no cross yet
    for key in ("ArrowRight", "Shift+ArrowRight", "ArrowUp"):
        keyboard.press(key)
    distance = np.linalg.norm(mounted.places() - start - [40, -8], axis=1)
    keyboard.press("Enter")
    assert mounted.sent() == [{"picked": int(distance.argmin()), "points": None}]
    assert (
        mounted.page.locator(".hp-map-tip").inner_text()
        == ("GRAB", "KIT", "CMU")[mounted.dataset_of[distance.argmin()]]
    )
    keyboard.press("Space")
    (told,) = mounted.sent()
    assert told["points"] == np.argsort(distance)[:12].tolist()
    keyboard.press("Escape")
    keyboard.press("Space")
    assert mounted.sent() == []
    mounted.page.get_by_role("button", name="Hands around this pose").click()
    (told,) = mounted.sent()
    assert told["points"] == np.argsort(np.linalg.norm(mounted.places() - start, axis=1))[:12].tolist()


def test_chosen_hands_carry_their_numbers(mounted: Mounted) -> None:
    mounted.tell("numbered", [30, 7])
    labels = mounted.page.locator(".hp-map-numbers text")
    assert labels.all_text_contents() == ["1", "2"]
    circle = mounted.page.locator(".hp-map-numbers circle").nth(1).bounding_box()
    assert circle is not None
    centre = [circle["x"] + circle["width"] / 2, circle["y"] + circle["height"] / 2]
    np.testing.assert_allclose(centre, mounted.places()[7], atol=1)


def test_numbers_of_hands_that_lie_together_do_not_cover_each_other(mounted: Mounted) -> None:
    """Twelve hands within a few pixels, and some at the corners, the shown pose in their middle."""
    places = mounted.places()
    crowd = np.argsort(np.linalg.norm(places - places[9], axis=1))[:10]
    mounted.tell("mark", mounted.points[9].tolist())
    mounted.tell("numbered", [0, 1, *crowd.tolist(), *crowd[:3].tolist()])
    labels = mounted.page.locator(".hp-map-numbers text")
    assert labels.all_text_contents() == [str(k + 1) for k in range(15)]
    boxes = np.array([[b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]]
                      for b in (label.bounding_box() for label in labels.all()) if b])  # fmt: skip
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    for k, one in enumerate(middles):
        away = np.abs(np.delete(middles, k, axis=0) - one)
        assert ((away[:, 0] > 14) | (away[:, 1] > 11)).all(), k
    numbered = places[[0, 1, *crowd, *crowd[:3]]]
    assert np.linalg.norm(middles - numbered, axis=1).max() < 65
    assert (boxes[:, :2] >= [mounted.box["x"], mounted.box["y"]]).all()
    assert (boxes[:, 2] <= mounted.box["x"] + mounted.box["width"]).all()


@pytest.mark.parametrize("width", [420, 660, 860])
def test_it_fits_into_any_width(page: Page, width: int) -> None:
    points = np.random.default_rng(1).normal(0, 20, (20_000, 2))
    shown = show(page, points, np.arange(20_000) % 3, width)
    assert page.evaluate("() => document.querySelector('.hp-map').scrollWidth") <= width
    assert shown.box["width"] > width / 2
    page.mouse.click(*shown.places()[11])
    assert len(shown.sent()) == 1
    page.evaluate("() => window.page.end()")


def test_an_empty_map_says_why(page: Page) -> None:
    show_nothing = PoseMap()
    assert show_nothing.said
    state = {name: getattr(show_nothing, name) for name in STATE} | {"points": "", "dataset_of": ""}
    page.set_content(f"<style>{show_nothing._css}</style><div id=here style='width: 600px'></div>")
    page.evaluate(MOUNT, [show_nothing._esm, state, ["points", "dataset_of"]])
    assert page.locator(".hp-map-empty").inner_text() == show_nothing.said
    assert not page.locator(".hp-map-foot").is_visible()
    page.mouse.click(200, 100)
    assert page.evaluate("() => window.page.sent") == []
    page.evaluate("() => window.page.end()")
    show_nothing.close()
