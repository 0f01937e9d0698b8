"""The notebooks: short cells, nothing left in them, and they run from top to bottom with nobody watching - twice."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from handprior_viz import jobs
from training import load_prior

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST_CELL = 6


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "00_tour",
        "01_audit_and_balance",
        "02_train",
        "03_explore",
        "04_compare",
        "05_fit",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_opens_without_a_question_and_holds_no_outputs(path: Path) -> None:
    notebook = read(path)
    assert notebook.metadata.kernelspec.name == "python3"  # without it JupyterLab asks in a modal window
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_explained(path: Path) -> None:
    cells = read(path).cells
    for cell in cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= LONGEST_CELL, cell.source
    kinds = [cell.cell_type for cell in cells]
    assert kinds[0] == "markdown"
    assert "code code" not in " ".join(kinds), "prose stands between any two cells of code"


PAGES = [*NOTEBOOKS, ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(path: Path) -> None:
    words = "\n".join(c.source for c in read(path).cells) if path in NOTEBOOKS else path.read_text(encoding="utf-8")
    found = [link for link in re.findall(r"\]\(([^)#\s]+)", words) if "://" not in link]
    assert [link for link in found if not (path.parent / link).exists()] == []


def trainings(folder: Path) -> list[psutil.Process]:
    """Processes that train in a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "training.run" in command and any(str(folder) in part for part in command):
            found.append(process)
    return found


SMALLER = {
    "frames=60_000": "frames=20_000",
    "total=20_000": "total=2_000",
    'packed("walkthrough")': 'packed("walkthrough", frames=20_000, total=2_000)',
    'preset="fast", seed=1': 'preset="fast", seed=1, max_epochs=4',
    '"max_epochs": 20': '"max_epochs": 4',
    "2_000, samples=2_000": "500, samples=500",
}
"""The same road with less to carry."""


@pytest.mark.notebook
def test_the_walkthrough_runs_unattended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One notebook after the other in one folder; each finds what the ones before have left."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])))
    try:
        for path in NOTEBOOKS[1:]:
            notebook = read(path)
            for cell in notebook.cells:
                for much, little in SMALLER.items():
                    cell.source = cell.source.replace(much, little)
            NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
        left = {str(file.relative_to(tmp_path / "walkthrough")) for file in (tmp_path / "walkthrough").glob("*.*")}
        assert {"pose.glb", "pose.png", "table.html", "table.csv", "table.tex"} <= left
        for run in jobs.runs(tmp_path / "walkthrough" / "runs"):
            assert jobs.wait_for(run, 300).status()["state"] == "finished"
    finally:
        for process in trainings(tmp_path):
            process.kill()


@pytest.mark.notebook
def test_the_tour_runs_unattended_and_a_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])))
    notebook = read(ROOT / "notebooks" / "00_tour.ipynb")
    for cell in notebook.cells:  # the same road with less to carry
        cell.source = cell.source.replace("frames=60_000", "frames=20_000").replace("total=20_000", "total=2_000")
        cell.source = cell.source.replace('preset="fast"', 'preset="fast", max_epochs=6')
    try:
        for _ in range(2):
            client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
            client.execute()
            for run in jobs.runs(tmp_path / "tour" / "runs"):
                jobs.wait_for(run, 300)
        _, alive = psutil.wait_procs(trainings(tmp_path), timeout=60)
        assert not alive
        runs = jobs.runs(tmp_path / "tour" / "runs")
        assert [run.status()["state"] for run in runs] == ["finished"] * 4
        assert load_prior(jobs.newest(tmp_path / "tour" / "runs", "hand_vae")).latent_dim == 24
    finally:
        for process in trainings(tmp_path):
            process.kill()
