"""Soft shadows where parts of a hand come close to each other: in the palm of a fist, between fingers.

Ambient occlusion by surface elements (Michael Bunnell, "Dynamic ambient occlusion and indirect lighting", GPU Gems 2,
2005): the mesh is divided once into patches; in each pose a patch is a disc with a centre, an area and a normal, and
takes from every vertex the share of the surroundings that it hides. Four matrix products per hand and pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Float32, Int

from handprior_viz.pictures.smooth_mesh import corners_of, cross

# How fast light fades as more is hidden; chosen by eye on a fist.
_STRENGTH = 1.0


@dataclass(frozen=True, eq=False)
class Occlusion:
    """What does not change with the pose: for every part of the mesh, its vertices and how they make patches.

    Attributes:
        faces: Triangles of the coarse mesh.
        corners: (vertices, faces) incidence, which sums face normals into vertex normals.
        parts: For each separate part (a hand), its vertices, its faces and the (patches, faces of the part) membership.
    """

    faces: Int[np.ndarray, "F 3"]
    corners: sp.csr_matrix
    parts: tuple[tuple[Int[np.ndarray, "V"], Int[np.ndarray, "G"], sp.csr_matrix], ...]

    @classmethod
    def prepare(
        cls,
        rest: Float[np.ndarray, "C 3"],
        faces: Int[np.ndarray, "F 3"],
        part: Int[np.ndarray, "C"],
        *,
        patches: int = 48,
    ) -> Occlusion:
        """Divide a mesh into patches.

        Args:
            rest: Vertices in a pose in which nothing touches.
            faces: Triangles.
            part: A number for every vertex; parts with different numbers do not shade each other.
            patches: How many to a part. With 48 no difference to 96 is seen, and the products stay so small that BLAS
                keeps them on one thread; waking more costs ten times the work on a busy machine.
        """
        incidence = sp.csr_matrix(
            (np.ones(faces.size, np.float32), (faces.ravel(), np.repeat(np.arange(len(faces)), 3))),
            shape=(len(rest), len(faces)),
        )
        middle = rest[faces].mean(axis=1)
        parts = []
        for number in np.unique(part):
            mine = np.flatnonzero(part[faces[:, 0]] == number)
            label = _spread_labels(middle[mine], min(patches, len(mine)))
            member = sp.csr_matrix((np.ones(len(mine), np.float32), (label, np.arange(len(mine)))))
            parts.append((np.flatnonzero(part == number), mine, member))
        return cls(faces, incidence, tuple(parts))

    def pose(self, vertices: Float[np.ndarray, "C 3"]) -> Float32[np.ndarray, "C"]:
        """Return how much of its surroundings each vertex sees: 1 in the open, towards 0 deep in a fold."""
        vertices = np.ascontiguousarray(vertices, np.float32)
        first, second, third = corners_of(vertices, self.faces)
        doubled = cross(second - first, third - first)  # the normal, as long as twice the area
        area = 0.5 * np.sqrt(np.einsum("kf,kf->f", doubled, doubled))
        normals_by_face = np.ascontiguousarray(0.5 * doubled.T)
        weighted = np.ascontiguousarray(((first + second + third) * (area / 3)).T)
        normals = self.corners @ normals_by_face
        normals /= np.maximum(_length(normals), 1e-20)[:, None]
        seen = np.ones(len(vertices), np.float32)
        for mine, my_faces, member in self.parts:
            total = np.maximum(member @ area[my_faces], 1e-20)
            centre = (member @ weighted[my_faces]) / total[:, None]
            discs = member @ normals_by_face[my_faces]  # normal times projected area
            seen[mine] = _seen(vertices[mine], normals[mine], centre, discs, total)
        return seen


def _dot(a: Float32[np.ndarray, "N 3"], b: Float32[np.ndarray, "N 3"]) -> Float32[np.ndarray, "N"]:
    return np.einsum("nk,nk->n", a, b)


def _length(vectors: Float32[np.ndarray, "N 3"]) -> Float32[np.ndarray, "N"]:
    return np.sqrt(_dot(vectors, vectors))


def _seen(
    points: Float32[np.ndarray, "V 3"],
    normals: Float32[np.ndarray, "V 3"],
    centre: Float32[np.ndarray, "P 3"],
    discs: Float32[np.ndarray, "P 3"],
    area: Float32[np.ndarray, "P"],
) -> Float32[np.ndarray, "V"]:
    # Sums of products as products of matrices, for BLAS; then as few passes over all pairs as can be.
    one, ones = np.ones((len(points), 1), np.float32), np.ones((1, len(centre)), np.float32)
    there = np.hstack([points, one, _dot(points, points)[:, None]])
    squared = there @ np.vstack([-2 * centre.T, _dot(centre, centre)[None], ones])
    np.maximum(squared, 1e-12, out=squared)
    above = np.hstack([normals, -_dot(normals, points)[:, None]]) @ np.vstack([centre.T, ones])
    np.maximum(above, 0, out=above)
    hidden = there[:, :4] @ np.vstack([discs.T, -_dot(discs, centre)[None]])  # how much a patch faces the vertex
    np.maximum(hidden, 0, out=hidden)
    hidden *= above
    hidden /= squared
    squared *= np.float32(np.pi)
    squared += area
    hidden /= squared
    return np.exp(-_STRENGTH * (hidden @ ones[0]))


def _spread_labels(points: Float[np.ndarray, "G 3"], count: int) -> Int[np.ndarray, "G"]:
    """Label every point with the nearest of ``count`` points chosen as far from each other as possible."""
    label = np.zeros(len(points), np.int64)
    distance = np.linalg.norm(points - points[0], axis=1)
    for number in range(1, count):
        there = np.linalg.norm(points - points[distance.argmax()], axis=1)
        nearer = there < distance
        label[nearer], distance[nearer] = number, there[nearer]
    return label
