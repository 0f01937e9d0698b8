"""Makes the pictures of the README and of docs/gallery.md: runs the notebooks in JupyterLab, photographs their panels.

.venv/bin/python docs/make_screenshots.py                    # some six minutes; writes docs/*.png
.venv/bin/python docs/make_screenshots.py --only compare     # one notebook's pictures
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))

from tests.jupyter_browser import Notebook, chromium, jupyter_lab, open_browser  # noqa: E402

WIDTH, HEIGHT = 1440, 2600  # higher than any panel: what lies outside the window would show its frame
PATIENCE = 300_000
"""Milliseconds that a step may take."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where to write (default: docs)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="only these (default: all)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for notebook in (ROOT / "notebooks").glob("*.ipynb"):
            shutil.copy(notebook, folder)
        for part in options.only:
            PARTS[part](Path(folder), options.out)


@contextlib.contextmanager
def opened(folder: Path, name: str) -> Iterator[Notebook]:
    """A notebook of the walkthrough in the browser, all its cells run."""
    with jupyter_lab(folder) as lab:
        notebook = lab.open(f"{name}.ipynb", width=WIDTH, height=HEIGHT)
        notebook.page.set_default_timeout(PATIENCE)
        notebook.use_theme("JupyterLab Light")
        notebook.run_all(timeout=PATIENCE / 1000)
        yield notebook


def tour(folder: Path, out: Path) -> None:
    with opened(folder, "00_tour") as notebook:
        balance(notebook)
        photograph(notebook, "Balance:", out / "tour_balance.png")
        training(notebook)
        photograph(notebook, "Train priors", out / "tour_training.png")
        explore(notebook)
        photograph(notebook, "Explore:", out / "tour_explorer.png")
        notebook.use_theme("JupyterLab Dark")
        photograph(notebook, "Explore:", out / "tour_explorer_dark.png")


def audit_panel(folder: Path, out: Path) -> None:
    """Pick four datasets and look at their hands; then play a sequence that a flag leads to."""
    with opened(folder, "01_audit_and_balance") as notebook:
        panel = notebook.page.locator(".hp-panel", has=notebook.page.locator(".hp-audit-table"))
        for name in ("GRAB", "SignAvatarsWord", "speech", "CMU"):
            panel.get_by_role("checkbox", name=name, exact=True).click()
        panel.get_by_role("tab", name="Hands", exact=True).click()
        photograph(notebook, "Audit:", out / "gallery_audit.png")


def explorer_tabs(folder: Path, out: Path) -> None:
    """Joints, neighbours with the map, and the three ways of a walk."""
    with opened(folder, "03_explore") as notebook:
        page = notebook.page
        panel = page.locator(".hp-panel", has_text="Explore: Hand VAE")
        panel.get_by_role("tab", name="Walk").click()
        photograph(notebook, "Explore: Hand VAE", out / "gallery_walk.png")
        panel.get_by_role("tab", name="Joints").click()
        panel.get_by_role("button", name="Energy", exact=True).click()
        panel.get_by_role("slider", name="first joint: bend").fill("60")
        photograph(notebook, "Explore: Hand VAE", out / "gallery_joints.png")
        panel.get_by_role("tab", name="Neighbours").click()
        panel.get_by_role("button", name="Map", exact=True).click()
        panel.get_by_role("button", name="Hands around this pose").click()
        photograph(notebook, "Explore: Hand VAE", out / "gallery_neighbours.png")


def compare_panel(folder: Path, out: Path) -> None:
    with opened(folder, "04_compare") as notebook:
        panel = notebook.page.locator(".hp-panel", has_text="Compare")
        panel.get_by_role("button", name="Score on held-out frames").click()
        notebook.page.wait_for_function(
            """() => [...document.querySelectorAll('.hp-panel')].some(
                 panel => panel.innerText.includes('real: held-out poses'))"""
        )
        panel.locator("input[type=text]").last.fill("walkthrough/runs/comparison.html")
        photograph(notebook, "Compare", out / "gallery_compare.png")


def fit_sheet(folder: Path, out: Path) -> None:
    """The contact sheet that the last notebook draws."""
    with opened(folder, "05_fit") as notebook:
        notebook.page.locator(".jp-OutputArea-output img").first.wait_for()
        source = notebook.page.locator(".jp-OutputArea-output img").first.get_attribute("src") or ""
        picture = Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1])))
        picture.convert("RGB").save(out / "gallery_fit.png", optimize=True)


def live_page(folder: Path, out: Path) -> None:
    """The page whose sliders move the hand with no Python behind it, of the Hand VAE of the walkthrough."""
    from handprior_viz import jobs
    from handprior_viz.cli import main as handprior

    page, run = folder / "page.html", jobs.newest(folder / "walkthrough" / "runs", "hand_vae")
    if handprior(["export", str(run.path), "--out", str(page)]):
        raise RuntimeError("the export failed, see above")
    with open_browser() as browser:
        view = browser.new_page(viewport={"width": 1100, "height": 720})
        view.goto(page.as_uri())
        view.locator("canvas").wait_for()
        view.locator("input[type=range]").nth(0).fill("1.5")
        view.locator("input[type=range]").nth(1).fill("-1")
        view.wait_for_timeout(2500)
        view.screenshot(path=str(out / "gallery_page.png"))


def audit_page(folder: Path, out: Path) -> None:
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


PARTS: dict[str, Callable[[Path, Path], None]] = {
    "tour": tour,
    "audit": audit_panel,
    "explorer": explorer_tabs,
    "compare": compare_panel,
    "fit": fit_sheet,
    "page": live_page,
    "report": audit_page,
}
"""In an order in which each finds what it needs: the page takes the prior that the explorer's notebook trained."""


if __name__ == "__main__":
    main()
