"""Poses on the model's own skeleton, for a .glb: both hands, or the whole body.

Joints are named as in SMPL-X. Whoever poses them anew sets the correctives' weights to zero and lacks the correctives:
7 mm at most for the open hand with 45 degrees at every joint.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_tools.hand_model import HandModel
from data_tools.pose_layout import JOINT_NAMES, PARENTS
from handprior_viz.export import rig
from handprior_viz.export.rig import HandRig
from handprior_viz.export.skinned_mesh import SkinnedMesh, strongest
from handprior_viz.pictures.lighting import LOOK

SIDES = ("left", "right")


def rigged_hands(hand_rig: HandRig, hands: Float[np.ndarray, "N 90"]) -> SkinnedMesh:
    """Both hands: two wrists with 15 joints each.

    Flat hands are the rest pose, upright side by side with the palms to +z, as in every picture.

    Args:
        hand_rig: Of the model.
        hands: Left hand first, mean included, axis-angle in radians.
    """
    count = len(rig.JOINTS)
    joints = np.tile(np.eye(4), (2, count, 1, 1))
    joints[..., :3, 3] = hand_rig.joints
    turns = np.zeros((len(hands), 2, count, 3))
    turns[:, :, 1:] = hands.reshape(len(hands), 2, count - 1, 3)
    # To the frame of the placed hands: a morph target is added before the skin takes its vertex along.
    place = hand_rig.place[hand_rig.side, :3, :3]
    offsets = np.einsum("vij,nvj->nvi", place, hand_rig.corrected(hands)).astype(np.float32)
    return SkinnedMesh(
        name="hands",
        vertices=hand_rig.placed_vertices,
        faces=hand_rig.faces,
        colours=_colours(hand_rig.nails),
        joints=tuple(f"{side}_{joint}" for side in SIDES for joint in rig.JOINTS),
        parents=tuple(-1 if above < 0 else above + count * side for side in (0, 1) for above in rig.PARENTS),
        stands=(hand_rig.place[:, None] @ joints).reshape(-1, 4, 4),
        influences=hand_rig.influences + count * hand_rig.side[:, None],
        weights=hand_rig.weights,
        turns=turns.reshape(len(hands), -1, 3),
        offsets=offsets,
    )


def rigged_body(model: HandModel, poses: Float[np.ndarray, "N 165"]) -> SkinnedMesh:
    """The whole body of a SMPL-X model: 55 joints, its mean shape, where the model keeps it.

    Args:
        model: Of kind ``smplx``.
        poses: Mean hand included, axis-angle in radians.

    Raises:
        ValueError: The model has hands only.
    """
    body = model.body_rig()
    stands = np.tile(np.eye(4), (len(JOINT_NAMES), 1, 1))
    stands[:, :3, 3] = body.joints
    turns = poses.reshape(len(poses), -1, 3).astype(np.float64)
    turned = Rotation.from_rotvec(turns[:, 1:].reshape(-1, 3)).as_matrix() - np.eye(3)
    offsets = turned.reshape(len(poses), -1).astype(np.float32) @ body.correctives
    nails = np.zeros(len(body.vertices), bool)
    nails[model.vertex_ids] = model.nails
    influences, weights = strongest(body.weights)
    return SkinnedMesh(
        name="body",
        vertices=body.vertices,
        faces=body.faces,
        colours=_colours(nails),
        joints=JOINT_NAMES,
        parents=PARENTS,
        stands=stands,
        influences=influences,
        weights=weights,
        turns=turns,
        offsets=offsets.reshape(len(poses), -1, 3),
    )


def _colours(nails: np.ndarray) -> np.ndarray:
    """Skin and nails, linear RGB as glTF has colours."""
    skin, nail = (np.asarray(colour, np.float32) ** 2.2 for colour in (LOOK.skin, LOOK.nail))
    return np.where(nails[:, None], nail, skin).astype(np.float32)
