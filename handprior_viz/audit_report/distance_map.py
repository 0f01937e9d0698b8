"""How far datasets lie apart, as a map of squares: row and column in the order of the table (SVG, pure functions)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from jaxtyping import Float

SHADES = 12
_LETTER = 6.1  # px, an average letter at 11 px


def distance_map(
    names: Sequence[str],
    colours: Sequence[str],
    distances: Float[np.ndarray, "datasets datasets"],
    *,
    key: str,
    most: float,
) -> str:
    """Draw a matrix of distances.

    Args:
        names: Datasets, in the order of the table.
        colours: #RRGGBB of the tier of each.
        distances: Symmetric; NaN where one of the two has no live hand.
        key: Identity of the map on its page, where hovering looks its numbers up.
        most: The distance drawn darkest.

    Returns:
        An SVG whose squares are drawn as one path per shade, and so stay small for any number of datasets.
    """
    count = len(names)
    side = min(max(720 // max(count, 1), 12), 48)
    longest = max((len(name) for name in names), default=0)
    room = min(round(_LETTER * longest) + 18, 190)
    shown = [_shorten(name, int((room - 18) / _LETTER)) for name in names]
    width = height = room + side * count
    squares = _squares(distances, side, room, most)
    labels = []
    for k, (name, whole, colour) in enumerate(zip(shown, names, colours, strict=True)):
        at = room + side * (k + 0.5)
        title = f"<title>{escape(whole)}</title>"
        labels.append(f'<rect fill="{colour}" x="{room - 8}" y="{at - side / 2 + 1:g}" width="4" height="{side - 2}"/>')
        labels.append(f'<rect fill="{colour}" y="{room - 8}" x="{at - side / 2 + 1:g}" height="4" width="{side - 2}"/>')
        labels.append(f'<text text-anchor="end" x="{room - 13}" y="{at + 4:g}">{escape(name)}{title}</text>')
        labels.append(f'<text transform="translate({at + 4:g} {room - 13})rotate(-90)">{escape(name)}{title}</text>')
    numbers = _numbers(distances, side, room, most) if side >= 36 else ""
    return (
        f'<svg class="map" id="{key}" data-side="{side}" data-room="{room}" viewBox="0 0 {width} {height}" '
        f'style="width:{width}px" role="img" aria-label="Distances between {count} datasets">'
        f'{squares}{numbers}{"".join(labels)}<rect class="here" width="{side}" height="{side}"/></svg>'
    )


def _shade(value: float, most: float) -> int:
    return min(int(SHADES * value / most), SHADES - 1) if most > 0 else 0


def _squares(distances: np.ndarray, side: int, room: int, most: float) -> str:
    """One path per shade; the diagonal stays empty."""
    paths: dict[str, list[str]] = {}
    size = side - 1
    for row, column in np.argwhere(~np.eye(len(distances), dtype=bool)):
        value = float(distances[row, column])
        x, y = room + side * column, room + side * row
        if np.isfinite(value):
            paths.setdefault(f"s{_shade(value, most)}", []).append(f"M{x} {y}h{size}v{size}h-{size}z")
        else:  # a dot, which no shade can be mistaken for
            paths.setdefault("unknown", []).append(f"M{x + size // 2 - 1} {y + size // 2 - 1}h2v2h-2z")
    return "".join(f'<path class="{kind}" d="{"".join(squares)}"/>' for kind, squares in sorted(paths.items()))


def _numbers(distances: np.ndarray, side: int, room: int, most: float) -> str:
    """The distances themselves, where squares are large enough to hold them."""
    texts = []
    for row, column in np.argwhere(~np.eye(len(distances), dtype=bool)):
        value = float(distances[row, column])
        if np.isfinite(value):
            dark = " dark" if _shade(value, most) > SHADES // 2 else ""
            x, y = room + side * (column + 0.5) - 0.5, room + side * (row + 0.5) + 3.5
            texts.append(f'<text class="number{dark}" text-anchor="middle" x="{x:g}" y="{y:g}">{value:.2f}</text>')
    return "".join(texts)


def _shorten(name: str, letters: int) -> str:
    return name if len(name) <= letters else f"{name[: max(letters - 1, 1)]}…"
