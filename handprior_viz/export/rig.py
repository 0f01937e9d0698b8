"""The two hands of a model as plain arrays: what poses them where there is no Python, and no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32
from scipy.spatial.transform import Rotation

from data_tools.hand_mesh.arrangement import placement
from data_tools.hand_model import HandModel
from data_tools.pose_layout import HAND_JOINT_NAMES, HANDS_DIM
from handprior_viz.export.skinned_mesh import strongest

JOINTS = ("wrist", *HAND_JOINT_NAMES)
"""The 16 joints of a hand that move something."""

PARENTS = (-1, *(0 if k % 3 == 0 else k for k in range(15)))
"""Parent of each of them; -1 for the wrist."""


@dataclass(frozen=True, eq=False)
class Corrective:
    """How one finger's rotations push vertices out or in before they are skinned.

    Attributes:
        finger: Left hand's index, middle, pinky, ring, thumb, then the right one's: which 9 columns of a pose.
        vertices: Which vertices it moves.
        directions: Metres of each for each entry of the finger's three rotation matrices minus identity, row by row.
    """

    finger: int
    vertices: Int[np.ndarray, "P"]
    directions: Float32[np.ndarray, "P 3 27"]


@dataclass(frozen=True, eq=False)
class HandRig:
    """Both hands of a model at rest, metres, left hand first, where the model keeps them.

    Posed like this: add the correctives to the vertices; turn each joint about its place, from the wrist outwards; take
    each vertex along by the weighted mean of its joints' maps; put each hand where ``place`` says.

    Attributes:
        vertices: Rest.
        faces: Triangles, counter-clockwise from outside.
        side: 0 for the left hand's vertices, 1 for the right one's.
        nails: Which vertices belong to finger nails.
        joints: Rest, in the order of :data:`JOINTS`.
        tips: Which vertices are the tips of index, middle, pinky, ring and thumb.
        influences: For each vertex the joints of its hand that move it, strongest first; 0 where there are fewer.
        weights: Of those; they add up to 1.
        correctives: By finger; none for a finger without.
        place: Maps that put each hand as pictures show it: upright side by side, palms to a viewer at +z.
        caption: What has to be said about the model.
        is_open: Whether it is the licence-free open hand.
    """

    vertices: Float32[np.ndarray, "V 3"]
    faces: Int32[np.ndarray, "F 3"]
    side: Int[np.ndarray, "V"]
    nails: Bool[np.ndarray, "V"]
    joints: Float32[np.ndarray, "2 16 3"]
    tips: Int[np.ndarray, "2 5"]
    influences: Int[np.ndarray, "V most"]
    weights: Float32[np.ndarray, "V most"]
    correctives: tuple[Corrective, ...]
    place: Float[np.ndarray, "2 4 4"]
    caption: str
    is_open: bool

    @classmethod
    def of(cls, model: HandModel) -> HandRig:
        """Take the arrays out of a model, its mean shape."""
        skinning = model.skinning()
        counts = skinning.counts
        longest = max(counts)
        kept = skinning.not_padding.numpy()
        order = skinning.order.numpy()[: len(JOINTS)]  # from levels to the model's own order
        rest = skinning.template.numpy().reshape(2, 3, longest).transpose(0, 2, 1).reshape(2 * longest, 3)
        joints = skinning.joints.numpy()[0][:, order]
        dense = skinning.weights.numpy()[:, order].transpose(0, 2, 1).reshape(2 * longest, len(JOINTS))
        influences, weights = strongest(dense[kept])
        turn, wrists = placement(joints.astype(np.float64), "display")
        assert wrists is not None  # only "model" leaves them in place
        place = np.tile(np.eye(4), (2, 1, 1))
        place[:, :3, :3] = turn
        place[:, :3, 3] = wrists - np.einsum("hij,hj->hi", turn, joints[:, 0])
        return cls(
            vertices=rest[kept],
            faces=model.faces,
            side=model.side,
            nails=model.nails,
            joints=joints,
            tips=_numbers(skinning.tips.numpy().reshape(2, 5, 3)[..., 0], longest, kept),
            influences=influences,
            weights=weights,
            correctives=_correctives(skinning.directions.numpy(), skinning.moved.numpy(), longest, kept),
            place=place,
            caption=model.caption,
            is_open=model.is_open,
        )

    @property
    def placed_vertices(self) -> Float32[np.ndarray, "V 3"]:
        """Flat hands as pictures show them, without correctives (which are zero there)."""
        place = self.place[self.side]
        return (np.einsum("vij,vj->vi", place[:, :3, :3], self.vertices) + place[:, :3, 3]).astype(np.float32)

    def corrected(self, hands: Float[np.ndarray, "N 90"]) -> Float32[np.ndarray, "N V 3"]:
        """What each pose adds to the vertices at rest, metres, in the model's own frame.

        Args:
            hands: Left hand first, mean included, axis-angle in radians.
        """
        turned = Rotation.from_rotvec(hands.reshape(-1, 3)).as_matrix() - np.eye(3)
        features = turned.reshape(len(hands), HANDS_DIM // 9, 27).astype(np.float32)
        offsets = np.zeros((len(hands), len(self.vertices), 3), np.float32)
        for one in self.correctives:
            offsets[:, one.vertices] += np.einsum("pkf,nf->npk", one.directions, features[:, one.finger])
        return offsets


def _correctives(
    directions: Float32[np.ndarray, "10 27 coordinates"],
    moved: Int[np.ndarray, "rows"],
    longest: int,
    kept: Int[np.ndarray, "V"],
) -> tuple[Corrective, ...]:
    """Undo the padding of fingers and hands: vertices are counted as the model draws them."""
    found = []
    for finger, (block, rows) in enumerate(zip(directions, moved.reshape(10, -1, 3)[:, :, 0], strict=True)):
        each = block.T.reshape(-1, 3, 27)
        mine = np.flatnonzero(np.abs(each).max(axis=(1, 2)) > 0)
        if len(mine):
            vertices = _numbers(rows[mine], longest, kept)
            found.append(Corrective(finger, vertices, np.ascontiguousarray(each[mine])))
    return tuple(found)


def _numbers(rows: Int[np.ndarray, "*some"], longest: int, kept: Int[np.ndarray, "V"]) -> Int[np.ndarray, "*some"]:
    """Which of the drawn vertices have their x in these rows, where hands are padded to be equally long."""
    number = np.full(2 * longest, -1)
    number[kept] = np.arange(len(kept))
    side, place = np.divmod(rows, 3 * longest)
    return number[side * longest + place]
