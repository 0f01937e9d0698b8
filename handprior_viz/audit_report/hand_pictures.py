"""Pictures of hands that travel inside the page: drawn like every other still, small enough for hundreds of them."""

from __future__ import annotations

import base64
import io
from functools import cache

import numpy as np
from jaxtyping import Float
from PIL import Image

from data_tools.hand_model import HandModel
from handprior_viz.pictures.stage import Stage
from handprior_viz.render import Renderer, default_renderer, render_hands

SIZE = (272, 170)
"""Pixels; shown at two thirds of it, so that it stays sharp on dense screens."""

_COLOURS = 128  # of the palette; a picture costs about 5 kB


def hands_picture(hands: Float[np.ndarray, "90"], renderer: Renderer | None = None) -> str | None:
    """Draw both hands of a pose on a transparent ground, as a data URI.

    Args:
        hands: Left then right, mean included, axis-angle in radians.
        renderer: Default: the shared one.

    Returns:
        ``data:image/png;base64,...``, or None for a pose that cannot be drawn because it is not finite.
    """
    pose = np.asarray(hands, np.float32)
    if not np.isfinite(pose).all():
        return None
    drawn = render_hands(
        pose, size=SIZE, caption="", labels=False, transparent=True, renderer=renderer or default_renderer()
    )
    file = io.BytesIO()
    image = Image.fromarray(drawn).quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, kmeans=3)
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


@cache
def _model() -> HandModel:
    """The model that is drawn: what it is called and where its hands stand need no graphics."""
    return HandModel()


@cache
def model_words() -> str:
    """What has to stand below every picture: empty for the user's own model, ``open hand model`` for the stand-in."""
    return _model().caption


@cache
def side_places() -> tuple[tuple[str, str], ...]:
    """The letters L and R, and how far from the left edge of a picture they stand, in per cent."""
    places = Stage.of(_model()).label_places(SIZE, "palm")
    return tuple((letter, f"{100 * x / SIZE[0]:.1f}%") for letter, (x, _) in zip("LR", places, strict=True))
