"""The page of scores: whole, true to its table, and readable in a real Chromium."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from handprior_viz.score_page import score_page, write_scores
from tests.jupyter_browser import browser as browser
from training.reference_poses import ScoredFrames
from training.run_folder import RunFolder
from training.score_definitions import SCORES
from training.score_table import ScoreTable, compare

FEW = ScoredFrames(samples=200, overlap=60, nearest=10, known=60, spread=20, reconstructed=20, shown=3)


@pytest.fixture(scope="module")
def table(gaussian_run: RunFolder, vae_run: RunFolder, demo_store: Path) -> ScoreTable:
    return compare([gaussian_run, vae_run], demo_store, settings=FEW)


def rows_of(page: str, section: str) -> list[list[str]]:
    """Cells of the body of a section's table, as a reader sees them."""
    body = re.search(rf'<section id="{section}">.*?<tbody>(.*?)</tbody>', page, re.S)
    assert body
    rows = re.findall(r"<tr.*?</tr>", body[1], re.S)
    return [[unescape(re.sub(r"<.*?>", "", cell)) for cell in re.findall(r"<td.*?</td>", row, re.S)] for row in rows]


def test_has_a_row_for_each_prior_and_the_real_ones(table: ScoreTable) -> None:
    page = score_page(table, draw=lambda hands: None)
    held_out, drawn = rows_of(page, "held-out"), rows_of(page, "drawn")
    assert [row[0] for row in held_out] == ["Gaussian", "Hand VAE"]
    assert [row[0] for row in drawn] == ["Gaussian", "Hand VAE", "real: training poses", "real: held-out poses"]
    nll = table.groups[0].mean["nll"]
    assert held_out[0][1] == f"{nll:.2f}".replace("-", "−")
    assert held_out[1][1].startswith("≤ ")
    assert all(score.about.replace("'", "&#39;") in page for score in SCORES)


def test_draws_the_held_out_poses_and_those_of_each_prior(table: ScoreTable) -> None:
    drawn: list[np.ndarray] = []

    def draw(hands: np.ndarray) -> str:
        drawn.append(hands)
        return "data:,"

    page = score_page(table, draw=draw)
    assert page.count('src="data:,"') == len(drawn) == 9
    shown = [table.shown_real, *(group.runs[0].shown for group in table.groups)]
    np.testing.assert_array_equal(np.stack(drawn), np.concatenate(shown))


def test_names_are_escaped_and_doubts_are_told(table: ScoreTable) -> None:
    group = table.groups[0]
    run = replace(group.runs[0], run="<b>&", store_hash="another", unusable_samples=7)
    strange = replace(table, groups=(replace(group, label="<i>&", runs=(run,)),), parts=())
    page = score_page(strange, draw=lambda hands: None)
    assert "<b>&<" not in page
    assert "&lt;b&gt;&amp;" in page
    assert "&lt;i&gt;&amp;" in page
    assert "1 of the runs was trained on another store" in page
    assert "7 of 200 drawn poses are no finite numbers" in page
    assert "None was trained on these frames" not in page


def test_made_up_data_is_said_to_be(table: ScoreTable) -> None:
    assert "synthetic data" in score_page(table, draw=lambda hands: None)
    real = replace(table, about=table.about | {"synthetic": False})
    assert "synthetic data" not in score_page(real, draw=lambda hands: None)


def test_writes_three_files(table: ScoreTable, tmp_path: Path) -> None:
    files = write_scores(table, tmp_path / "new" / "table.html", draw=lambda hands: None)
    assert sorted(path.name for path in files.page.parent.iterdir()) == ["table.csv", "table.html", "table.tex"]
    assert "table.csv" in files.page.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"ends in \.html"):
        write_scores(table, tmp_path / "table.csv")


@pytest.mark.browser
@pytest.mark.parametrize("width", [700, 1400])
def test_nothing_runs_off_the_side(table: ScoreTable, width: int, tmp_path: Path, browser: Browser) -> None:
    path = write_scores(table, tmp_path / "table.html").page
    asked: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator(".strip img").count() == 9
    assert all(url == path.as_uri() or url.startswith("data:") for url in asked)
    page.close()
