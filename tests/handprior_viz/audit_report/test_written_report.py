"""The report on disk: a page and its tables, and nothing of the user's replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from handprior_viz.audit_report import write_report
from tests.handprior_viz.audit_report.outline import DOT, NAMES
from tests.handprior_viz.made_up_audit import made_up_audit


def test_the_page_and_its_tables_are_written(tmp_path: Path) -> None:
    files = write_report(made_up_audit(NAMES), tmp_path / "new" / "audit.html", draw=lambda hands: DOT)
    assert files.page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert files.folder == tmp_path / "new" / "audit"
    assert {path.name for path in (tmp_path / "new").iterdir()} <= {"audit", "audit.html"}


@pytest.mark.parametrize("name", ["audit.pdf", "audit"])
def test_a_page_wants_a_pages_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"ends in \.html"):
        write_report(made_up_audit(["GRAB"]), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_tables_never_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("mine")
    with pytest.raises(FileExistsError, match="remove it first"):
        write_report(made_up_audit(["GRAB"]), tmp_path / "audit.html")
