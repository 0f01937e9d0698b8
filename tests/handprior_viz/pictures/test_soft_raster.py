"""The rasteriser, on shapes whose picture can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from handprior_viz.pictures.soft_raster import rasterise

RED, BLUE = [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]


def triangle(*corners: tuple[float, float], near: float = 1.0) -> np.ndarray:
    return np.array([(*corner, near) for corner in corners], np.float32)


# Counter-clockwise as a person sees it; y points down in pixels.
HALF = triangle((4, 4), (4, 24), (24, 4))
FACE = np.array([[0, 1, 2]])


def test_area_and_colour_of_a_triangle() -> None:
    image = rasterise(HALF, np.array([RED] * 3), FACE, (32, 32))
    assert image[8, 8].tolist() == [255, 0, 0, 255]
    assert image[28, 28].tolist() == [0, 0, 0, 0]
    assert image[..., 3].sum() / 255 == pytest.approx(200, rel=0.03)


def test_edges_are_smooth_and_keep_their_colour() -> None:
    image = rasterise(HALF, np.array([RED] * 3), FACE, (32, 32))
    edge = (image[..., 3] > 0) & (image[..., 3] < 255)
    assert edge.sum() > 10
    assert (image[edge][:, :3] == [255, 0, 0]).all()


def test_colours_run_smoothly_between_corners() -> None:
    colours = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0]], float)
    image = rasterise(HALF, colours, FACE, (32, 32), samples=1)
    # The pixel centre (9.5, 14.5): 10.5/20 of the way down, 5.5/20 of the way right.
    np.testing.assert_allclose(image[14, 9, :3], [255 * 5.5 / 20, 255 * 10.5 / 20, 0], atol=1)


def test_what_turns_its_back_is_not_drawn() -> None:
    assert rasterise(HALF, np.array([RED] * 3), FACE[:, ::-1], (32, 32))[..., 3].max() == 0


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_nearest_wins_in_whatever_order(order: list[int]) -> None:
    corners = np.concatenate([HALF, HALF * [1, 1, 2]])
    faces = np.array([[0, 1, 2], [3, 4, 5]])[order]
    image = rasterise(corners, np.array([RED] * 3 + [BLUE] * 3), faces, (32, 32))
    assert image[8, 8].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_two_that_cross_each_wins_where_it_is_nearer(order: list[int]) -> None:
    square = np.array([(0, 0), (0, 64), (64, 0)], np.float32)
    level = np.column_stack([square, [2, 2, 2]])
    leaning = np.column_stack([square, [1, 1, 5]])  # nearness 1 + x / 16: the nearer one from x = 16 on
    faces = np.array([[0, 1, 2], [3, 4, 5]])[order]
    image = rasterise(np.concatenate([level, leaning]), np.array([RED] * 3 + [BLUE] * 3), faces, (32, 32))
    assert (image[:31, :15] == [255, 0, 0, 255]).all()
    assert (image[:31, 17:31] == [0, 0, 255, 255]).all()


def test_neighbouring_triangles_leave_no_gap() -> None:
    rng = np.random.default_rng(0)
    axis = np.linspace(-3, 35, 14)
    x, y = np.meshgrid(axis, axis)
    inner = np.pad(np.ones((12, 12)), 1)
    x, y = x + inner * rng.uniform(-1, 1, x.shape), y + inner * rng.uniform(-1, 1, y.shape)
    corner = (np.arange(13)[:, None] * 14 + np.arange(13)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 14, corner + 1], 1),
            np.stack([corner + 1, corner + 14, corner + 15], 1),
        ]
    )
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], 1)
    image = rasterise(points, np.full((x.size, 3), 0.5), faces, (32, 32))
    assert (image[..., 3] == 255).all()


def test_what_lies_outside_is_cut_off() -> None:
    corners = triangle((-50, -50), (-50, 200), (200, -50))
    assert (rasterise(corners, np.array([RED] * 3), FACE, (16, 16)) == [255, 0, 0, 255]).all()
    assert rasterise(corners - [500, 0, 0], np.array([RED] * 3), FACE, (16, 16)).max() == 0
