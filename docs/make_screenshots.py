"""Makes the pictures of the tour: runs notebooks/00_tour.ipynb in JupyterLab and photographs its panels.

.venv/bin/python docs/make_screenshots.py            # about two minutes; writes docs/tour_*.png
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))

from tests.jupyter_browser import Notebook, chromium, jupyter_lab  # noqa: E402

WIDTH, HEIGHT = 1440, 1250
PATIENCE = 300_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where to write (default: docs)")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "notebooks" / "00_tour.ipynb", folder)
        with jupyter_lab(Path(folder)) as lab:
            notebook = lab.open("00_tour.ipynb", width=WIDTH, height=HEIGHT)
            notebook.page.set_default_timeout(PATIENCE)
            notebook.use_theme("JupyterLab Light")
            notebook.run_all(timeout=PATIENCE / 1000)
            balance(notebook)
            photograph(notebook, "Balance:", out / "tour_balance.png")
            training(notebook)
            photograph(notebook, "Train priors", out / "tour_training.png")
            explore(notebook)
            photograph(notebook, "Explore:", out / "tour_explorer.png")
            notebook.use_theme("JupyterLab Dark")
            photograph(notebook, "Explore:", out / "tour_explorer_dark.png")
    audit(out / "audit.png")


def audit(picture: Path) -> None:
    """Photograph the top of an audit's page, with one dataset opened."""
    from playwright.sync_api import sync_playwright

    from data_tools import demo_corpus
    from handprior_viz.cli import main as handprior

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        data, page = demo_corpus.write(Path(folder) / "data", frames=60_000, seed=0).path, Path(folder) / "audit.html"
        if handprior(["audit", str(data), "--out", str(page)]):
            raise RuntimeError("the audit failed, see above")
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 1200, "height": 1000})
        view.goto(page.as_uri())
        view.screenshot(path=picture)
        browser.close()


def balance(notebook: Notebook) -> None:
    """Ask for more than there is, and scroll to where two tiers meet: what is short, and why, is the point."""
    panel = notebook.page.locator(".hp-panel", has_text="Balance:")
    total = panel.get_by_label("frames in all")
    total.fill("26000")
    total.press("Enter")
    panel.locator(".hp-warning").first.wait_for()
    panel.locator(".hp-scroll").evaluate(
        """scroll => { const top = element => element.getBoundingClientRect().top;
                       scroll.scrollTop += top(scroll.querySelector('[data-key="tier low"]')) - top(scroll) - 200; }"""
    )


def training(notebook: Notebook) -> None:
    """Wait until the Hand VAE is past its first half, so that there is a curve and something to stop."""
    notebook.page.wait_for_function(
        """() => { const runs = [...document.querySelectorAll('.hp-run')];
                   const row = runs.find(run => run.innerText.includes('Hand VAE'));
                   const bar = row?.querySelector('.hp-progress i');
                   return bar && parseFloat(bar.style.width) > 50; }"""
    )


def explore(notebook: Notebook) -> None:
    """Wait until the training has ended, then pose the hands: a sample, two axes moved, a pose pinned."""
    panel = notebook.page.locator(".hp-panel", has_text="Explore: Hand VAE")
    notebook.page.wait_for_function(
        """() => { const lines = [...document.querySelectorAll('.hp-sentence')].map(line => line.innerText);
                   const line = lines.find(line => line.includes('Explore: Hand VAE'));
                   return line && !line.includes('still training'); }"""
    )
    panel.locator(".hp-slider input").nth(0).scroll_into_view_if_needed()
    for index, value in ((0, "0.8"), (1, "-0.6")):
        slider = panel.locator(".hp-slider input").nth(index)
        slider.fill(value)
    notebook.page.wait_for_timeout(3000)


def photograph(notebook: Notebook, sentence: str, path: Path) -> None:
    """Take a picture of one panel."""
    page = notebook.page
    panel = page.locator(".hp-panel", has=page.locator(".hp-sentence", has_text=sentence))
    panel.scroll_into_view_if_needed()
    page.evaluate("() => document.activeElement?.blur()")
    page.mouse.move(2, 2)
    page.wait_for_timeout(1500)
    panel.screenshot(path=str(path), animations="disabled")
    Image.open(path).convert("RGB").save(path, optimize=True)


if __name__ == "__main__":
    main()
