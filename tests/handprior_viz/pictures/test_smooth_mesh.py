"""Smooth meshes, soft shadows and light, on shapes whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from handprior_viz.pictures.lighting import LOOK, shade
from handprior_viz.pictures.occlusion import Occlusion
from handprior_viz.pictures.smooth_mesh import SmoothMesh


def sphere(subdivisions: int = 3) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions)
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)


def plate(height: float, up: bool, cells: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """A unit square at a height, facing up or down."""
    axis = np.linspace(0, 1, cells + 1)
    x, z = (a.ravel() for a in np.meshgrid(axis, axis))
    corner = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    right, below = corner + 1, corner + cells + 1
    down_facing = np.concatenate([np.stack([corner, right, below], 1), np.stack([right, below + 1, below], 1)])
    faces = down_facing[:, ::-1] if up else down_facing
    return np.stack([x, np.full_like(x, height), z], 1).astype(np.float32), faces.astype(np.int32)


def test_normals_of_a_sphere_point_outwards() -> None:
    vertices, faces = sphere()
    smooth = SmoothMesh.prepare(faces, np.zeros(len(vertices)))
    positions, normals = smooth.pose(vertices)
    assert len(positions) > 3.5 * len(vertices)
    outwards = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    assert (normals * outwards).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)


def test_nails_fade_into_skin() -> None:
    vertices, faces = sphere(1)
    nail = (vertices[:, 1] > 0).astype(np.float32)
    smooth = SmoothMesh.prepare(faces, nail).nail
    assert smooth.min() >= 0
    assert smooth.max() <= 1
    assert ((smooth > 0.1) & (smooth < 0.9)).any()


def test_nothing_hides_anything_on_a_convex_shape() -> None:
    vertices, faces = sphere()
    seen = Occlusion.prepare(vertices, faces, np.zeros(len(vertices), int)).pose(vertices)
    assert seen.min() > 0.95


def test_facing_plates_shade_each_other_the_more_the_nearer() -> None:
    (low, faces), (high, high_faces) = plate(0.0, up=True), plate(1.0, up=False)
    both = np.concatenate([faces, high_faces + len(low)])
    part = np.zeros(2 * len(low), int)
    rest = np.concatenate([low, high])
    occlusion = Occlusion.prepare(rest, both, part)
    middle = np.argmin(np.abs(low[:, [0, 2]] - 0.5).sum(axis=1))
    seen = [
        occlusion.pose(np.concatenate([low, high + np.array([0, gap - 1, 0])]))[middle] for gap in (0.15, 0.4, 1.0, 9.0)
    ]
    assert seen == sorted(seen)
    assert seen[0] < 0.6
    assert seen[-1] > 0.98


def test_parts_do_not_shade_each_other() -> None:
    (low, faces), (high, high_faces) = plate(0.0, up=True), plate(0.15, up=False)
    both = np.concatenate([faces, high_faces + len(low)])
    vertices = np.concatenate([low, high])
    seen = Occlusion.prepare(vertices, both, np.repeat([0, 1], len(low))).pose(vertices)
    assert seen.min() > 0.98


def test_soft_shadows_do_not_depend_on_where_the_hand_is() -> None:
    vertices, faces = plate(0.0, up=True)
    upper, upper_faces = plate(0.3, up=False)
    rest, both = np.concatenate([vertices, upper]), np.concatenate([faces, upper_faces + len(vertices)])
    occlusion = Occlusion.prepare(rest, both, np.zeros(len(rest), int))
    turn = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3])[:3, :3]
    np.testing.assert_allclose(occlusion.pose(rest @ turn.T + 0.2), occlusion.pose(rest), atol=2e-3)


def test_light_comes_from_the_upper_left_and_nails_are_lighter() -> None:
    towards = np.array([LOOK.lights[0].direction, [-x for x in LOOK.lights[0].direction]], np.float32)
    normals = towards / np.linalg.norm(towards, axis=1, keepdims=True)
    lit, away = shade(normals, np.zeros(2)).mean(axis=1)
    assert lit > away + 0.2
    skin, nail = shade(normals[[0, 0]], np.array([0.0, 1.0])).mean(axis=1)
    assert nail > skin


def test_colours_are_skin_under_plain_white_light() -> None:
    """With nothing but an even, white surrounding, what comes out is the token's skin colour."""
    even = replace(LOOK, lights=LOOK.lights[:1], sky=(1.0,) * 3, ground=(1.0,) * 3, gloss=0.0, edge=0.0)
    even = replace(even, lights=(replace(even.lights[0], strength=(0.0,) * 3),))
    normals = sphere(1)[0]
    np.testing.assert_allclose(shade(normals, np.zeros(len(normals)), look=even), [LOOK.skin] * len(normals), atol=1e-3)


@pytest.mark.parametrize("sky", [0.0, 0.5])
def test_hidden_places_are_darker(sky: float) -> None:
    normals = sphere(1)[0]
    open_places = shade(normals, np.zeros(len(normals)))
    hidden = shade(normals, np.zeros(len(normals)), occlusion=np.full(len(normals), sky))
    assert (hidden < open_places).all()
