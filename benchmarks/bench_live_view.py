"""The live hand: from a key press on a slider to the new picture, in JupyterLab in Chromium with software WebGL.

    python benchmarks/bench_live_view.py [--presses 30]

The baseline in the same run is the least that a notebook can do: the same slider changing a label. Everything between
is what the hand costs: posing it, sending it, drawing it. Two moments are taken for both: when the page has changed
(the label's text is set, the hands are handed to the graphics driver), and when the browser has begun the second frame
after it, which it does when the first, with the change in it, is made. Needs Chromium.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the browser stands with the tests, which are not installed

from tests.jupyter_browser import Notebook, jupyter_lab, write_notebook

CELL = """
import ipywidgets, numpy as np
from handprior_viz import HandView
view, label = HandView(height=420), ipywidgets.Label("0")
for_hand, for_label = ipywidgets.IntSlider(description="hand"), ipywidgets.IntSlider(description="label")
for_hand.observe(lambda change: view.show(np.full(90, change.new / 200)), "value")
for_label.observe(lambda change: setattr(label, "value", str(change.new)), "value")
ipywidgets.VBox([view, for_hand, for_label, label])
"""

# Milliseconds [until the page has changed, until a frame with the change is made].
PRESS = """(kind) => new Promise((done) => {
  const slider = [...document.querySelectorAll('.widget-slider')].find((s) => s.textContent.includes(kind));
  const hand = document.querySelector('.hp-hand-view');
  const watched = kind === 'hand' ? hand : document.querySelector('.widget-vbox > .widget-label');
  const version = hand.dataset.positionsVersion;
  const start = performance.now();
  const observer = new MutationObserver(() => {
    if (kind === 'hand' && hand.dataset.positionsVersion === version) return;
    observer.disconnect();
    const handed = performance.now() - start;
    requestAnimationFrame(() => requestAnimationFrame(() => done([handed, performance.now() - start])));
  });
  observer.observe(watched, { attributes: true, childList: true, characterData: true, subtree: true });
  const key = new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true });
  slider.querySelector('.noUi-handle').dispatchEvent(key);
})"""


def press(notebook: Notebook, kind: str, times: int) -> list[list[float]]:
    """Press the right arrow on a slider; return milliseconds until its effect, two numbers for every press."""
    taken = []
    for _ in range(times):
        taken.append(notebook.page.evaluate(PRESS, kind))
        notebook.page.wait_for_timeout(60)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presses", type=int, default=30)
    presses = parser.parse_args().presses
    with tempfile.TemporaryDirectory() as folder, jupyter_lab(Path(folder)) as lab:
        write_notebook(Path(folder) / "live.ipynb", CELL)
        notebook = lab.open("live.ipynb")
        notebook.run_all()
        notebook.page.wait_for_selector(".hp-hand-view[data-positions-version]", timeout=60_000)
        taken: dict[str, list[list[float]]] = {"label": [], "hand": []}
        for _ in range(3):  # alternating, so that a busy moment of the machine does not fall on one alone
            for kind, values in taken.items():
                values += press(notebook, kind, presses // 3)
    (label, label_seen), (hand, hand_seen) = (
        [statistics.median(column) for column in zip(*v, strict=True)] for v in taken.values()
    )
    print(f"key press to picture, median of {len(taken['hand'])} presses, 1,200 x 420 pixels, software WebGL:")
    print("                        page changed    frame made")
    print(f"  a label                  {label:5.0f} ms       {label_seen:5.0f} ms")
    print(f"  the hands                {hand:5.0f} ms       {hand_seen:5.0f} ms")
    print(f"  hands / label            {hand / label:5.2f}          {hand_seen / label_seen:5.2f}")


if __name__ == "__main__":
    main()
