"""Coverage: a copy adds nothing, a dataset of its own adds all of its poses."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from data_tools.auditing.coverage import COVERAGE_COMPONENTS, coverage


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


def test_nearest_poses_agree_with_a_k_d_tree() -> None:
    rng = np.random.default_rng(2)
    samples = [rng.normal(shift, 0.3, (count, 90)).astype(np.float32) for shift, count in ((0, 500), (0.2, 300))]
    sequences = [np.zeros(500, np.int64), np.arange(300) // 10 + 1]
    found = coverage(samples, sequences, np.eye(90), np.random.default_rng(0))
    first, second = (sample[:, :COVERAGE_COMPONENTS].astype(float) for sample in samples)
    across = cKDTree(second).query(first)[0]  # the first dataset has one sequence: nothing of its own is looked at
    back = cKDTree(first).query(second)[0]
    apart = np.linalg.norm(second[:, None] - second, axis=2)
    apart[sequences[1][:, None] == sequences[1]] = np.inf
    tolerance = np.median(np.concatenate([across, np.minimum(back, apart.min(axis=1))]))
    np.testing.assert_allclose(found.tolerance, tolerance, rtol=1e-4)
    np.testing.assert_allclose(found.novelty, [(across > tolerance).mean(), (back > tolerance).mean()], atol=0.005)


def test_nothing_to_compare() -> None:
    found = coverage([np.zeros((0, 90), np.float32)], [np.zeros(0, np.int64)], np.eye(90), np.random.default_rng(0))
    assert np.isnan(found.tolerance)
    assert np.isnan(found.cells).all()
