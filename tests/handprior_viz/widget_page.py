"""A widget's module in a bare page, with a stand-in for the notebook: a model with get, on, off and send."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import anywidget
import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page

# Does what anywidget does. What the widget sends to Python is kept in `window.page.sent`.
MOUNT = """async ([code, state, binary]) => {
  for (const name of binary) {
    state[name] = new DataView(Uint8Array.from(atob(state[name]), (c) => c.charCodeAt(0)).buffer);
  }
  const listeners = {}, sent = [];
  const model = { get: (name) => state[name], on: (name, act) => { listeners[name] = act; },
                  off: (name) => { delete listeners[name]; }, send: (message) => { sent.push(message); } };
  const widget = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const start = () => widget.default.render({ model, el: document.querySelector("#here") });
  window.page = { state, listeners, sent, start, end: start() };
}"""

CHANGE = """([changes, binary]) => {
  const { state, listeners } = window.page;
  for (const name of binary) {
    changes[name] = new DataView(Uint8Array.from(atob(changes[name]), (c) => c.charCodeAt(0)).buffer);
  }
  Object.assign(state, changes);
  for (const name in changes) listeners[`change:${name}`]?.();
}"""

# How many WebGL contexts were made by showing the widget fifty times more, and how many of them are alive at the end.
FIFTY_TIMES = """async () => {
  const made = [], getContext = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (...how) {
    const context = getContext.apply(this, how);
    made.push(context);
    return context;
  };
  for (let k = 0; k < 50; k++) {
    const end = window.page.start();
    await new Promise(requestAnimationFrame);
    end();
  }
  HTMLCanvasElement.prototype.getContext = getContext;
  const known = [...new Set(made)];
  return [known.length, known.filter((context) => !context.isContextLost()).length];
}"""


def mount(page: Page, widget: anywidget.AnyWidget, *, width: int, style: str = "") -> None:
    """Show a widget in an empty page, in a box of this many CSS pixels."""
    page.set_content(
        f"<style>body {{ margin: 0 }} {widget._css} {style}</style><div id=here style='width: {width}px'></div>"
    )
    state = {name: value for name, value in widget.get_state().items() if not name.startswith("_") and name != "layout"}
    page.evaluate(MOUNT, [widget._esm, *_encoded(state)])


def change(page: Page, **traits: Any) -> None:
    """Hand the page new values of traits, as one message from Python does."""
    page.evaluate(CHANGE, message_of(**traits))


def message_of(**traits: Any) -> list[Any]:
    """New values of traits as the argument of :data:`CHANGE`."""
    return list(_encoded(traits))


def rest(page: Page, root: str) -> None:
    """Wait until live hands draw no more, the sharper picture after a movement included.

    Args:
        page: Where they are.
        root: Selector of the widget.
    """
    page.evaluate(
        """async (root) => {
          for (let k = 0; k < 3; k++) await new Promise(requestAnimationFrame); // what was just asked for has begun
          while (document.querySelector(root).dataset.atRest !== "true") await new Promise(requestAnimationFrame);
        }""",
        root,
    )


def pixels(place: Locator) -> np.ndarray:
    """What a part of the page shows, (H, W, 3) whole numbers."""
    return np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("RGB")).astype(int)


def _encoded(state: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    binary = [name for name, value in state.items() if isinstance(value, bytes)]
    text = {name: base64.b64encode(value).decode() if name in binary else value for name, value in state.items()}
    return text, binary
