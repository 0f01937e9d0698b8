"""The latent explorer as a person meets it: mouse and keyboard on its sliders, in JupyterLab in a real Chromium."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.jupyter_browser import Lab, Notebook, lab, write_notebook  # noqa: F401 (a fixture)

PATIENCE = 120_000
"""Milliseconds that a step may take on a slow machine; steps end as soon as they are done."""

MOVED = 0.003
"""Share of the picture's pixels that a moved finger changes at least."""

TELL = """
import json, pathlib
explorer.settle()
told = {"pose": explorer.pose.tolist(), "latent": explorer.latent.tolist(), "by": explorer.state.shown.by}
pathlib.Path("told.json").write_text(json.dumps(told))
"""


@pytest.fixture
def notebook(lab: Lab, demo_store: Path, demo_run: Path) -> Notebook:  # noqa: F811
    """An explorer of a Gaussian, and a cell that writes down what it shows."""
    shown = (
        f"from handprior_viz import LatentExplorer\nexplorer = LatentExplorer({str(demo_run)!r}, {str(demo_store)!r})"
    )
    write_notebook(lab.folder / "explore.ipynb", f"{shown}\nexplorer", TELL)
    opened = lab.open("explore.ipynb", width=1440, height=1400)
    opened.page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    opened.run_all()
    return opened


def told(notebook: Notebook, folder: Path) -> dict:
    """What Python says is shown."""
    file = folder / "told.json"
    file.unlink(missing_ok=True)
    notebook.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
    notebook.command("notebook:run-cell")
    for _ in range(600):
        if file.exists() and file.stat().st_size:
            return json.loads(file.read_text())
        notebook.page.wait_for_timeout(100)
    raise AssertionError("the cell did not run")


def drag(slider: Locator, to: float) -> None:
    """Drag a slider's thumb from where it stands to a share of its length."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    low, high = (float(slider.get_attribute(name) or 0) for name in ("min", "max"))
    at = (float(slider.input_value()) - low) / (high - low)
    x = [box["x"] + 7 + min(max(share, 0), 1) * (box["width"] - 14) for share in (at, to)]
    y = box["y"] + box["height"] / 2
    mouse = slider.page.mouse
    mouse.move(x[0], y)
    mouse.down()
    mouse.move(x[1], y, steps=8)
    mouse.up()


def drawn(page: Page, until: Callable[[np.ndarray], bool]) -> np.ndarray:
    """The live hands' picture, once it is as it should be and no longer changes."""
    canvas = page.locator(".hp-hand-view canvas").first
    last = None
    for _ in range(400):
        picture = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB"), np.float64)
        if last is not None and np.array_equal(picture, last) and until(picture):
            return picture
        last = picture
        page.wait_for_timeout(150)
    raise AssertionError("the hands were not drawn as they should be")


def differ(a: np.ndarray, b: np.ndarray) -> float:
    return float((np.abs(a - b).max(axis=-1) > 25).mean())


@pytest.mark.browser
def test_axes_and_joints_move_one_pose_and_pins_a_walk(notebook: Notebook, lab: Lab) -> None:  # noqa: F811
    page = notebook.page
    panel = page.locator(".hp-panel").first
    tab = panel.get_by_role("tab")
    axis = panel.get_by_role("slider", name="1 ").first
    middle = drawn(page, lambda _: True)

    # An axis is dragged; a double click puts it back to zero; the keyboard undoes that and redoes it.
    drag(axis, 0.9)
    moved = drawn(page, lambda now: differ(now, middle) > MOVED)
    value = float(axis.input_value())
    assert value > 1.5
    axis.dblclick(position={"x": 30, "y": 9})  # far from the middle, where a single click would do the same
    expect(axis).to_have_js_property("value", "0")
    drawn(page, lambda now: differ(now, middle) < MOVED)
    page.keyboard.press("Control+z")  # the double click is one step, the click that it began with included
    expect(axis).to_have_js_property("valueAsNumber", value)
    page.keyboard.press("Control+Shift+Z")
    expect(axis).to_have_js_property("value", "0")
    page.keyboard.press("Control+z")
    drawn(page, lambda now: differ(now, moved) < MOVED)
    panel.get_by_role("button", name="Pin A").click()
    first = told(notebook, lab.folder)
    assert first["by"] == "latent"

    # A joint is turned: that joint and no other, and the axes follow.
    tab.filter(has_text="Joints").click()
    panel.get_by_role("button", name="ring").click()
    bend = panel.get_by_role("slider", name="first joint: bend")
    before = drawn(page, lambda _: True)
    drag(bend, 0.95)
    degrees = float(bend.input_value())
    assert degrees > 100
    drawn(page, lambda now: differ(now, before) > MOVED)
    expect(panel.locator(".hp-explorer-seen")).to_contain_text("Shown exactly as set")
    second = told(notebook, lab.folder)
    assert second["by"] == "pose"
    joints = {k // 3 for k in np.flatnonzero(np.abs(np.subtract(second["pose"], first["pose"])) > 1e-6)}
    assert joints == {9}  # left ring1
    assert second["latent"] != first["latent"]
    panel.get_by_role("button", name="Pin B").click()

    # From A to B: halfway, the dragged joint is half as bent.
    tab.filter(has_text="Walk").click()
    panel.locator("button", has_text="joint slerp").click()
    way = panel.get_by_role("slider", name="A → B, %")
    drag(way, 0.5)
    expect(way).to_have_js_property("value", "50")
    halfway = told(notebook, lab.folder)
    bends = [np.linalg.norm(one["pose"][27:30]) for one in (first, halfway, second)]
    assert bends[0] < bends[1] < bends[2]
    panel.get_by_role("button", name="Play").click()
    expect(way).not_to_have_js_property("value", "50")
    panel.get_by_role("button", name="Pause").click()
    assert not notebook.problems, notebook.problems
