"""Cut the two hands out of the arrays of a SMPL-X or MANO model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components

from data_tools.pose_layout import FINGERS

SIDES = ("left", "right")

_WRISTS = (20, 21)
_FIRST_FINGER_JOINTS = (25, 40)
_SHAPE_COLUMNS = 300
_OLD_SHAPE_COLUMNS = 10
_EXPRESSION_COLUMNS = 100


@dataclass(frozen=True, eq=False)
class HandPart:
    """One hand of a model at rest: what is drawn and what poses it. Metres, the model's own frame.

    Attributes:
        vertex_ids: Where each vertex stands in the whole model.
        faces: Triangles among the hand's own vertices.
        nails: Which vertices belong to finger nails, where the file says so.
        vertices: Template.
        weights: For the wrist (with all that does not move with a finger) and the 15 finger joints.
        joints: Wrist and 15 finger joints of the template.
        shapedirs: Vertex displacement per unit of each shape coefficient.
        joint_shapedirs: Joint displacement per unit of each shape coefficient.
        posedirs: Vertex displacement per entry of the 15 rotation matrices minus identity.
        tips: Vertices at the tips of index, middle, pinky, ring and thumb.
    """

    vertex_ids: Int[np.ndarray, "V"]
    faces: Int[np.ndarray, "F 3"]
    nails: Bool[np.ndarray, "V"]
    vertices: Float[np.ndarray, "V 3"]
    weights: Float[np.ndarray, "V 16"]
    joints: Float[np.ndarray, "16 3"]
    shapedirs: Float[np.ndarray, "V 3 S"]
    joint_shapedirs: Float[np.ndarray, "16 3 S"]
    posedirs: Float[np.ndarray, "V 3 135"]
    tips: Int[np.ndarray, "5"]


def hand_of_body(model: dict[str, np.ndarray], side: int) -> HandPart:
    """Cut one hand out of a SMPL-X body: every vertex that the wrist or a finger moves.

    A hand that is a mesh of its own (the open hand's) is taken whole, with the end of its forearm.

    Args:
        model: Arrays by their names in the file.
        side: 0 left, 1 right.
    """
    from smplx.vertex_ids import vertex_ids

    first = _FIRST_FINGER_JOINTS[side]
    joints = [_WRISTS[side], *range(first, first + 15)]
    weights = model["weights"]
    moved = weights[:, joints].sum(axis=1) > 0
    piece = _pieces(model["f"], len(weights))
    with_fingers = np.unique(piece[weights[:, joints[1:]].sum(axis=1) > 0])
    own = with_fingers[np.bincount(piece)[with_fingers] < len(weights) / 2]
    one_with_body = len(own) < len(with_fingers)
    ids = np.flatnonzero(np.isin(piece, own) | (moved & one_with_body))
    tips = [vertex_ids["smplx"][SIDES[side][0] + finger] for finger in FINGERS]
    return _part(model, ids, joints, tips)


def hand_of_mano(model: dict[str, np.ndarray]) -> HandPart:
    """Take a MANO model's only hand."""
    from smplx.vertex_ids import vertex_ids

    tips = [vertex_ids["mano"][finger] for finger in FINGERS]
    return _part(model, np.arange(len(model["v_template"])), list(range(16)), tips)


def shape_columns(shapedirs: Float[np.ndarray, "V 3 C"]) -> int:
    """How many columns are shape; the rest are face expressions. The rule is that of ``smplx.SMPLX``."""
    if shapedirs.shape[-1] < _SHAPE_COLUMNS + _EXPRESSION_COLUMNS:
        return min(_OLD_SHAPE_COLUMNS, shapedirs.shape[-1])
    return _SHAPE_COLUMNS


def _pieces(faces: Int[np.ndarray, "F 3"], vertices: int) -> Int[np.ndarray, "V"]:
    """A number for each vertex, the same for all that triangles connect."""
    ends = faces.astype(np.int64)
    pairs = (ends[:, [0, 1]].ravel(), ends[:, [1, 2]].ravel())
    graph = sp.coo_matrix((np.ones(len(pairs[0])), pairs), shape=(vertices, vertices))
    return connected_components(graph, directed=False)[1]


def _part(model: dict[str, np.ndarray], ids: np.ndarray, joints: list[int], tips: list[int]) -> HandPart:
    local = np.full(len(model["v_template"]), -1)
    local[ids] = np.arange(len(ids))
    faces = local[model["f"].astype(np.int64)]
    weights = model["weights"][ids][:, joints].astype(np.float64)
    weights[:, 0] = 1 - weights[:, 1:].sum(axis=1)
    regressor = model["J_regressor"][joints]
    shapedirs = model["shapedirs"][:, :, : shape_columns(model["shapedirs"])]
    # The first entries of a pose feature belong to the joint after the root.
    features = np.concatenate([np.arange(9 * (joint - 1), 9 * joint) for joint in joints[1:]])
    nails = model["part"][ids] > 0 if "part" in model else np.zeros(len(ids), bool)
    return HandPart(
        vertex_ids=ids,
        faces=faces[(faces >= 0).all(axis=1)],
        nails=nails,
        vertices=model["v_template"][ids].astype(np.float64),
        weights=weights,
        joints=(regressor @ model["v_template"]).astype(np.float64),
        shapedirs=shapedirs[ids],
        joint_shapedirs=_joint_shapedirs(regressor, shapedirs),
        posedirs=model["posedirs"][ids][:, :, features],
        tips=local[tips],
    )


def _joint_shapedirs(regressor: np.ndarray, shapedirs: np.ndarray) -> Float[np.ndarray, "16 3 S"]:
    # Few vertices carry a joint: summing over those alone is a hundred times quicker than over the body.
    used = np.flatnonzero(np.abs(regressor).max(axis=0))
    return np.einsum("jv,vks->jks", regressor[:, used], shapedirs[used], optimize=True)
