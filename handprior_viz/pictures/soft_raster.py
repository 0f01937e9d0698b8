"""A triangle rasteriser in numpy, for machines without any OpenGL: slower than pyrender, same picture.

Every triangle is expanded into the pixels of its bounding box, pixels outside are dropped, and the nearest of the
rest wins. There is no clipping: the whole mesh must lie in front of the camera.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8


def rasterise(
    positions: Float[np.ndarray, "V 3"],
    colours: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    size: tuple[int, int],
    *,
    samples: int = 2,
) -> UInt8[np.ndarray, "H W 4"]:
    """Draw a mesh whose vertices carry their colours.

    Args:
        positions: x and y in pixels from the upper left corner, and nearness (any positive number that is greater
            nearer the camera and linear on the screen, such as one over the distance).
        colours: sRGB from 0 to 1.
        faces: Triangles, counter-clockwise on the screen when they face the camera; others are not drawn.
        size: Width and height in pixels.
        samples: Samples per pixel in each direction, for smooth edges.

    Returns:
        Colour and coverage (straight alpha).
    """
    width, height = size[0] * samples, size[1] * samples
    placed = positions.astype(np.float32) * np.array([samples, samples, 1], np.float32)
    # Two halves of the faces at a time: numpy lets other threads run meanwhile, and most machines have two cores.
    with ThreadPoolExecutor(2) as workers:
        halves = workers.map(lambda half: _drawn(placed, colours, half, width, height), np.array_split(faces, 2))
        samples_hit, nearness, seen = (np.concatenate(parts) for parts in zip(*halves, strict=True))
    hit, nearest = _nearest(samples_hit, nearness, width * height)
    row, column = np.divmod(hit, width)
    pixel = row // samples * size[0] + column // samples
    image = np.empty((size[1] * size[0], 4), np.uint8)
    covered = np.bincount(pixel, minlength=len(image))
    image[:, 3] = (covered * (255 / samples**2) + 0.5).astype(np.uint8)
    share = 255 / np.maximum(covered, 1)  # the mean over covered samples only, or edges would darken towards black
    for channel in range(3):
        total = np.bincount(pixel, seen[nearest, channel], minlength=len(image))
        image[:, channel] = (total * share + 0.5).astype(np.uint8)
    return image.reshape(size[1], size[0], 4)


def _drawn(
    placed: Float32[np.ndarray, "V 3"],
    colours: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    width: int,
    height: int,
) -> tuple[Int[np.ndarray, "H"], Float32[np.ndarray, "H"], Float32[np.ndarray, "H 3"]]:
    """Samples that some faces cover, how near they are there, and in which colour."""
    found = _covered_samples(placed[:, :2], faces, width, height)
    nearness = _interpolate(placed[:, 2], faces, found)
    hit, nearest = _nearest(found.sample, nearness, width * height)
    return hit, nearness[nearest], _interpolate(colours.astype(np.float32), faces, found.pick(nearest))


@dataclass(frozen=True, eq=False)
class _Found:
    """Samples inside triangles: index of the triangle, index of the sample, weights of the first two corners."""

    face: Int[np.ndarray, "P"]
    sample: Int[np.ndarray, "P"]
    first: Float32[np.ndarray, "P"]
    second: Float32[np.ndarray, "P"]

    def pick(self, which: Int[np.ndarray, "Q"]) -> _Found:
        return _Found(self.face[which], self.sample[which], self.first[which], self.second[which])


def _interpolate(values: Float32[np.ndarray, "V *C"], faces: Int[np.ndarray, "F 3"], found: _Found) -> np.ndarray:
    a, b, c = faces[found.face].T
    shape = (-1,) + (1,) * (values.ndim - 1)
    first, second = found.first.reshape(shape), found.second.reshape(shape)
    return first * values[a] + second * values[b] + (1 - first - second) * values[c]


def _covered_samples(
    placed: Float32[np.ndarray, "V 2"], faces: Int[np.ndarray, "F 3"], width: int, height: int
) -> _Found:
    (ax, ay), (bx, by), (cx, cy) = (placed[corner].T for corner in faces.T)
    # Twice the area; negative for a face that turns to the camera, because the screen's y points down.
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    left, columns = _span(ax, bx, cx, width)
    top, rows = _span(ay, by, cy, height)
    kept = np.flatnonzero((area < -1e-9) & (columns * rows > 0))
    ax, ay, bx, by, cx, cy, area, left, top, columns, rows = (
        values[kept] for values in (ax, ay, bx, by, cx, cy, area, left, top, columns, rows)
    )
    # A corner's weight is linear on the screen: its value at the box's first sample, and its steps in x and y.
    x, y = left + np.float32(0.5), top + np.float32(0.5)
    first = np.stack([(bx - x) * (cy - y) - (by - y) * (cx - x), by - cy, cx - bx]) / area
    second = np.stack([(cx - x) * (ay - y) - (cy - y) * (ax - x), cy - ay, ax - cx]) / area
    counts = columns * rows
    box = np.repeat(np.arange(len(kept), dtype=np.int32), counts)
    within = np.arange(len(box), dtype=np.int32) - (np.cumsum(counts, dtype=np.int32) - counts)[box]
    down, right = np.divmod(within, columns[box])
    weights = np.concatenate([first, second]).T.astype(np.float32)[box]
    across, along = right.astype(np.float32), down.astype(np.float32)
    first = weights[:, 0] + weights[:, 1] * across + weights[:, 2] * along
    second = weights[:, 3] + weights[:, 4] * across + weights[:, 5] * along
    # Room for rounding: a sample on an edge shared by two triangles must not fall between them.
    inside = np.flatnonzero((first >= -1e-5) & (second >= -1e-5) & (first + second <= 1 + 1e-5))
    box = box[inside]
    sample = (top[box] + down[inside]) * width + left[box] + right[inside]
    return _Found(kept[box], sample, first[inside], second[inside])


def _span(
    a: Float32[np.ndarray, "F"], b: Float32[np.ndarray, "F"], c: Float32[np.ndarray, "F"], limit: int
) -> tuple[Int[np.ndarray, "F"], Int[np.ndarray, "F"]]:
    """First sample and number of samples that three corners enclose along one axis."""
    low = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c) - 0.5), 0).astype(np.int32)
    high = np.minimum(np.floor(np.maximum(np.maximum(a, b), c) - 0.5), limit - 1).astype(np.int32)
    return low, np.maximum(high - low + 1, 0)


def _nearest(
    sample: Int[np.ndarray, "P"], nearness: Float32[np.ndarray, "P"], samples: int
) -> tuple[Int[np.ndarray, "H"], Int[np.ndarray, "H"]]:
    """Samples that were hit, and for each the index of its nearest candidate."""
    best = np.zeros(samples, np.float32)
    np.maximum.at(best, sample, nearness)
    front = np.flatnonzero(nearness >= best[sample])
    winner = np.full(samples, -1, np.int32)
    winner[sample[front]] = front
    hit = np.flatnonzero(winner >= 0)
    return hit, winner[hit]
