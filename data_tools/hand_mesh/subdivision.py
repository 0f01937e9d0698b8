"""Loop subdivision as one sparse matrix: computed once for a mesh, applied to every pose of it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int


def loop_subdivision(
    faces: Int[np.ndarray, "F 3"], vertices: int, times: int = 1
) -> tuple[sp.csr_matrix, Int[np.ndarray, "G 3"]]:
    """Matrix that takes vertices of a triangle mesh to those of its Loop subdivision, and the fine faces.

    Charles Loop, "Smooth subdivision surfaces based on triangles", 1987: an edge's new vertex is 3/8 of each end and
    1/8 of each opposite corner; an old vertex of valence n keeps 1 - n b, with
    b = (5/8 - (3/8 + cos(2 pi / n) / 4)^2) / n per neighbour. Boundaries use the cubic B-spline rule (1/2, 1/2
    and 3/4, 1/8, 1/8).

    Args:
        faces: Triangles; an edge belongs to one face (boundary) or two.
        vertices: How many vertices the mesh has; unused ones stay where they are.
        times: Each one makes four triangles of one.

    Returns:
        ``(matrix, fine_faces)``: ``fine = matrix @ coarse`` for (V, 3) positions in any pose. Old vertices come first.
    """
    matrix = sp.identity(vertices, format="csr")
    for _ in range(times):
        step, faces = _once(np.asarray(faces, np.int64), matrix.shape[0])
        matrix = step @ matrix
    return matrix.astype(np.float32), faces.astype(np.int32)


def _once(faces: np.ndarray, n: int) -> tuple[sp.csr_matrix, np.ndarray]:
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, edge_of_side = np.unique(sides, axis=0, return_inverse=True)
    edge_of_side = edge_of_side.ravel()
    opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    boundary = np.bincount(edge_of_side, minlength=len(edges)) == 1
    step = sp.vstack([_old_vertices(edges, boundary, n), _new_vertices(edges, boundary, edge_of_side, opposite, n)])
    middle = n + edge_of_side.reshape(3, -1).T  # of sides 01, 12, 20
    corners = [np.column_stack([faces[:, k], middle[:, k], middle[:, (k + 2) % 3]]) for k in range(3)]
    return step.tocsr(), np.concatenate([*corners, middle])


def _new_vertices(
    edges: np.ndarray, boundary: np.ndarray, edge_of_side: np.ndarray, opposite: np.ndarray, n: int
) -> sp.csr_matrix:
    ends = np.where(boundary, 0.5, 0.375)
    across = np.where(boundary[edge_of_side], 0.0, 0.125)
    rows = np.concatenate([np.arange(len(edges)), np.arange(len(edges)), edge_of_side])
    columns = np.concatenate([edges[:, 0], edges[:, 1], opposite])
    return sp.coo_matrix((np.concatenate([ends, ends, across]), (rows, columns)), shape=(len(edges), n)).tocsr()


def _old_vertices(edges: np.ndarray, boundary: np.ndarray, n: int) -> sp.csr_matrix:
    neighbours = _adjacency(edges, n)
    valence = np.maximum(np.asarray(neighbours.sum(axis=1)).ravel(), 1)
    beta = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / valence) / 4) ** 2) / valence
    on_boundary = np.zeros(n, bool)
    on_boundary[edges[boundary]] = True
    alone = np.ones(n, bool)
    alone[edges] = False
    beta[on_boundary | alone] = 0
    keep = np.where(on_boundary, 0.75, 1 - valence * beta)
    along = sp.diags(np.where(on_boundary, 0.125, 0.0)) @ _adjacency(edges[boundary], n)
    return sp.diags(keep) + sp.diags(beta) @ neighbours + along


def _adjacency(edges: np.ndarray, n: int) -> sp.csr_matrix:
    rows = np.concatenate([edges[:, 0], edges[:, 1]])
    columns = np.concatenate([edges[:, 1], edges[:, 0]])
    return sp.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n)).tocsr()
