"""Trainings as a person meets them in JupyterLab: they outlive the kernel, and two notebooks share and compare them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, expect

from handprior_viz import jobs
from tests.jupyter_browser import Lab, Notebook, lab, write_notebook  # noqa: F401 (lab is a fixture)
from training.run_folder import RunFolder

ROOT = Path(__file__).parents[1]
PATIENCE = 240_000
"""Milliseconds that a step may take on a slow machine; steps end as soon as they are done."""

CELL = """\
from handprior_viz import TrainingPanel
TrainingPanel({store!r}, runs={runs!r})"""


@pytest.fixture(autouse=True)
def from_this_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])))


@pytest.fixture
def runs(lab: Lab, demo_store: Path) -> Iterator[Path]:  # noqa: F811
    """An empty folder of runs, and two notebooks with a panel on it; what still trains at the end is ended."""
    out = lab.folder / "runs"
    for name in ("one.ipynb", "two.ipynb"):
        write_notebook(lab.folder / name, CELL.format(store=str(demo_store), runs=str(out)))
    yield out
    for run in jobs.runs(out):
        with contextlib.suppress(psutil.NoSuchProcess):
            if run.is_alive():
                process_of(run).kill()


COMPARED = """\
from handprior_viz.compare_panel import ComparePanel
ComparePanel([{run!r}, {other!r}], {store!r})"""


def process_of(run: RunFolder) -> psutil.Process:
    return psutil.Process(run.status()["pid"])


def training_row(notebook: Notebook) -> Locator:
    return notebook.page.locator(".hp-run", has_text="Hand VAE")


def says(notebook: Notebook, state: str) -> None:
    expect(training_row(notebook).locator(".hp-state")).to_have_text(state)


def compare(lab: Lab, run: RunFolder, other: Path, store: Path) -> None:  # noqa: F811
    """Two runs side by side: one slider moves the hands of both, and a run that is unticked is gone."""
    cell = COMPARED.format(run=str(run.path), other=str(other), store=str(store))
    write_notebook(lab.folder / "compared.ipynb", cell)
    notebook = lab.open("compared.ipynb", width=1300, height=1800)
    page = notebook.page
    page.set_default_timeout(PATIENCE)
    notebook.run_all(timeout=PATIENCE / 1000)
    expect(page.locator(".hp-sentence")).to_contain_text("Compare 2 runs")
    samples, walk = page.locator(".hp-hand-grid").nth(0), page.locator(".hp-hand-grid").nth(1)
    expect(samples.locator("canvas")).to_be_visible()
    expect(walk.locator("canvas")).to_be_visible()
    expect(page.locator(".hp-energy-cell").first).to_be_visible()
    before = walk.get_attribute("data-poses-version") or ""
    page.locator(".hp-slider input").focus()
    page.keyboard.press("End")
    expect(walk).not_to_have_attribute("data-poses-version", before)
    expect(page.locator(".hp-slider output")).to_have_text("+2.0 sd")
    page.get_by_role("checkbox", name=re.compile("Gaussian")).uncheck()
    expect(page.locator(".hp-sentence")).to_contain_text("Compare one run")
    expect(page.locator(".hp-compare-table tbody tr")).to_have_count(1)
    assert not notebook.problems, notebook.problems
    page.close()


def press(notebook: Notebook, name: str) -> None:
    training_row(notebook).get_by_role("button", name=re.compile(name)).click()


@pytest.mark.browser
def test_a_training_outlives_its_kernel_and_is_shared_by_two_notebooks(
    lab: Lab,  # noqa: F811
    runs: Path,
    demo_store: Path,
    demo_run: Path,
) -> None:
    """One visit, step by step: each step goes on from where the one before ended."""
    expect.set_options(timeout=PATIENCE)
    one = lab.open("one.ipynb", width=1300, height=1200)
    one.page.set_default_timeout(PATIENCE)
    one.run_all(timeout=PATIENCE / 1000)

    # Epochs are typed, one that makes no sense is refused at once, and the button starts what is ticked.
    epochs = one.page.get_by_label("epochs", exact=True)
    start = one.page.get_by_role("button", name="Start training")
    epochs.fill("many")
    epochs.blur()
    expect(one.page.locator(".hp-error")).to_have_text("epochs must be a whole number, got 'many'")
    expect(start).to_be_disabled()
    epochs.fill("100000")
    epochs.blur()
    expect(start).to_be_enabled()
    start.click()

    # Its curve grows, and what it draws is shown.
    says(one, "running")
    expect(one.page.locator("path.hp-curve[data-key]")).to_be_attached()
    expect(training_row(one).locator(".hp-run-nll")).to_contain_text("nats")
    expect(one.page.locator(".hp-train-samples canvas")).to_be_visible()
    (run,) = jobs.runs(runs)
    first = process_of(run)

    # A new kernel finds the training that the old one started: the same process, never interrupted.
    epoch = run.status()["epoch"]
    one.restart_kernel()
    one.run_all(timeout=PATIENCE / 1000)
    says(one, "running")
    assert process_of(run) == first
    one.page.wait_for_function(
        "([row, epoch]) => Number(row.innerText.match(/epoch (\\d+)/)?.[1]) > epoch",
        arg=[training_row(one).element_handle(), epoch],
    )

    # A second notebook sees it too; what is pressed there shows here.
    two = lab.open("two.ipynb", width=1300, height=1200)
    two.page.set_default_timeout(PATIENCE)
    two.run_all(timeout=PATIENCE / 1000)
    says(two, "running")
    press(two, "Stop training")
    for notebook in (one, two):
        says(notebook, "stopped")
    first.wait(60)
    assert run.checkpoint_file("last").exists()

    # It goes on from there, in a process of its own, and the other notebook may stop it.
    press(two, "resume")
    for notebook in (one, two):
        says(notebook, "running")
    second = process_of(run)
    assert second != first
    press(one, "log")
    expect(training_row(one).locator(".hp-run-log")).to_contain_text("training hand_vae")
    expect(training_row(one).get_by_role("button", name="delete")).to_have_attribute("aria-disabled", "true")
    press(one, "Stop training")
    for notebook in (one, two):
        says(notebook, "stopped")
    second.wait(60)

    compare(lab, run, demo_run, demo_store)

    # Deleting asks once, and is seen in both.
    press(one, "delete")
    press(one, "Delete for ever")
    for notebook in (one, two):
        expect(notebook.page.locator(".hp-run")).to_have_count(0)
        expect(notebook.page.locator(".hp-empty").first).to_contain_text("No training yet")
    assert list(runs.glob("*/status.json")) == []
    assert not one.problems, one.problems
    assert not two.problems, two.problems
