"""The colours for numbers: even steps, told apart by everyone, and what stands for what."""

from __future__ import annotations

import numpy as np
import pytest

from handprior_viz.pictures.colour_ramp import RAMP, Colouring, nice_above
from handprior_viz.style import hex_to_rgb


def oklab(colours: np.ndarray) -> np.ndarray:
    """From sRGB; the two matrices are those of https://bottosson.github.io/posts/oklab/ for this direction."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    cones = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    to_lab = np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    return np.cbrt(linear @ cones.T) @ to_lab.T


def test_lightness_rises_evenly_so_that_the_order_is_seen_without_hues() -> None:
    lightness = oklab(np.array([hex_to_rgb(colour) for colour in RAMP]))[:, 0]
    np.testing.assert_allclose(lightness, np.linspace(0.45, 0.92, len(RAMP)), atol=0.005)


def test_ends_have_the_first_and_last_colour_and_unknown_keeps_the_skin() -> None:
    colouring = Colouring.of(np.array([2.0, 4.0, 9.0, np.nan]), 2, 4, "mm", vertices=4)
    paint = colouring.paint()
    np.testing.assert_allclose(paint[:3, :3], [hex_to_rgb(RAMP[k]) for k in (0, -1, -1)], atol=1e-6)
    np.testing.assert_array_equal(paint[:, 3], [1, 1, 1, 0])


def test_ends_that_are_not_given_are_those_of_the_values() -> None:
    colouring = Colouring.of(np.array([1.0, 5.0, np.nan]), None, None, "mm", vertices=3)
    assert (colouring.low, colouring.high) == (1, 5)
    same = Colouring.of(np.array([3.0, 3.0]), None, None, "mm", vertices=2)
    assert same.low == 3 < same.high


@pytest.mark.parametrize(
    ("value", "above"), [(0, 1), (0.7, 0.8), (1, 1), (1.2, 1.5), (7, 8), (55, 60), (99, 100), (100, 100), (101, 150)]
)
def test_round_numbers_above(value: float, above: float) -> None:
    assert nice_above(value) == pytest.approx(above)
