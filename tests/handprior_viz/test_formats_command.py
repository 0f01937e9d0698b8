"""``handprior formats`` lists what can be read, and ``--format`` takes those names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data_tools.readers import READERS
from handprior_viz.cli import main


def test_every_format_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", "--json"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    rows = {row["format"]: row for row in json.loads(last)["formats"]}
    assert set(rows) == {reader.format for reader in READERS}
    assert rows["arctic-mano"]["hand_mean"] == "rel"
    assert all(any(line.startswith(format) for line in lines) for format in rows)


def test_a_format_of_that_name_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "take.npz", poses=np.random.default_rng(0).normal(size=(30, 165)), mocap_frame_rate=30.0)
    assert main(["scan", str(tmp_path), "--format", "beat2", "--out", str(tmp_path / "catalog.parquet")]) == 0
    assert main(["scan", str(tmp_path), "--format", "motion-x"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "motion-x" in error or ".npy" in error
    assert main(["scan", str(tmp_path), "--format", "beat"]) == 1
    assert "unknown format 'beat'; expected one of consolidated" in capsys.readouterr().err
