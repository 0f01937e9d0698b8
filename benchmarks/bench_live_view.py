"""The live hand: from a key press on a slider to the new picture, in JupyterLab in Chromium with software WebGL.

    python benchmarks/bench_live_view.py [--rounds 6] [--presses 8]

The baseline in the same run is the least that a notebook can do: the same slider changing a label. Everything between
is what the hand costs: posing it, sending it, drawing it. Two moments are taken for both: when the page has changed
(the label's text is set, the hands are handed to the graphics driver), and when the browser has begun the second frame
after it, which it does when the first, with the change in it, is made. Rounds alternate between the two, each begins
with a pause in which the hands' sharper picture is drawn, and the median of the rounds' ratios counts: a busy moment of
the machine falls on neither alone. Needs Chromium.
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


Pair = tuple[float, float]
"""Milliseconds until the page has changed, and until a frame with the change is made."""


def press(notebook: Notebook, kind: str, times: int) -> Pair:
    """Press the right arrow on a slider again and again; return the medians until its effect."""
    notebook.page.wait_for_timeout(1500)
    taken = []
    for _ in range(times):
        taken.append(notebook.page.evaluate(PRESS, kind))
        notebook.page.wait_for_timeout(60)
    handed, seen = zip(*taken, strict=True)
    return statistics.median(handed), statistics.median(seen)


def middle(rounds: list[Pair]) -> Pair:
    """Return the median of each of the two numbers."""
    handed, seen = zip(*rounds, strict=True)
    return statistics.median(handed), statistics.median(seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--presses", type=int, default=8, help="of each slider in a round")
    args = parser.parse_args()
    labels: list[Pair] = []
    hands: list[Pair] = []
    with tempfile.TemporaryDirectory() as folder, jupyter_lab(Path(folder)) as lab:
        write_notebook(Path(folder) / "live.ipynb", CELL)
        notebook = lab.open("live.ipynb")
        notebook.run_all()
        notebook.page.wait_for_selector(".hp-hand-view[data-positions-version]", timeout=60_000)
        for kind in ("label", "hand"):  # code that runs for the first time is slow
            press(notebook, kind, 2)
        for _ in range(args.rounds):
            labels.append(press(notebook, "label", args.presses))
            hands.append(press(notebook, "hand", args.presses))
    ratios = middle([(hand[0] / label[0], hand[1] / label[1]) for hand, label in zip(hands, labels, strict=True)])
    print(f"key press to picture, median of {args.rounds} rounds, 1,200 x 420 pixels, software WebGL:")
    print("                        page changed    frame made")
    for name, (handed, seen) in {"a label": middle(labels), "the hands": middle(hands)}.items():
        print(f"  {name:<22} {handed:5.0f} ms       {seen:5.0f} ms")
    print(f"  hands / label          {ratios[0]:5.2f}          {ratios[1]:5.2f}")


if __name__ == "__main__":
    main()
