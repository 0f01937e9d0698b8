"""What a page needs to draw hands: the mesh's topology, the stage, and poses packed into few bytes.

``hand_mesh.js``, ``hand_picture.js`` and ``hand_stage.js`` are the other side of it; :mod:`.hand_view` and
:mod:`.hand_grid` send it.
"""

from __future__ import annotations

import io
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from handprior_viz.pictures.smooth_mesh import SmoothMesh
from handprior_viz.pictures.stage import TURNS, Stage
from handprior_viz.style import TOKENS

_FOLDER = Path(__file__).parent
_SCRIPTS = ("hand_mesh.js", "hand_picture.js", "hand_stage.js")
SCRIPT = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)
"""Goes before a widget's own script: anywidget has no way for one file to import the other."""

STEP = 1e-5
"""Metres to a unit of the packed grid; 16 bits then reach 0.33 m to each side, and no one sees a hundredth of a mm."""


_HAND_VIEWS = {
    "palm": ("Palm", "See the palms (P)"),
    "back": ("Back", "See the backs of the hands (B)"),
    "thumb": ("Thumb side", "See the thumb side (T)"),
}
_BODY_VIEWS = {
    "front": ("Front", "See the body from the front (F)", 0.0),
    "back": ("Back", "See the body from the back (B)", math.pi),
    "side": ("Side", "See the body from its left (S)", -math.pi / 2),
}


def stage_message(stage: Stage, *, body: bool = False) -> dict[str, Any]:
    """Where hands or a body and the camera stand, and the views that buttons lead to, as plain numbers and words."""
    if body:
        views = [{"name": name, "label": label, "tip": tip} for name, (label, tip, _) in _BODY_VIEWS.items()]
        turns = {name: turn for name, (_, _, turn) in _BODY_VIEWS.items()}
    else:
        views = [{"name": name, "label": label, "tip": tip} for name, (label, tip) in _HAND_VIEWS.items()]
        turns = TURNS
    return {
        **asdict(stage),
        "field_of_view": stage.field_of_view,
        "views": views,
        "turns": turns,
        "zoom": [0.06 if body else 0.35, 2.5],  # least and greatest distance of the camera, in its own at rest
        "ghost_opacity": TOKENS.ghost_opacity,
    }


def topology(
    mesh: SmoothMesh, faces: Int[np.ndarray, "F 3"], side: Int[np.ndarray, "C"], *, fine: bool = True
) -> dict[str, Any]:
    """What never changes with the pose.

    Args:
        mesh: Smooths the coarse vertices.
        faces: Triangles of the coarse mesh.
        side: For every coarse vertex 0 where it belongs to the left hand, 1 for all else.
        fine: The subdivided mesh, and for moments in which time is short the rough one; else only that, which has the
            model's own vertices, moved onto the smooth surface: a quarter of the work, and no difference to be seen in
            a small picture.
    """
    rows = mesh.subdivision if fine else mesh.subdivision[: len(side)]  # old vertices come first
    roughly, rough_left = _left_first(faces, side)
    message = {
        "faces": roughly,
        "left_count": rough_left,
        "nails": mesh.nail[: rows.shape[0]].astype("<f4").tobytes(),
        "indptr": rows.indptr.astype("<u4").tobytes(),
        "indices": rows.indices.astype("<u4").tobytes(),
        "weights": rows.data.astype("<f4").tobytes(),
    }
    if not fine:
        return message
    finely, left = _left_first(mesh.faces, rows @ side.astype(np.float32))
    return message | {
        "faces": finely,
        "left_count": left,
        "rough_faces": roughly,
        "rough_left_count": rough_left,
    }


def _left_first(
    faces: Int[np.ndarray, "F 3"], side: Float[np.ndarray, "V"] | Int[np.ndarray, "V"]
) -> tuple[bytes, int]:
    """Triangles, the left hand's first because each hand is drawn by itself; and how many corners that one has."""
    right = side[faces[:, 0]] > 0.5
    return np.concatenate([faces[~right], faces[right]]).astype("<u4").tobytes(), int(3 * (~right).sum())


def packed(vertices: Float[np.ndarray, "C 3"], open_sky: Float[np.ndarray, "C"]) -> bytes:
    """Four float32 for each coarse vertex: x, y, z in metres, and how much of its surroundings it sees."""
    return np.column_stack([vertices, open_sky]).astype("<f4").tobytes()


def packed_small(vertices: Float[np.ndarray, "C 3"], open_sky: Float[np.ndarray, "C"]) -> bytes:
    """As :func:`packed` in 16 bits each: positions in units of :data:`STEP`, the open sky in 32,767ths."""
    both = np.column_stack([vertices / STEP, open_sky * 32_767])
    return np.clip(np.rint(both), -32_767, 32_767).astype("<i2").tobytes()


def as_png(picture: np.ndarray | Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
