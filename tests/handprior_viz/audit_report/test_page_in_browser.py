"""The audit's page in a real Chromium: it fits, opens, sorts and filters, alone and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import Browser, Page

from data_tools.auditing.audit_tables import EXAMPLE_COLUMNS
from handprior_viz.audit_report.page import report_page
from tests.handprior_viz.made_up_audit import example, made_up_audit, with_row
from tests.jupyter_browser import browser as browser

pytestmark = pytest.mark.browser

NAMES = ["CMU", "GRAB", "speech", "arctic", "A_name_that_is_longer_than_any_column_of_the_table_can_be"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hands = [example("GRAB", kind) for kind in ["typical", "suspicious"] * 3]
    audit = made_up_audit(NAMES, examples=pl.DataFrame(hands, schema=EXAMPLE_COLUMNS))
    jitter = np.tile([0.1, 0.2, 0.3, 0.0], len(NAMES))
    audit = replace(
        audit,
        sequences=audit.sequences.with_columns(jitter_share=jitter, out_of_limit_share=jitter[::-1]),
        datasets=with_row(audit.datasets, "GRAB", jitter_share=0.5, verdict="jittery"),
    )
    path = tmp_path_factory.mktemp("report") / "audit.html"
    path.write_text(report_page(audit, folder="audit", draw=lambda hands: None), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text))
    page.goto(report.as_uri())
    yield page
    page.close()
    assert asked == [report.as_uri()]
    assert not problems


def shown(page: Page) -> list[str]:
    """Datasets in the order in which they stand on the screen."""
    return page.eval_on_selector_all("tbody[data-name]", "all => all.filter(b => !b.hidden).map(b => b.dataset.name)")


@pytest.mark.parametrize("width", [700, 1100, 1600])
def test_nothing_runs_off_the_side(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.click("#open-all")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    cut = page.eval_on_selector_all(
        "#datasets > .box, #summary, #conventions, #coverage, .hands figure",
        "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))",
    )
    assert not cut


def test_a_line_opens_and_closes(page: Page) -> None:
    details = page.locator("tbody[data-name=GRAB] .more")
    button = page.locator("tbody[data-name=GRAB] .name button")
    assert not details.is_visible()
    button.click()
    assert details.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    assert not details.is_visible()


def test_columns_sort_and_come_back(page: Page) -> None:
    assert shown(page) == ["arctic", "GRAB", "speech", NAMES[4], "CMU"]
    page.click("#datasets-table th button[data-key=jitter]")
    assert shown(page)[0] == "GRAB"
    page.click("#datasets-table th button[data-key=frames]")
    assert shown(page) == [NAMES[4], "arctic", "speech", "GRAB", "CMU"]
    page.click("#datasets-table th button[data-key=frames]")
    assert shown(page)[0] == "CMU"
    page.click("#reset")
    assert shown(page) == ["arctic", "GRAB", "speech", NAMES[4], "CMU"]


def test_the_filter_looks_at_names_and_verdicts(page: Page) -> None:
    page.fill("#filter", "jittery")
    assert shown(page) == ["GRAB"]
    assert page.inner_text("#matches") == "1 of 5 datasets"
    page.fill("#filter", "")
    assert len(shown(page)) == 5


def test_a_number_leads_to_the_sequences_behind_it(page: Page) -> None:
    page.click('tbody[data-name=GRAB] .line a[data-sort="jitter"]')
    page.wait_for_selector("tbody[data-name=GRAB] .more", state="visible")
    column = page.locator("tbody[data-name=GRAB] .sortable th", has_text="jitter")
    assert column.get_attribute("aria-sort") == "descending"
    first = page.inner_text("tbody[data-name=GRAB] .sortable tbody tr:first-child")
    assert "30" in first


def test_pointing_at_a_square_tells_the_distance(page: Page) -> None:
    page.locator("#map-angles").hover(position={"x": 250, "y": 290})
    assert "0.25 angle by angle, 0.50 as whole poses" in page.inner_text("#map-said")
