"""How hands are lit: one small light model, so that stills, the live view and the fall-back all show the same hand.

Soft and matte: a sky and a ground that colour the shadows, a warm key light from the upper left, a cool fill from
the right, a rim from behind. Light wraps a little around the surface, red furthest, which is what makes skin look
like skin rather than clay. Lights stand still relative to the viewer. ``hand_picture.js`` evaluates the same formula
with the same numbers (it is sent :data:`LOOK`); both do it per vertex of the smoothed mesh.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from handprior_viz.style import TOKENS

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """A light from far away: where it stands (x right, y up, z to the viewer) and its linear RGB strength."""

    direction: Colour
    strength: Colour


@dataclass(frozen=True)
class Look:
    """Everything the light model needs. Colours of surfaces are sRGB, strengths of lights are linear."""

    skin: Colour = TOKENS.skin
    nail: Colour = TOKENS.nail
    lights: tuple[Light, ...] = (
        Light((-0.55, 0.65, 0.52), (0.94, 0.92, 0.89)),
        Light((0.85, 0.00, 0.50), (0.14, 0.16, 0.20)),
        Light((0.35, 0.55, -0.75), (0.34, 0.35, 0.38)),
    )
    sky: Colour = (0.26, 0.28, 0.31)
    ground: Colour = (0.16, 0.13, 0.125)
    wrap: Colour = (0.22, 0.15, 0.12)
    gloss: float = 0.06
    gloss_power: float = 18.0
    nail_gloss: float = 0.22
    nail_gloss_power: float = 48.0
    edge: float = 0.10
    edge_power: float = 3.0

    def as_message(self) -> dict[str, Any]:
        """Plain numbers for the page, lights normalised."""
        message = asdict(self)
        message["lights"] = [
            {"direction": _unit(light.direction).tolist(), "strength": light.strength} for light in self.lights
        ]
        return message


LOOK = Look()


def shade(
    normals: Float[np.ndarray, "V 3"],
    nail: Float[np.ndarray, "V"],
    *,
    occlusion: Float[np.ndarray, "V"] | None = None,
    paint: Float[np.ndarray, "V 4"] | None = None,
    look: Look = LOOK,
) -> Float[np.ndarray, "V 3"]:
    """Colour of each vertex as the viewer on the +z axis sees it.

    Args:
        normals: Unit normals.
        nail: 0 on skin, 1 on a nail, between them at its edge.
        occlusion: How much of the surroundings each vertex sees, 0 to 1; all of it if not given.
        paint: A colour in place of the skin's (sRGB from 0 to 1), and how much of it.
        look: Surface and lights.

    Returns:
        sRGB from 0 to 1.
    """
    normals = normals.astype(np.float32, copy=False)
    nail = nail.astype(np.float32, copy=False)[:, None]
    open_sky = np.ones_like(nail) if occlusion is None else occlusion.astype(np.float32, copy=False)[:, None]
    skin, nails = (np.asarray(colour, np.float32) ** 2.2 for colour in (look.skin, look.nail))
    albedo = skin + (nails - skin) * nail
    if paint is not None:
        painted = np.clip(paint, 0, 1).astype(np.float32)
        albedo = albedo + (painted[:, :3] ** 2.2 - albedo) * painted[:, 3:]
    up = 0.5 + 0.5 * normals[:, 1:2]
    ground, sky, wrap = (np.asarray(colour, np.float32) for colour in (look.ground, look.sky, look.wrap))
    received = (ground + (sky - ground) * up) * open_sky
    for light in look.lights:
        facing = normals @ _unit(light.direction)
        wrapped = np.maximum((facing[:, None] + wrap) / (1 + wrap), 0)
        received = received + wrapped * np.asarray(light.strength, np.float32) * (0.4 + 0.6 * open_sky)
    edge = look.edge * np.maximum(1 - np.maximum(normals[:, 2:], 0), 0) ** look.edge_power * up
    linear = albedo * received + (_gloss(normals, nail, look) + edge * np.asarray(look.sky, np.float32)) * open_sky
    return np.clip(linear, 0, 1) ** np.float32(1 / 2.2)


def _gloss(normals: Float[np.ndarray, "V 3"], nail: Float[np.ndarray, "V 1"], look: Look) -> Float[np.ndarray, "V 1"]:
    """Highlight of the key light (Blinn's half vector, viewer far away on +z)."""
    half = _unit(_unit(look.lights[0].direction) + np.array([0, 0, 1], np.float32))
    facing = np.maximum(normals @ half, 0)[:, None]
    skin = look.gloss * facing**look.gloss_power
    return skin + (look.nail_gloss * facing**look.nail_gloss_power - skin) * nail


def _unit(direction: Colour | np.ndarray) -> np.ndarray:
    vector = np.asarray(direction, np.float32)
    return vector / np.linalg.norm(vector)
