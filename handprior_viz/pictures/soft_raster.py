"""A triangle rasteriser in numpy, for machines without any OpenGL: slower than a graphics card, same picture.

Every triangle is cut into the runs of samples that it covers in each row, painted from far to near; where two triangles
cross each other, the samples that were painted over by something further away are put right. The picture is drawn in
bands of rows: each stays in the processor's cache, and numpy lets two of them be drawn at a time. There is no clipping:
the whole mesh must lie in front of the camera.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

_BAND = 64
"""Rows of pixels to a band: few enough for the cache, so many that what a band costs by itself does not count."""

_ROOM = np.float32(1e-3)
"""Samples by which triangles are widened: a sample on an edge shared by two of them must not fall between them."""

_HALF = np.float32(0.5)

_SMALL = np.float32(0.5)
"""Twice the area, in samples, below which a triangle has one colour: it covers one sample, if any, and where it is seen
from its edge its slopes are beyond all measure."""


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
    width, height = size
    placed = np.ascontiguousarray(positions.T, np.float32)
    placed[:2] *= samples
    values = np.concatenate([placed[2:], colours.T.astype(np.float32)])
    shown = _Triangles.facing(placed[:2], values, faces, height * samples)
    image = np.zeros((height, width, 4), np.uint8)

    def fill(top: int) -> None:
        band = image[top : top + _BAND]
        _paint(band, samples, shown.runs(top * samples, (top + len(band)) * samples, width * samples))

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(fill, range(0, height, _BAND)))
    return image


@dataclass(frozen=True, eq=False)
class _Runs:
    """Samples beside each other in one row that one triangle covers, from far to near.

    Attributes:
        start: The first sample's number, counted through the rows of a band.
        count: How many samples.
        value: Nearness and colour at the first sample.
        step: What is added to it from one sample to the next.
    """

    start: Int[np.ndarray, "R"]
    count: Int[np.ndarray, "R"]
    value: Float32[np.ndarray, "4 R"]
    step: Float32[np.ndarray, "4 R"]


@dataclass(frozen=True, eq=False)
class _Triangles:
    """Those that face the camera, the furthest first. All lengths are in samples.

    Attributes:
        x: Of the corners.
        y: Of the corners.
        slope: How far the edge that begins at each corner goes to the right for every row; 0 for a level edge.
        left: x of the corner where the edge that begins there bounds the triangle on the left, else minus infinity.
        right: x of the corner where that edge bounds it on the right, else infinity.
        top: First row.
        bottom: Last row.
        value: Nearness and colour at the first corner.
        across: What is added to them from column to column.
        along: What is added to them from row to row.
    """

    x: Float32[np.ndarray, "3 T"]
    y: Float32[np.ndarray, "3 T"]
    slope: Float32[np.ndarray, "3 T"]
    left: Float32[np.ndarray, "3 T"]
    right: Float32[np.ndarray, "3 T"]
    top: Int[np.ndarray, "T"]
    bottom: Int[np.ndarray, "T"]
    value: Float32[np.ndarray, "4 T"]
    across: Float32[np.ndarray, "4 T"]
    along: Float32[np.ndarray, "4 T"]

    @classmethod
    def facing(
        cls,
        placed: Float32[np.ndarray, "2 V"],
        values: Float32[np.ndarray, "4 V"],
        faces: Int[np.ndarray, "F 3"],
        height: int,
    ) -> _Triangles:
        """Choose, sort and measure the triangles to draw.

        Args:
            placed: x and y of each vertex.
            values: Nearness, red, green and blue.
            faces: Corners.
            height: Rows of the screen.
        """
        x, y = (coordinate.take(faces.T) for coordinate in placed)
        # Twice the area; negative for a face that turns to the camera, because the screen's y points down.
        area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
        kept = np.flatnonzero(area < -1e-9)
        nearness = values[0].take(faces.take(kept, axis=0))
        kept = kept[np.argsort(nearness[:, 0] + nearness[:, 1] + nearness[:, 2])]
        x, y, area, corners = (rows.take(kept, axis=-1) for rows in (x, y, area, faces.T))
        right, down = x[[1, 2, 0]] - x, y[[1, 2, 0]] - y
        level = np.abs(down) < 1e-6
        value, second, third = (values.take(corner, axis=1) for corner in corners)
        second -= value
        third -= value
        over_area = np.where(area < -_SMALL, 1 / area, 0)
        return cls(
            x,
            y,
            np.where(level, 0, right / np.where(level, 1, down)),
            np.where(down >= 1e-6, x, -np.inf),
            np.where(down <= -1e-6, x, np.inf),
            np.ceil(np.clip(np.minimum(np.minimum(y[0], y[1]), y[2]), 0, height) - 0.5 - _ROOM).astype(np.int32),
            np.floor(np.clip(np.maximum(np.maximum(y[0], y[1]), y[2]), 0, height) - 0.5 + _ROOM).astype(np.int32),
            value,
            (second * (y[2] - y[0]) - third * down[0]) * over_area,
            (third * right[0] - second * (x[2] - x[0])) * over_area,
        )

    def runs(self, top: int, end: int, width: int) -> _Runs:
        """Cut the triangles into runs, in the rows from ``top`` to before ``end`` of a screen of this width."""
        first = np.maximum(self.top, top)
        rows = np.maximum(np.minimum(self.bottom, end - 1) - first + 1, 0)
        which = np.repeat(np.arange(len(rows), dtype=np.int32), rows)
        row = _count_up(rows) + first.take(which)
        middle = row.astype(np.float32) + _HALF
        low, high = np.zeros(len(which), np.float32), np.full(len(which), width, np.float32)
        for y, slope, left, right in zip(self.y, self.slope, self.left, self.right, strict=True):
            aside = (middle - y.take(which)) * slope.take(which)
            np.maximum(low, left.take(which) + aside, out=low)
            np.minimum(high, right.take(which) + aside, out=high)
        begin = np.ceil(low - (_HALF + _ROOM)).astype(np.int32)
        count = np.floor(high - (_HALF - _ROOM)).astype(np.int32) - begin + 1
        kept = np.flatnonzero(count > 0)
        which, begin, row, count = (numbers.take(kept) for numbers in (which, begin, row, count))
        across = self.across.take(which, axis=1)
        value = self.value.take(which, axis=1)
        value += across * (begin.astype(np.float32) + _HALF - self.x[0].take(which))
        value += self.along.take(which, axis=1) * (row.astype(np.float32) + _HALF - self.y[0].take(which))
        return _Runs((row - top) * width + begin, count, value, across)


def _paint(band: UInt8[np.ndarray, "H W 4"], samples: int, runs: _Runs) -> None:
    """Fill a band of the picture with the nearest of what covers each sample."""
    height, width = band.shape[0] * samples, band.shape[1] * samples
    run = np.repeat(np.arange(len(runs.count), dtype=np.int32), runs.count)
    along = _count_up(runs.count)
    sample = runs.start.take(run) + along
    along = along.astype(np.float32)
    nearness = runs.value[0].take(run) + runs.step[0].take(run) * along
    winner = np.full(height * width, -1, np.int32)
    winner[sample] = np.arange(len(sample), dtype=np.int32)  # of several to one sample numpy keeps the last
    beaten = np.flatnonzero(nearness > nearness.take(winner.take(sample)))
    beaten = beaten[np.argsort(nearness[beaten])]
    winner[sample[beaten]] = beaten
    hit = np.flatnonzero(winner >= 0).astype(np.int32)
    winner = winner.take(hit)
    run, along = run.take(winner), along.take(winner)
    row = hit // width
    pixel = row // samples * band.shape[1] + (hit - row * width) // samples
    covered = np.bincount(pixel, minlength=len(band) * band.shape[1])
    touched = np.flatnonzero(covered)
    covered = covered.take(touched)
    share = 255 / covered  # the mean over covered samples only, or edges would darken towards black
    flat = band.reshape(-1, 4)
    for channel in range(3):
        seen = runs.value[1 + channel].take(run) + runs.step[1 + channel].take(run) * along
        total = np.bincount(pixel, np.clip(seen, 0, 1)).take(touched)
        flat[touched, channel] = total * share + 0.5
    flat[touched, 3] = covered * (255 / samples**2) + 0.5


def _count_up(counts: Int[np.ndarray, "N"]) -> Int[np.ndarray, "M"]:
    """Return 0, 1, ... below each count, one after the other."""
    ends = np.cumsum(counts, dtype=np.int32)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int32) - np.repeat(ends - counts, counts)
