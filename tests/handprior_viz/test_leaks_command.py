"""``handprior leaks`` prints every distance and the verdict, and hands the same to programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handprior_viz.cli import main


def test_the_verdict_is_printed_and_returned(demo_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaks", str(demo_store), "--json"]) == 0
    *words, last = capsys.readouterr().out.splitlines()
    report = json.loads(last)
    assert report["verdict"] == "honest"
    assert words[-1] == f"honest: {report['words']}"
    for row in report["rows"]:
        assert any(line.startswith(row["name"]) for line in words)


def test_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaks", str(tmp_path)]) == 1
    assert "make a store with `handprior pack`" in capsys.readouterr().err
