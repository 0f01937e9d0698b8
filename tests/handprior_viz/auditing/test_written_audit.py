"""An audit comes back from its folder as it was written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from data_tools.scanning.data_folder import Rejected
from handprior_viz.auditing.written_audit import is_audit, read_audit
from tests.handprior_viz.made_up_audit import made_up_audit


@pytest.fixture
def audit():
    found = made_up_audit(["GRAB", "arctic", "CMU"])
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, found.histograms.counts.shape)
    counts[2] = 0
    apart = rng.random((3, 3, 30))
    apart = (apart + apart.transpose(1, 0, 2)) * (1 - np.eye(3))[..., None]
    apart[2] = apart[:, 2] = np.nan  # CMU has no live hand
    return replace(
        found,
        histograms=replace(found.histograms, counts=counts),
        distances=replace(found.distances, per_joint=apart, covered=rng.random((3, 3))),
        rejected=(Rejected("bad.npz", "cut short"),),
        synthetic=True,
    )


def test_everything_that_was_written_comes_back(audit, tmp_path: Path) -> None:
    audit.write(tmp_path / "audit")
    found = read_audit(tmp_path / "audit")
    for name in ("datasets", "sequences", "joints", "duplicates", "conventions", "examples"):
        assert_frame_equal(getattr(found, name), getattr(audit, name))
    np.testing.assert_array_equal(found.histograms.counts, audit.histograms.counts)
    np.testing.assert_allclose(found.distances.per_joint, audit.distances.per_joint)
    np.testing.assert_allclose(found.distances.covered, audit.distances.covered)
    assert (found.root, found.synthetic, found.rejected) == (audit.root, True, audit.rejected)


def test_a_folder_without_one_says_how_to_make_one(tmp_path: Path) -> None:
    assert not is_audit(tmp_path)
    with pytest.raises(FileNotFoundError, match="make one with `handprior audit DATA"):
        read_audit(tmp_path)


def test_a_damaged_one_is_named(audit, tmp_path: Path) -> None:
    audit.write(tmp_path / "audit")
    (tmp_path / "audit" / "joints.parquet").write_bytes(b"half")
    with pytest.raises(ValueError, match="audit: a damaged audit"):
        read_audit(tmp_path / "audit")
