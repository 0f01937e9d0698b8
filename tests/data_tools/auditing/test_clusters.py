"""K-means: separate heaps are found, and a centre without points does not wander off."""

from __future__ import annotations

import numpy as np

from data_tools.auditing.clusters import k_means


def test_heaps_are_found() -> None:
    rng = np.random.default_rng(0)
    heaps = np.array([[0, 0, 0], [5, 0, 0], [0, 5, 5]], np.float32)
    truth = rng.integers(3, size=10_000)
    points = (heaps[truth] + rng.normal(0, 0.2, (10_000, 3))).astype(np.float32)
    centres, label = k_means(points, heaps + np.float32(0.5), 5)
    assert (label == truth).all()
    np.testing.assert_allclose(centres, [points[truth == k].mean(axis=0) for k in range(3)], atol=1e-4)


def test_a_centre_without_points_stays() -> None:
    points = np.zeros((4, 2), np.float32)
    centres, label = k_means(points, np.array([[0, 0], [9, 9]], np.float32), 3)
    assert centres.tolist() == [[0, 0], [9, 9]]
    assert label.tolist() == [0] * 4


def test_no_points() -> None:
    assert len(k_means(np.zeros((0, 2), np.float32), np.ones((1, 2), np.float32), 2)[1]) == 0
