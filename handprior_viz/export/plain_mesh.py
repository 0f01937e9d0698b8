"""A pose as a mesh without a skeleton (.obj): both hands as pictures show them, or the whole body; metres, y up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int

from data_tools.hand_model import HandModel
from data_tools.pose_layout import HANDS_DIM, POSE_DIM


def obj_text(model: HandModel, pose: Float32[np.ndarray, "columns"], *, about: str) -> str:
    """The model's own vertices; each hand is an object of its own.

    Args:
        model: A body is shown if it is an SMPL-X model and the pose has one.
        pose: 90 columns (both hands) or 165 (all), axis-angle in radians, mean hand included.
        about: Goes into the file's first line.
    """
    import trimesh

    whole = len(pose) == POSE_DIM and model.kind == "smplx"
    scene = trimesh.Scene()
    for name, vertices, faces in _body(model, pose) if whole else _hands(model, pose[-HANDS_DIM:]):
        mesh = trimesh.Trimesh(vertices, faces, process=False)
        scene.add_geometry(mesh, geom_name=name, node_name=name)
    what = "Whole body, metres, y up" if whole else "Both hands, metres, y up, palms to +z"
    header = f"{what}. {about}. Written by HandPrior"
    return str(scene.export(file_type="obj", header=header, digits=7, include_normals=False, include_color=False))


Objects = Iterator[tuple[str, Float32[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]]


def _body(model: HandModel, pose: Float32[np.ndarray, "165"]) -> Objects:
    body = model.full(pose)
    yield "body", body.vertices, body.faces


def _hands(model: HandModel, hands: Float32[np.ndarray, "90"]) -> Objects:
    vertices, side = model.hands(hands).vertices, model.side
    for number, name in enumerate(("left_hand", "right_hand")):
        mine = model.faces[side[model.faces[:, 0]] == number]
        yield name, vertices[side == number], mine - int(np.flatnonzero(side == number)[0])
