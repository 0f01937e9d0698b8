"""A rack of sliders in a real Chromium, with a stand-in for the notebook."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from handprior_viz.explorer.controls import WalkBar
from handprior_viz.live_markup import PANEL_CSS
from handprior_viz.slider_rack import Slider, SliderRack
from tests.jupyter_browser import chromium, open_browser

pytestmark = pytest.mark.browser

# A page that does what anywidget does; messages to Python are kept, and answered soon.
MOUNT = """async ([code, state]) => {
  const listeners = {};
  window.sent = [];
  const model = { get: (name) => state[name], on: (name, act) => { listeners[name] = act; }, off: () => {},
                  send: (message) => {
                    window.sent.push(message);
                    setTimeout(() => listeners["msg:custom"]({ answered: true }));
                  } };
  window.put = (values) => { state.values = values; listeners["change:values"](); };
  const widget = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  widget.default.render({ model, el: document.querySelector("#here") });
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if chromium() is None:
        pytest.skip("needs Chromium (system package `chromium`)")
    with open_browser() as browser:
        yield browser.new_page(viewport={"width": 640, "height": 200})


@pytest.fixture
def rack(page: Page) -> Page:
    """A bend that is usually 0 to 90 degrees, and a plain slider."""
    made = SliderRack(
        [Slider("bend", -30, 120, 1, unit="°", digits=0, usual=(0, 90)), Slider("axis", -3, 3, unit="sd")]
    )
    style = f"<style>body {{ margin: 0 }} {PANEL_CSS}</style>"
    page.set_content(f"{style}<div id=here class=handprior style='width: 500px'></div>")
    page.evaluate(MOUNT, [str(made._esm), {"rows": made.rows, "values": made.values, "disabled": ""}])
    made.close()
    return page


def test_degrees_stand_at_the_number_and_other_units_apart_from_it(rack: Page) -> None:
    rack.evaluate("() => window.put([45, 1])")
    expect(rack.locator("output")).to_have_text(["45°", "1.0 sd"])


def test_a_value_beyond_the_usual_stands_out(rack: Page) -> None:
    rows = rack.locator(".hp-slider")
    for value, beyond in ((0, False), (90, False), (91, True), (-1, True), (45, False)):
        rack.evaluate("(value) => window.put([value, 3])", value)
        assert rows.nth(0).evaluate("row => row.classList.contains('hp-slider-beyond')") is beyond
    assert not rows.nth(1).evaluate("row => row.classList.contains('hp-slider-beyond')")


def test_the_band_lies_under_the_thumb_at_its_ends(rack: Page) -> None:
    """What is painted around the track at half its height, a thumb's breadth above and below the line."""
    box = rack.locator("input").nth(0).bounding_box()
    assert box is not None
    rack.evaluate("() => window.put([120, 0])")

    def painted(value: float, away: int) -> str:
        """The colour a few pixels to one side of where the thumb stands for a value, just above the track."""
        x = 7 + (box["width"] - 14) * (value + 30) / 150 + away
        return pixel(rack, box["x"] + x, box["y"] + box["height"] / 2 - 4)

    plain = painted(-20, 0)
    assert painted(0, -3) == painted(90, 3) == plain
    assert painted(0, 3) == painted(90, -3) == painted(45, 0) != plain


def test_a_double_click_is_one_gesture_and_goes_home(rack: Page) -> None:
    rack.locator("input").nth(0).dblclick(position={"x": 180, "y": 9})
    expect(rack.locator("input").nth(0)).to_have_js_property("value", "0")
    rack.wait_for_function("() => window.sent.at(-1).moves[0][1] === 0")
    sent = rack.evaluate("() => window.sent")
    assert sent[0]["moves"][0][1] > 0
    assert len({message["gesture"] for message in sent}) == 1
    rack.wait_for_timeout(700)
    rack.locator("input").nth(0).click(position={"x": 180, "y": 9})
    rack.wait_for_function("(gesture) => window.sent.at(-1).gesture !== gesture", arg=sent[-1]["gesture"])


def test_keys_after_a_press_are_a_gesture_of_their_own(rack: Page) -> None:
    rack.locator("input").nth(0).click(position={"x": 180, "y": 9})
    for sent in (1, 2):  # what comes while a message is under way goes out with the next one
        rack.wait_for_function("(count) => window.sent.length === count", arg=sent)
        rack.keyboard.press("ArrowRight")
    rack.wait_for_function("() => window.sent.length === 3")
    press, *keys = rack.evaluate("() => window.sent.map(({ gesture }) => gesture)")
    assert keys == [press + 1] * 2


def pixel(page: Page, x: float, y: float) -> str:
    clip = {"x": int(x), "y": int(y), "width": 1, "height": 1}
    red, green, blue = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB").getpixel((0, 0))
    return f"{red},{green},{blue}"


def test_the_bar_between_two_pins_shows_its_number_where_there_is_least_room(page: Page) -> None:
    """The explorer's column leaves it 150 pixels, and a button follows."""
    bar = WalkBar(on_pin=print, on_unpin=print, on_walk=print, on_play=print)
    style = f"<style>body {{ margin: 0; font: 13px sans-serif }} {PANEL_CSS}</style>"
    page.set_content(f"{style}<div id=here class='handprior hp-way' style='width: 150px'></div>")
    page.evaluate(MOUNT, [str(bar.way._esm), {"rows": bar.way.rows, "values": [100.0], "disabled": ""}])
    bar.way.close()
    expect(page.locator("output")).to_have_text("100 %")
    number = page.evaluate(
        """() => { const words = document.createRange();
                   words.selectNodeContents(document.querySelector("output"));
                   const { left, right } = words.getBoundingClientRect();
                   return [left, right]; }"""
    )
    slider = page.locator("input").bounding_box()
    assert slider is not None
    assert slider["x"] + slider["width"] <= number[0]
    assert number[1] <= 150
