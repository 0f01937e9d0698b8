"""A number for every vertex as a colour on the hand: the ramp, its legend, and what is sent of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image, ImageDraw, ImageFont

from handprior_viz.style import TOKENS, hex_to_rgb

RAMP: tuple[str, ...] = (
    "#224BB2", "#016BA7", "#0983A3", "#049AA4", "#06B29F", "#03CB8A", "#7CD96D", "#C2E152", "#FFE64E",
)  # fmt: skip
"""Colours from low to high, evenly spaced: blue to yellow in OKLCH (https://bottosson.github.io/posts/oklab/).

Lightness rises evenly from 0.45 to 0.92, hue falls from 264 to 100 degrees, with as much chroma up to 0.17 as sRGB has:
equal steps look equal, who confuses red with green sees all of them, and nothing is as dark as a shadow.
"""


@dataclass(frozen=True, eq=False)
class Colouring:
    """What colours the hands.

    Attributes:
        values: One for every coarse vertex; NaN keeps the skin.
        low: Value of the first colour; what is below has it too.
        high: Value of the last colour.
        label: What is shown, with its unit.
    """

    values: Float[np.ndarray, "V"]
    low: float
    high: float
    label: str

    @classmethod
    def of(
        cls, values: Float[np.ndarray, "V"], low: float | None, high: float | None, label: str, *, vertices: int
    ) -> Colouring:
        """Check values and fill in the ends that were not given from them.

        Args:
            values: One for every vertex of the model; NaN keeps the skin.
            low: Default: the least value.
            high: Default: the greatest.
            label: With the unit.
            vertices: How many the model has.

        Raises:
            ValueError: Another number of values, infinite ones, none at all, or ends in the wrong order.
        """
        values = np.array(values, np.float32)
        if values.shape != (vertices,):
            raise ValueError(f"values to colour by must be one for each of {vertices} vertices, got {values.shape}")
        known = values[~np.isnan(values)]
        if not len(known) or np.isinf(known).any():
            raise ValueError("values to colour by must be finite, or NaN where nothing is known; got none that is")
        low = float(known.min()) if low is None else float(low)
        high = float(known.max()) if high is None else float(high)
        if high == low:
            high = low + (abs(low) or 1.0)
        if not low < high:
            raise ValueError(f"low must be below high, got {low:g} and {high:g}")
        return cls(values, low, high, label)

    @property
    def shares(self) -> Float32[np.ndarray, "V"]:
        """Values as 0 at ``low`` to 1 at ``high``; NaN stays."""
        return np.clip((self.values - self.low) / (self.high - self.low), 0, 1).astype(np.float32)

    @property
    def legend(self) -> dict[str, Any]:
        """Words and colours for the page."""
        return {"label": self.label, "low": f"{self.low:.3g}", "high": f"{self.high:.3g}", "ramp": list(RAMP)}

    def paint(self) -> Float32[np.ndarray, "V 4"]:
        """SRGB from 0 to 1 for every vertex, and how much of it: 0 where the value is NaN."""
        shares = self.shares
        known = ~np.isnan(shares)
        stops = np.array([hex_to_rgb(colour) for colour in RAMP], np.float32)
        places = np.linspace(0, 1, len(stops))
        colours = [np.interp(np.where(known, shares, 0), places, channel) for channel in stops.T]
        return np.stack([*colours, known], axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Colours by how far each vertex is from where it is in another pose.

    Attributes:
        pose: The other one.
        vertices: Where it has them, metres.
        high: Millimetres of the last colour; None for a round number above the greatest distance.
        label: For the legend.
    """

    pose: Float[np.ndarray, "columns"]
    vertices: Float[np.ndarray, "V 3"]
    high: float | None
    label: str

    def colouring(self, vertices: Float[np.ndarray, "V 3"]) -> Colouring:
        """Compare with these vertices, in metres."""
        apart = 1000 * np.linalg.norm(vertices - self.vertices, axis=1)
        top = nice_above(float(apart.max())) if self.high is None else self.high
        return Colouring.of(apart, 0.0, top, self.label, vertices=len(apart))


def nice_above(value: float) -> float:
    """The least round number that is not below ``value``: 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20 ...; 1 for 0."""
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def draw_legend(picture: Image.Image, colouring: Colouring, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    """Draw label, ramp and its ends into the upper left corner of a still."""
    pen = ImageDraw.Draw(picture)
    text, muted = (tuple(round(255 * c) for c in hex_to_rgb(colour)) for colour in (TOKENS.text, TOKENS.muted))
    space, width, height = TOKENS.space, 120, 8
    line = font.getbbox("Ag")[3]
    pen.text((space, space), colouring.label, text, font)
    stops = np.array([hex_to_rgb(colour) for colour in RAMP])
    across = np.stack([np.interp(np.linspace(0, 1, width), np.linspace(0, 1, len(stops)), c) for c in stops.T], axis=1)
    bar = np.broadcast_to((255 * across + 0.5).astype(np.uint8), (height, width, 3))
    low, top = colouring.legend["low"], 2 * space + line
    start = space + font.getlength(low) + space / 2
    pen.text((space, top + height / 2), low, muted, font, anchor="lm")
    picture.paste(Image.fromarray(np.ascontiguousarray(bar)), (round(start), round(top)))
    pen.text((start + width + space / 2, top + height / 2), colouring.legend["high"], muted, font, anchor="lm")
