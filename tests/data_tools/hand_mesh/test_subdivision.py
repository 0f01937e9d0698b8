"""Loop subdivision against trimesh's, and on boundaries and left-over vertices."""

from __future__ import annotations

import numpy as np
import trimesh
from scipy.spatial import cKDTree

from data_tools.hand_mesh.subdivision import loop_subdivision


def test_closed_mesh_equals_trimesh() -> None:
    sphere = trimesh.creation.icosphere(subdivisions=1)
    rng = np.random.default_rng(0)
    vertices = np.asarray(sphere.vertices) * (1, 2, 3) + 0.05 * rng.normal(size=sphere.vertices.shape)
    faces = np.asarray(sphere.faces)
    matrix, fine_faces = loop_subdivision(faces, len(vertices))
    expected, expected_faces = trimesh.remesh.subdivide_loop(vertices, faces, iterations=1)
    fine = matrix.astype(float) @ vertices
    assert fine.shape == expected.shape
    assert fine_faces.shape == expected_faces.shape
    distance, partner = cKDTree(expected).query(fine)
    assert distance.max() < 1e-6
    assert len(set(partner)) == len(fine)


def test_boundary_is_a_spline_and_unused_vertices_stay() -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [9, 9, 9]], float)
    matrix, faces = loop_subdivision(np.array([[0, 1, 2], [0, 2, 3]]), 5)
    fine = matrix @ square
    np.testing.assert_allclose(fine[4], [9, 9, 9])
    np.testing.assert_allclose(fine[0], 0.75 * square[0] + 0.125 * (square[1] + square[3]))
    assert any(np.allclose(row, [0.5, 0, 0]) for row in fine)  # a boundary edge's middle stays on it
    assert len(faces) == 8


def test_repeated_subdivision_keeps_a_plane_and_its_orientation() -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    matrix, faces = loop_subdivision(np.array([[0, 1, 2], [0, 2, 3]]), 4, times=3)
    fine = matrix @ square
    assert len(faces) == 2 * 4**3
    np.testing.assert_allclose(fine[:, 2], 0)
    a, b, c = (fine[faces[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()
