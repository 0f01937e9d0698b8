"""The tour as a person meets it: JupyterLab in a real Chromium, hands on the sliders and on the stop button."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Locator, expect

from handprior_viz import jobs
from tests.jupyter_browser import Lab, Notebook, lab  # noqa: F401 (a fixture)
from training import load_prior

ROOT = Path(__file__).parents[1]
PATIENCE = 240_000
"""Milliseconds that a step may take on a slow machine; steps end as soon as they are done."""

MOVED = 0.01
"""Share of the picture's pixels that a moved hand changes at least."""


@pytest.fixture
def tour(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:  # noqa: F811
    """The tour, opened; its Hand VAE would train for ever, so that there is something to stop."""
    notebook = nbformat.read(ROOT / "notebooks" / "00_tour.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("frames=60_000", "frames=20_000").replace("total=20_000", "total=2_000")
        cell.source = cell.source.replace('preset="fast"', 'preset="fast", max_epochs=100_000, val_every_epochs=1')
    nbformat.write(notebook, lab.folder / "tour.ipynb")
    yield lab.open("tour.ipynb", width=1440, height=1100)
    for run in jobs.runs(lab.folder / "tour" / "runs"):
        with contextlib.suppress(psutil.NoSuchProcess):
            if run.is_alive():
                psutil.Process(run.status()["pid"]).kill()


@pytest.fixture(autouse=True)
def from_this_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])))


def panel(notebook: Notebook, sentence: str) -> Locator:
    return notebook.page.locator(".hp-panel", has=notebook.page.locator(".hp-sentence", has_text=sentence))


def picture(locator: Locator) -> np.ndarray:
    """What an element looks like, (height, width, 3)."""
    png = locator.screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.float64)


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """Share of pixels that differ by more than a tenth of the range."""
    return float((np.abs(a - b).max(axis=-1) > 25).mean()) if a.shape == b.shape else 1.0


def drag(slider: Locator, to: float) -> None:
    """Drag a slider with the mouse from where it stands to a share of its length.

    Outputs of other cells may still be growing and push the slider away from under the mouse: then try again.
    """
    for _ in range(20):
        box = settled_box(slider)
        low, high = (float(slider.get_attribute(name) or 0) for name in ("min", "max"))
        at = (float(slider.input_value()) - low) / (high - low)
        thumb = 14  # the thumb's middle moves along the track less its own width
        x = [box["x"] + thumb / 2 + share * (box["width"] - thumb) for share in (at, to)]
        y = box["y"] + box["height"] / 2
        mouse = slider.page.mouse
        mouse.move(x[0], y)
        mouse.down()
        mouse.move(x[1], y, steps=12)
        mouse.up()
        if abs((float(slider.input_value()) - low) / (high - low) - to) < 0.05:
            return
    raise AssertionError("the slider could not be dragged")


def settled_box(locator: Locator) -> FloatRect:
    """Where an element is on the screen, once it stays there."""
    last = None
    for _ in range(200):
        locator.scroll_into_view_if_needed()
        box = locator.bounding_box()
        if box and box == last:
            return box
        last = box
        locator.page.wait_for_timeout(100)
    raise AssertionError("the element never came to rest")


@pytest.mark.browser
def test_the_tour_is_run_stopped_and_explored(tour: Notebook, lab: Lab) -> None:  # noqa: F811
    """One visit, step by step: what is started in the first steps is stopped and explored in the next."""
    page = tour.page
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    tour.run_all(timeout=PATIENCE / 1000)

    # The balance panel: a tier is dragged, the others and the table follow.
    balance = panel(tour, "Balance:")
    tiers = balance.locator("input[type=range]")
    expect(tiers).to_have_count(3)
    expect(balance.locator(".hp-line", has_text="GRAB")).to_be_visible()
    given = balance.locator(".hp-tier", has_text="high").locator("[data-flash]")
    before = given.inner_text()
    drag(tiers.nth(0), 0.9)
    expect(given).not_to_have_text(before)
    values = [int(float(tiers.nth(k).input_value())) for k in range(3)]
    assert values[0] > 80
    expect(balance.locator(".hp-slider output").nth(0)).to_have_text(f"{values[0]} %")
    page.wait_for_function(
        "rack => [...rack.querySelectorAll('input')].reduce((sum, input) => sum + Number(input.value), 0) === 100",
        arg=balance.locator(".hp-rack").element_handle(),
    )

    # The training panel: the run shows, its curve grows, stop ends it, the checkpoint stays.
    training = panel(tour, "Train priors")
    row = training.locator(".hp-run", has_text="Hand VAE")
    expect(row.locator(".hp-state")).to_have_text("running")
    expect(row.locator(".hp-run-nll")).to_contain_text("nats")
    expect(training.locator("path.hp-curve").first).to_be_attached()
    run = jobs.newest(lab.folder / "tour" / "runs", "hand_vae")
    process = psutil.Process(run.status()["pid"])
    row.get_by_role("button", name=re.compile("Stop training")).click()
    expect(row.locator(".hp-state")).to_have_text("stopped")
    process.wait(60)
    assert run.status()["state"] == "stopped"
    assert run.checkpoint_file("last").exists()
    assert load_prior(run).latent_dim == 24
    expect(row.get_by_role("button", name="resume")).to_be_visible()

    # The explorer opens on what was learnt; a dragged axis changes the drawn hands, undo brings them back.
    explorer = panel(tour, "Explore: Hand VAE")
    expect(explorer.locator(".hp-sentence")).not_to_contain_text("still training")
    canvas = explorer.locator(".hp-hand-view canvas")
    axis = explorer.locator(".hp-slider input").nth(0)
    walked = still_picture(canvas)
    explorer.get_by_role("button", name="Reset").click()
    expect(axis).to_have_js_property("value", "0")
    middle = other_picture(canvas, walked)
    drag(axis, 0.95)
    assert float(axis.input_value()) > 2
    moved = other_picture(canvas, middle)
    explorer.get_by_role("button", name="Undo").click()
    expect(axis).to_have_js_property("value", "0")
    assert differ(other_picture(canvas, moved), middle) < MOVED

    # Where the pose stands: one strip per dataset, and the line moves with the keyboard too.
    strips = explorer.locator(".hp-strips")
    expect(strips.locator(".hp-strip").first).to_be_visible()
    mark = "el => getComputedStyle(el.closest('.hp-markup')).getPropertyValue('--mark')"
    before = strips.evaluate(mark)
    axis.focus()
    for _ in range(10):
        page.keyboard.press("PageUp")
    page.wait_for_function(
        "([el, before]) => getComputedStyle(el.closest('.hp-markup')).getPropertyValue('--mark') !== before",
        arg=[strips.element_handle(), before],
    )
    assert not tour.problems, tour.problems


def still_picture(locator: Locator) -> np.ndarray:
    """The element's picture once it has been the same for ten looks."""
    looks = [picture(locator)]
    for _ in range(500):
        locator.page.wait_for_timeout(50)
        looks = [*looks[-9:], picture(locator)]
        if len(looks) == 10 and all(differ(look, looks[0]) == 0 for look in looks):
            return looks[0]
    raise AssertionError("the picture never came to rest")


def other_picture(locator: Locator, than: np.ndarray) -> np.ndarray:
    """The element's picture once it is clearly another one and has come to rest."""
    for _ in range(50):
        now = still_picture(locator)
        if differ(now, than) > MOVED:
            return now
    raise AssertionError("the picture did not change")
