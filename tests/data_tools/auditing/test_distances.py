"""Distances between histograms against scipy and closed forms."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import jensenshannon

from data_tools.auditing.distances import between_all, jensen_shannon, pca_histograms, principal_components


def test_divergence_is_scipys_distance_squared() -> None:
    counts = np.random.default_rng(0).poisson(3, (4, 5, 72))
    found = between_all(counts)
    for a, b, joint in np.ndindex(4, 4, 5):
        expected = jensenshannon(counts[a, joint], counts[b, joint], base=2) ** 2
        np.testing.assert_allclose(found[a, b, joint], expected, atol=1e-9)


def test_equal_disjoint_and_empty() -> None:
    one, other, none = np.array([1, 2, 0, 0]), np.array([0, 0, 5, 5]), np.zeros(4, int)
    assert jensen_shannon(one, 3 * one) == 0
    assert jensen_shannon(one, other) == 1
    assert np.isnan(jensen_shannon(one, none))


def test_principal_components_of_a_known_spread() -> None:
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(90, 90)))[0]
    spread = np.linspace(2, 0.1, 90)
    found, components, explained = principal_components(axes @ np.diag(spread**2) @ axes.T)
    np.testing.assert_allclose(found, spread, rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->j", components, axes)), 1, atol=1e-6)
    np.testing.assert_allclose(explained.sum(), 1)


def test_every_frame_falls_into_one_bin_however_far_out() -> None:
    sample = np.random.default_rng(0).normal(0, 100, (50, 90)).astype(np.float32)
    counts = pca_histograms([sample, sample[:0]], np.zeros(90), np.ones(90), np.eye(90))
    assert counts.sum(axis=2).tolist() == [[50] * 8, [0] * 8]
