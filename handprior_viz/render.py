"""Stills: pictures of hand poses and contact sheets of many, drawn off screen.

    picture = render_hands(pose, size=(512, 512), view="back")      # numpy uint8
    contact_sheet(poses, titles=names, synthetic=True).save("sheet.png")

Drawn by pyrender through EGL, else through OSMesa, else by a rasteriser of our own in numpy; :func:`backend` says
which. Light and camera are the same for all three and for the live view.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from data_tools.hand_model import HandMesh, HandModel, default_hand_model
from data_tools.pose_layout import HANDS_DIM
from handprior_viz.pictures.colour_ramp import Colouring, draw_legend
from handprior_viz.pictures.lighting import shade
from handprior_viz.pictures.occlusion import Occlusion
from handprior_viz.pictures.opengl import PLATFORMS, OpenGLThread, open_best
from handprior_viz.pictures.smooth_mesh import SmoothMesh
from handprior_viz.pictures.soft_raster import rasterise
from handprior_viz.pictures.stage import Stage, View
from handprior_viz.style import TOKENS, hex_to_rgb

RASTERISER = "numpy rasteriser"
SYNTHETIC = "synthetic data"


class Renderer:
    """Draws hands of one model. Everything that does not depend on the pose is prepared once.

    Attributes:
        model: The hand model.
        stage: Where hands and camera stand.
        mesh: Smooths the coarse vertices of a pose.
        occlusion: Soft shadows of a pose.
        backend: ``pyrender (EGL)``, ``pyrender (OSMesa)`` or ``numpy rasteriser``.
    """

    def __init__(self, model: HandModel | None = None, *, platform: str | None = "best") -> None:
        """Prepare drawing.

        Args:
            model: Default: the user's licensed model if there is one, else the open hand.
            platform: ``egl``, ``osmesa``, None for the rasteriser, or ``best`` for the first of them that works here.
        """
        self.model = model or default_hand_model()
        self.stage = Stage.of(self.model)
        self.mesh = SmoothMesh.prepare(self.model.faces, self.model.nails.astype(np.float32))
        flat = self.model.hands(np.zeros(HANDS_DIM, np.float32)).vertices
        self.occlusion = Occlusion.prepare(flat, self.model.faces, self.model.side)
        if platform == "best":
            self._opengl = open_best()
        else:
            self._opengl = OpenGLThread(platform) if platform else None
        self.backend = f"pyrender ({PLATFORMS[self._opengl.platform]})" if self._opengl else RASTERISER

    def close(self) -> None:
        """Free what the graphics driver holds."""
        if self._opengl is not None:
            self._opengl.close()

    def draw(
        self,
        hands: Float[np.ndarray, "90"] | HandMesh,
        size: tuple[int, int],
        view: View = "palm",
        *,
        paint: Float[np.ndarray, "C 4"] | None = None,
    ) -> UInt8[np.ndarray, "H W 4"]:
        """Draw both hands and nothing else, on a transparent background.

        Args:
            hands: Pose (left then right, mean included, axis-angle in radians) or a mesh arranged for display.
            size: Width and height in pixels.
            view: ``palm``, ``back`` or ``thumb``.
            paint: For every coarse vertex a colour in place of the skin's (sRGB from 0 to 1), and how much of it.

        Raises:
            ValueError: Wrong shape, NaN, or an unknown view.
        """
        turned = self.stage.turn(self.vertices(hands), self.model.side, view)
        positions, normals = self.mesh.pose(turned)
        open_sky = np.clip(self.mesh.subdivision @ self.occlusion.pose(turned), 0, 1)
        fine_paint = None if paint is None else self.mesh.subdivision @ paint
        colours = shade(normals, self.mesh.nail, occlusion=open_sky, paint=fine_paint)
        if self._opengl is not None:
            return self._opengl.draw(positions, colours, self.mesh.faces, self.stage, size)
        return rasterise(self.stage.project(positions, size), colours, self.mesh.faces, size)

    def vertices(self, hands: Float[np.ndarray, "90"] | HandMesh) -> Float[np.ndarray, "V 3"]:
        """Return coarse vertices in metres, palms to the viewer; ``ValueError`` for a pose that cannot be drawn."""
        return self.posed(hands).vertices

    def posed(self, hands: Float[np.ndarray, "90"] | HandMesh) -> HandMesh:
        """Return the mesh, palms to the viewer; ``ValueError`` for a pose that cannot be drawn."""
        if isinstance(hands, HandMesh):
            return hands
        pose = np.asarray(hands, np.float32)
        if pose.shape != (HANDS_DIM,):
            raise ValueError(f"a pose to draw must be ({HANDS_DIM},), both hands, got {pose.shape}")
        unusable = int((~np.isfinite(pose)).sum())
        if unusable:
            raise ValueError(f"a pose to draw must be finite, got {unusable} NaN or infinite values")
        return self.model.hands(pose)


@cache
def default_renderer() -> Renderer:
    """Return the renderer that all pictures share unless given another: setting one up takes seconds."""
    return Renderer()


def shared_rasteriser(model: HandModel | None = None) -> Renderer:
    """Return the renderer without OpenGL that all views of this model share; of the default model if not given."""
    return _rasteriser(model or default_hand_model())


@lru_cache(maxsize=2)
def _rasteriser(model: HandModel) -> Renderer:
    return Renderer(model, platform=None)


def backend() -> str:
    """Say what draws stills on this machine: ``pyrender (EGL)``, ``pyrender (OSMesa)`` or ``numpy rasteriser``."""
    return default_renderer().backend


def caption_of(model: HandModel, caption: str | None = None, synthetic: bool = False) -> str:
    """Return what has to stand below a picture: the caption, or what the model asks for, and what the data is."""
    words = [model.caption if caption is None else caption, SYNTHETIC if synthetic else ""]
    return " · ".join(filter(None, words))


def render_hands(
    hands: Float[np.ndarray, "90"] | HandMesh,
    *,
    size: tuple[int, int] = (512, 512),
    view: View = "palm",
    caption: str | None = None,
    synthetic: bool = False,
    transparent: bool = False,
    labels: bool = True,
    renderer: Renderer | None = None,
) -> UInt8[np.ndarray, "H W C"]:
    """Draw one pose of both hands.

    Args:
        hands: Pose (left then right, mean included, axis-angle in radians) or a mesh arranged for display.
        size: Width and height in pixels.
        view: ``palm``, ``back`` or ``thumb``.
        caption: In the lower right corner; default: what the hand model asks for. An empty string leaves it out, for
            pictures that carry it elsewhere.
        synthetic: Add to the caption that the data is synthetic.
        transparent: Leave the background out.
        labels: Mark the hands with L and R.
        renderer: Default: the shared one.

    Returns:
        Four channels if transparent, else three.

    Raises:
        ValueError: Wrong shape, NaN, or an unknown view.
    """
    renderer = renderer or default_renderer()
    drawn = renderer.draw(hands, size, view)
    words = caption_of(renderer.model, caption, synthetic)
    return still(drawn, words, view=view, stage=renderer.stage if labels else None, transparent=transparent)


def still(
    drawn: UInt8[np.ndarray, "H W 4"],
    caption: str,
    *,
    view: View = "palm",
    stage: Stage | None = None,
    transparent: bool = False,
    colouring: Colouring | None = None,
) -> UInt8[np.ndarray, "H W C"]:
    """Put what was drawn onto the background, with its words.

    Args:
        drawn: With alpha, as :meth:`Renderer.draw` gives it.
        caption: In the lower right corner; empty for none.
        view: Side from which the hands are seen.
        stage: Where hands stand, to mark them with L and R; None for no marks.
        transparent: Leave the background out.
        colouring: What the colours mean, for a legend.

    Returns:
        Four channels if transparent, else three.
    """
    size = (drawn.shape[1], drawn.shape[0])
    canvas = Image.fromarray(drawn)
    if not transparent:
        ground = Image.new("RGBA", size, (*_bytes(TOKENS.background), 255))
        ground.alpha_composite(canvas)
        canvas = ground
    text = size[1] / 40
    if stage is not None:
        _mark_sides(canvas, (0, 0), size, view, text, stage)
    if caption:
        place = (size[0] - text, size[1] - text)
        ImageDraw.Draw(canvas).text(place, caption, _bytes(TOKENS.muted), _font(text), anchor="rb")
    if colouring is not None:
        draw_legend(canvas, colouring, _font(text))
    return np.array(canvas if transparent else canvas.convert("RGB"))


def contact_sheet(
    poses: Float[np.ndarray, "N 90"],
    *,
    columns: int = 4,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    view: View = "palm",
    caption: str | None = None,
    synthetic: bool = False,
    cell: tuple[int, int] = (360, 280),
    renderer: Renderer | None = None,
) -> Image.Image:
    """Draw many poses side by side, each on a card of its own.

    Args:
        poses: Left then right hand, mean included, axis-angle in radians.
        columns: Cards in a row; fewer poses make fewer columns.
        titles: One for every pose.
        title: Above the sheet.
        view: Side from which each hand is seen.
        caption: See :func:`render_hands`.
        synthetic: Add to the caption that the data is synthetic.
        cell: Width and height of a card in pixels.
        renderer: Default: the shared one.

    Raises:
        ValueError: No pose, a wrong shape, NaN, or another number of titles than of poses.
    """
    renderer = renderer or default_renderer()
    poses = np.atleast_2d(poses)
    if not len(poses):
        raise ValueError("a contact sheet needs at least one pose, got none")
    if titles is not None and len(titles) != len(poses):
        raise ValueError(f"titles must be one for each of the {len(poses)} poses, got {len(titles)}")
    columns = max(1, min(columns, len(poses)))
    gap, head = 2 * TOKENS.space, (6 if title else 2) * TOKENS.space
    rows = math.ceil(len(poses) / columns)
    size = (gap + columns * (cell[0] + gap), head + rows * (cell[1] + gap) + 3 * TOKENS.space)
    sheet = Image.new("RGBA", size, (*_bytes(TOKENS.background), 255))
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((gap, head / 2), title, _bytes(TOKENS.text), _font(20), anchor="lm")
    for number, pose in enumerate(poses):
        corner = (gap + number % columns * (cell[0] + gap), head + number // columns * (cell[1] + gap))
        _card(sheet, corner, cell, pose, titles[number] if titles is not None else "", view, renderer)
    place = (size[0] - gap, size[1] - 2 * TOKENS.space)
    pen.text(place, caption_of(renderer.model, caption, synthetic), _bytes(TOKENS.muted), _font(13), anchor="rm")
    return sheet.convert("RGB")


def _card(
    sheet: Image.Image,
    corner: tuple[int, int],
    cell: tuple[int, int],
    pose: np.ndarray,
    title: str,
    view: View,
    renderer: Renderer,
) -> None:
    pen = ImageDraw.Draw(sheet)
    box = (*corner, corner[0] + cell[0] - 1, corner[1] + cell[1] - 1)
    pen.rounded_rectangle(box, TOKENS.radius, _bytes(TOKENS.panel), _bytes(TOKENS.line))
    head = 3 * TOKENS.space if title else 0
    size, place = (cell[0], cell[1] - head), (corner[0], corner[1] + head)
    if title:
        words = _shorten(title, cell[0] - 4 * TOKENS.space, _font(14))
        at = (corner[0] + 2 * TOKENS.space, corner[1] + 2.5 * TOKENS.space)
        pen.text(at, words, _bytes(TOKENS.text), _font(14), anchor="lm")
    sheet.alpha_composite(Image.fromarray(renderer.draw(pose, size, view)), place)
    _mark_sides(sheet, place, size, view, 11, renderer.stage)


def _mark_sides(
    canvas: Image.Image, corner: tuple[int, int], size: tuple[int, int], view: View, text: float, stage: Stage
) -> None:
    pen = ImageDraw.Draw(canvas)
    for letter, (x, y) in zip("LR", stage.label_places(size, view), strict=True):
        place = (corner[0] + x, corner[1] + y + text * 0.9)
        pen.text(place, letter, _bytes(TOKENS.muted), _font(text), anchor="mm")


@cache
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # Pillow's own font: the same everywhere, whatever the machine has installed.
    return ImageFont.load_default(max(round(size), 9))


def _bytes(colour: str) -> tuple[int, int, int]:
    red, green, blue = (round(255 * channel) for channel in hex_to_rgb(colour))
    return red, green, blue


def _shorten(words: str, width: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while words and font.getlength(words) > width:
        words = words.rstrip("…")[:-1] + "…"
    return words
