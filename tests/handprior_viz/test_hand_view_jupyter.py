"""The live hand in JupyterLab itself."""

from __future__ import annotations

import pytest

from tests.jupyter_browser import Lab, write_notebook
from tests.jupyter_browser import lab as lab

pytestmark = pytest.mark.browser


def test_in_jupyterlab_poses_sent_before_and_after_showing_arrive(lab: Lab) -> None:
    write_notebook(
        lab.folder / "hand.ipynb",
        "import numpy as np\nfrom handprior_viz import HandView\nview = HandView()\nview.show(np.zeros(90))\nview",
        "view.show(np.full(90, 0.2))",
    )
    notebook = lab.open("hand.ipynb")
    notebook.run_all()
    root = notebook.page.locator(".hp-hand-view")
    notebook.page.wait_for_selector(".hp-hand-view[data-positions-version='2']", timeout=30_000)
    assert root.locator(".hp-hand-view-caption").inner_text() == "open hand model"
    notebook.run_all()
    notebook.page.wait_for_selector(".hp-hand-view[data-positions-version='2']", timeout=30_000)
    assert root.count() == 1
    assert notebook.problems == []
