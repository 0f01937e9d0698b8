"""Coverage: a copy adds nothing, a dataset of its own adds all of its poses."""

from __future__ import annotations

import numpy as np

from data_tools.auditing.coverage import coverage


def test_copies_add_nothing_and_strangers_everything() -> None:
    rng = np.random.default_rng(0)
    common, strange = rng.normal(0, 0.3, (600, 90)), rng.normal(8, 0.3, (600, 90))
    samples = [part.astype(np.float32) for part in (common, common + 1e-4, strange, common[:0])]
    sequences = [np.arange(len(part)) // 20 + 1000 * index for index, part in enumerate(samples)]
    found = coverage(samples, sequences, np.eye(90), np.random.default_rng(1))
    assert found.novelty[0] == found.novelty[1] == 0
    assert found.novelty[2] == 1
    assert max(found.gain[:2]) < 0.02  # a cell's edge may fall between a frame and its copy
    np.testing.assert_allclose(found.gain[2], found.cells[2])
    np.testing.assert_allclose(found.cells[0] + found.cells[2], 1, atol=0.02)
    assert np.isnan([found.novelty[3], found.gain[3], found.covered[3, 0]]).all()
    assert found.covered[0, 1] == 1
    assert found.covered[0, 2] == 0


def test_nothing_to_compare() -> None:
    found = coverage([np.zeros((0, 90), np.float32)], [np.zeros(0, np.int64)], np.eye(90), np.random.default_rng(0))
    assert np.isnan(found.tolerance)
    assert np.isnan(found.cells).all()
