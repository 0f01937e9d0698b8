"""A posed mesh made ready to draw: subdivided, with a normal at every vertex.

The topology is prepared once per model; each pose then costs two sparse products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Float32, Int32

from data_tools.hand_mesh.subdivision import loop_subdivision


@dataclass(frozen=True, eq=False)
class SmoothMesh:
    """What does not change with the pose.

    Attributes:
        subdivision: (fine, coarse) sparse matrix that smooths positions, or anything else given per vertex.
        faces: Triangles of the fine mesh.
        nail: 0 on skin to 1 on nails, for every fine vertex.
        corners: (fine vertices, faces) sparse incidence; sums face normals into vertex normals.
    """

    subdivision: sp.csr_matrix
    faces: Int32[np.ndarray, "F 3"]
    nail: Float32[np.ndarray, "V"]
    corners: sp.csr_matrix

    @classmethod
    def prepare(cls, faces: Int32[np.ndarray, "G 3"], nail: Float[np.ndarray, "C"], *, times: int = 1) -> SmoothMesh:
        """Prepare a mesh for drawing.

        Args:
            faces: Triangles of the coarse mesh, counter-clockwise from outside.
            nail: 0 on skin, 1 on nails, for every coarse vertex.
            times: Each subdivision makes four triangles of one.
        """
        matrix, fine = loop_subdivision(faces, len(nail), times)
        ones = np.ones(fine.size, np.float32)
        which_face = np.repeat(np.arange(len(fine)), 3)
        corners = sp.csr_matrix((ones, (fine.ravel(), which_face)), shape=(matrix.shape[0], len(fine)))
        return cls(matrix, fine, (matrix @ nail).astype(np.float32), corners)

    def pose(self, vertices: Float[np.ndarray, "C 3"]) -> tuple[Float32[np.ndarray, "V 3"], Float32[np.ndarray, "V 3"]]:
        """Return fine positions (same unit) and unit normals for one pose of the coarse vertices."""
        positions = self.subdivision @ np.ascontiguousarray(vertices, np.float32)
        normals = self.corners @ face_normals(positions, self.faces)
        lengths = np.sqrt(np.einsum("vk,vk->v", normals, normals))
        return positions, normals / np.maximum(lengths, 1e-20)[:, None]


def face_normals(positions: Float32[np.ndarray, "V 3"], faces: Int32[np.ndarray, "F 3"]) -> Float32[np.ndarray, "F 3"]:
    """Return the normal of each face, as long as twice its area."""
    a, b, c = corners_of(positions, faces)
    return np.ascontiguousarray(cross(b - a, c - a).T)


def corners_of(positions: Float32[np.ndarray, "V 3"], faces: Int32[np.ndarray, "F 3"]) -> list[np.ndarray]:
    """Return the three corners of each face, (3, F) each: x, y and z in rows, on which numpy is three times as fast."""
    coordinates = np.ascontiguousarray(positions.T)
    return [coordinates.take(faces[:, k], axis=1) for k in range(3)]


def cross(u: Float32[np.ndarray, "3 F"], v: Float32[np.ndarray, "3 F"]) -> Float32[np.ndarray, "3 F"]:
    """Return cross products of columns."""
    product = np.empty_like(u)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        np.multiply(u[i], v[j], out=product[k])
        product[k] -= u[j] * v[i]
    return product
