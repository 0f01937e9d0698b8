"""The live hands in Notebook 7 and in Voila: they are drawn, and follow a slider through Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.handprior_viz.widget_page import pixels
from tests.jupyter_browser import Notebook, chromium, notebook_7, voila, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="needs Chromium")]

CELL = """
import ipywidgets, numpy as np
from handprior_viz.hand_grid import HandGrid
from handprior_viz.hand_view import HandView
view, slider, grid = HandView(height=300), ipywidgets.IntSlider(description="bend", max=20), HandGrid()
grid.show(np.zeros((3, 90)), ["one", "two", "three"])
def follow(change):
    view.show(np.full(90, change.new / 60))
    grid.show(np.full((2, 90), change.new / 60))
slider.observe(follow, "value")
view.show(np.zeros(90))
ipywidgets.VBox([view, slider, grid])
"""


def follows_the_slider(notebook: Notebook) -> None:
    page = notebook.page
    page.wait_for_selector(".hp-hand-view[data-positions-version]", timeout=90_000)
    page.wait_for_selector(".hp-hand-grid[data-poses-version]", timeout=90_000)
    page.wait_for_timeout(1500)  # until the sharper picture of things at rest is drawn
    view, grid = page.locator(".hp-hand-view canvas"), page.locator(".hp-hand-grid canvas")
    view.scroll_into_view_if_needed()
    before = [pixels(view), pixels(grid)]
    for picture in before:
        assert 0.05 < (picture.max(axis=2) - picture.min(axis=2) > 30).mean() < 0.8  # skin, and not everywhere
    assert page.locator(".hp-grid-card").count() == 3
    slider = page.locator(".noUi-target")
    box = slider.bounding_box()
    assert box is not None
    slider.click(position={"x": box["width"] - 2, "y": box["height"] / 2})
    page.wait_for_function("() => document.querySelectorAll('.hp-grid-card').length === 2", timeout=30_000)
    page.wait_for_timeout(1500)
    assert (np.abs(pixels(view) - before[0]).max(axis=2) > 40).mean() > 0.02
    assert not [problem for problem in notebook.problems if "hand" in problem.lower() or "widget" in problem.lower()]


def test_in_notebook_7(tmp_path: Path) -> None:
    write_notebook(tmp_path / "hands.ipynb", CELL)
    with notebook_7(tmp_path) as server:
        notebook = server.open("hands.ipynb")
        notebook.run_all()
        follows_the_slider(notebook)


def test_in_voila(tmp_path: Path) -> None:
    with voila(write_notebook(tmp_path / "hands.ipynb", CELL)) as notebook:
        follows_the_slider(notebook)
