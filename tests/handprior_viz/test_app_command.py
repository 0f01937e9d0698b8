"""``handprior app``: the explorer as a page, with no cells."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from data_tools import PoseStore
from handprior_viz.cli import main
from handprior_viz.commands.app import write_page
from handprior_viz.explorer_page import ExplorerPage, runs_with_priors
from tests.jupyter_browser import chromium, voila
from training import train
from training.run_folder import RunFolder


@pytest.fixture(scope="module")
def two_runs(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two Gaussians, one full and one diagonal."""
    folder = tmp_path_factory.mktemp("two_runs")
    for covariance in ("full", "diagonal"):
        train("gaussian", PoseStore(demo_store), out=folder, overrides={"model.covariance": covariance})
    return folder


def test_a_folder_without_a_prior_is_told_before_anything_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["app", str(tmp_path)]) == 1
    assert "no trained prior in" in capsys.readouterr().err


def test_without_voila_it_says_what_to_install(
    gaussian_run: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["app", str(gaussian_run.path)]) == 1
    assert "pip install 'handprior[app]'" in capsys.readouterr().err


def test_the_process_becomes_a_server_of_the_page(gaussian_run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Sequence[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, command: started.append(command))
    main(["app", str(gaussian_run.path), "--no-browser", "--port", "8901"])
    (command,) = started
    assert command[1:3] == ["-m", "voila"]
    assert {"--no-browser", "--port=8901"} <= set(command)
    assert repr(str(gaussian_run.path)) in Path(command[3]).read_text()


@pytest.mark.usefixtures("no_widgets_left")
def test_the_menu_changes_the_prior(two_runs: Path) -> None:
    newest, oldest = runs_with_priors(two_runs)
    page = ExplorerPage(two_runs)
    first = page.explorer
    assert first is not None
    assert first.run is not None
    assert first.run.path == newest.path
    page._menu.value = oldest.path
    assert page.settle()
    assert first.closed
    assert page.explorer is not None
    assert page.explorer.run is not None
    assert page.explorer.run.path == oldest.path
    page.close()


@pytest.mark.browser
@pytest.mark.skipif(chromium() is None, reason="needs Chromium (system package `chromium`)")
def test_the_page_shows_hands_and_no_cells(two_runs: Path, tmp_path: Path) -> None:
    with voila(write_page(tmp_path, two_runs, None)) as notebook:
        page = notebook.page
        page.wait_for_selector(".hp-hand-view[data-positions-version]", timeout=90_000)
        assert page.locator(".hp-sentence", has_text="Explore: Gaussian").count() == 1
        assert page.locator("select option", has_text="Gaussian").count() == 2
        assert "ExplorerPage" not in page.inner_text("body")
