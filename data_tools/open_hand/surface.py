"""From a signed distance field to an even triangle mesh whose subdivision lies on the surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import trimesh
from jaxtyping import Float, Int

from data_tools.hand_mesh.subdivision import loop_subdivision

Field = Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, "n"]]
Projection = Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, "n 3"]]


def sample_surface(field: Field, box: tuple[np.ndarray, np.ndarray], spacing: float) -> trimesh.Trimesh:
    """Marching cubes over a box; the largest piece, watertight, facing outwards."""
    from skimage.measure import marching_cubes

    axes = [np.arange(low, high, spacing) for low, high in zip(*box, strict=True)]
    # Plane by plane: the whole grid at once would need gigabytes.
    across = np.stack(np.meshgrid(axes[1], axes[2], indexing="ij"), axis=-1).reshape(-1, 2)
    planes = [field(np.column_stack([np.full(len(across), x), across])) for x in axes[0]]
    values = np.stack(planes).reshape([len(axis) for axis in axes])
    vertices, faces, _, _ = marching_cubes(values, 0, spacing=(spacing,) * 3)
    mesh = trimesh.Trimesh(vertices + box[0], faces, process=True)
    mesh = max(mesh.split(only_watertight=False), key=lambda piece: len(piece.faces))
    if mesh.volume < 0:
        mesh.invert()
    return mesh


def simplify(mesh: trimesh.Trimesh, vertices: int) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]:
    """Collapse edges (quadric error) to about so many vertices of a closed surface without handles."""
    import fast_simplification

    points, faces = fast_simplification.simplify(
        mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32), target_count=2 * vertices - 4, agg=5
    )
    merged = trimesh.Trimesh(points, faces, process=True)
    return np.array(merged.vertices, float), np.array(merged.faces, np.int64)


def relax(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    outward: Projection,
    project: Projection,
    rounds: int = 14,
) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]:
    """Even out the triangles: slide vertices along the surface to their neighbours' middle, flip bad edges."""
    for round_ in range(rounds):
        neighbours = adjacency(faces, len(vertices))
        middle = neighbours @ vertices / neighbours.sum(axis=1).reshape(-1, 1)
        step = np.asarray(middle) - vertices
        normal = outward(vertices)
        step -= (step * normal).sum(axis=1, keepdims=True) * normal
        vertices = project(vertices + 0.45 * step)
        if round_ % 2 == 0:
            faces = flip_edges(vertices, faces)
    return vertices, faces


def fit_subdivision(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], project: Projection, rounds: int = 8
) -> Float[np.ndarray, "V 3"]:
    """Move a coarse mesh so that its Loop subdivision, not its corners, lies on the surface.

    Subdivision pulls thin round parts inwards (a finger of six corners loses about a tenth of its thickness).
    """
    fine, _ = loop_subdivision(faces, len(vertices), times=2)
    to_limit = fine[: len(vertices)].astype(float)
    for _ in range(rounds):
        limit = to_limit @ vertices
        vertices = vertices + 0.9 * (project(limit) - limit)
    return vertices


def adjacency(faces: Int[np.ndarray, "F 3"], count: int) -> sp.csr_matrix:
    """Which vertices share an edge, as ones in a symmetric matrix."""
    rows, columns = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    ones = np.ones(2 * len(rows))
    pairs = (np.concatenate([rows, columns]), np.concatenate([columns, rows]))
    matrix = sp.coo_matrix((ones, pairs), shape=(count, count)).tocsr()
    matrix.data[:] = 1
    return matrix


def flip_edges(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, "F 3"]:
    """Turn edges whose two opposite angles together exceed a half-turn (Delaunay), where the surface is smooth."""
    faces = faces.copy()
    for _ in range(2):
        owner = {(t[k], t[(k + 1) % 3]): (i, t[(k + 2) % 3]) for i, t in enumerate(faces.tolist()) for k in range(3)}
        present, touched = set(owner), set()
        for (a, b), (i, c) in owner.items():
            if a > b or (b, a) not in owner:
                continue
            j, d = owner[b, a]
            if i in touched or j in touched or (c, d) in present or (d, c) in present:
                continue
            if _should_flip(vertices, a, b, c, d):
                faces[i], faces[j] = (c, a, d), (d, b, c)
                touched |= {i, j}
                present |= {(c, d), (d, c)}
        if not touched:
            break
    return faces


def _should_flip(vertices: np.ndarray, a: int, b: int, c: int, d: int) -> bool:
    def angle(corner: int) -> float:
        u, w = vertices[a] - vertices[corner], vertices[b] - vertices[corner]
        return np.arctan2(np.linalg.norm(np.cross(u, w)), u @ w)

    if angle(c) + angle(d) <= np.pi + 0.15:
        return False
    first = np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
    second = np.cross(vertices[d] - vertices[a], vertices[b] - vertices[a])
    return bool(first @ second > 0.7 * np.linalg.norm(first) * np.linalg.norm(second))
