"""Linear blend skinning of two hands and nothing else: the fast path beside a whole body model.

The same sums as ``smplx.lbs.lbs`` for a body at rest, arranged for hands and for small batches, where the number of
torch calls is what costs: the five fingers of both hands are posed level by level together, and a pose corrective is
multiplied only where its finger reaches. Joints are ordered by level inside (wrist, five first joints, five second,
five third), and the coordinates of vertices stand in three long rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from data_tools.hand_mesh.parts import HandPart

CHUNK = 32
"""Frames best skinned at once: 15 floats per vertex and frame live at the same time and should fit the cache."""

_BY_LEVEL = np.array([0, *(1 + 3 * finger + level for level in range(3) for finger in range(5))])
"""The 16 joints of a hand in SMPL-X order, as they are ordered here."""


@dataclass(frozen=True, eq=False)
class HandShape:
    """Two hands with their shape coefficients applied, ready to be posed many times; metres, rest pose.

    Attributes:
        vertices: (6 V, batch or 1): x of the left hand's vertices, its y, its z, then the right hand's; the hand with
            fewer vertices is padded.
        joints: (batch or 1, 2, 16, 4), homogeneous, by level.
        about_joints: (3, batch or 1, 10, 4, 4) matrices that take a point to its offset from a finger joint.
    """

    vertices: Float[Tensor, "coordinates batch"]
    joints: Float[Tensor, "batch 2 16 4"]
    about_joints: Float[Tensor, "3 batch 10 4 4"]


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep torch to the calling thread for a piece of work of about a millisecond.

    BLAS would split even that between cores. Where those are busy, as while a training runs beside a slider, it then
    waits for its other thread to be scheduled: 14 to 30 ms for one pose instead of 0.9 (measured on two shared cores).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class HandSkinning(nn.Module):
    """Poses both hands of a model whose body rests."""

    template: Tensor
    shapedirs: Tensor
    weights: Tensor
    joints: Tensor
    joint_shapedirs: Tensor
    directions: Tensor
    moved: Tensor
    tips: Tensor
    not_padding: Tensor
    order: Tensor
    rotation_terms: Tensor
    identity: Tensor

    def __init__(self, left: HandPart, right: HandPart) -> None:
        super().__init__()
        hands = (left, right)
        self.counts = (len(left.vertices), len(right.vertices))
        longest = max(self.counts)
        template, shapedirs = _padded([h.vertices for h in hands]), _padded([h.shapedirs for h in hands])
        used = np.flatnonzero(np.abs(shapedirs).max(axis=(0, 1, 2)))
        self._used_shapedirs = int(used[-1]) + 1 if len(used) else 0
        self._store("template", template.transpose(0, 2, 1).reshape(6 * longest, 1))
        self._store("shapedirs", shapedirs.transpose(0, 2, 1, 3).reshape(6 * longest, -1))
        self._store("weights", _padded([h.weights for h in hands])[:, :, _BY_LEVEL].transpose(0, 2, 1))
        self._store("joints", np.stack([h.joints[_BY_LEVEL] for h in hands])[None])
        self._store("joint_shapedirs", np.stack([h.joint_shapedirs[_BY_LEVEL] for h in hands]))
        directions, rows = _finger_blocks(_padded([h.posedirs for h in hands]))
        self._store("directions", directions)
        self._store_index("moved", _coordinates(rows, longest))
        self._store_index("tips", _coordinates(np.concatenate([left.tips, right.tips + longest]), longest))
        kept = [np.arange(count) + side * longest for side, count in enumerate(self.counts)]
        self._store_index("not_padding", np.concatenate(kept))
        self._store_index("order", np.concatenate([np.argsort(_BY_LEVEL), np.arange(16, 21)]))
        self._store("rotation_terms", _rotation_terms())
        self._store("identity", np.eye(4))

    def _store(self, name: str, array: np.ndarray) -> None:
        self.register_buffer(name, torch.as_tensor(np.ascontiguousarray(array, dtype=np.float32)))

    def _store_index(self, name: str, array: np.ndarray) -> None:
        self.register_buffer(name, torch.as_tensor(array.astype(np.int64)))

    @property
    def num_betas(self) -> int:
        """How many shape coefficients the model has."""
        return self.shapedirs.shape[-1]

    def mean_shape(self) -> HandShape:
        """The template."""
        return self._prepared(self.template, self.joints)

    def shape(self, betas: Float[Tensor, "*batch S"]) -> HandShape:
        """Apply shape coefficients once, for any number of poses to come.

        Raises:
            ValueError: More coefficients than the model has.
        """
        if betas.shape[-1] > self.num_betas:
            raise ValueError(f"betas has {betas.shape[-1]} shape coefficients, the model has {self.num_betas}")
        # The later directions of the open hand are zero.
        used = min(betas.shape[-1], self._used_shapedirs)
        flat = betas.reshape(-1, betas.shape[-1]).T[:used].to(self.shapedirs)
        joints = self.joints + (self.joint_shapedirs[..., :used] @ flat).permute(3, 0, 1, 2)
        return self._prepared(self.template + self.shapedirs[:, :used] @ flat, joints)

    def _prepared(self, vertices: Tensor, joints: Float[Tensor, "batch 2 16 3"]) -> HandShape:
        batch = len(joints)
        fingers = joints[:, :, 1:].reshape(batch, 2, 3, 5, 3).permute(2, 0, 1, 3, 4).reshape(3, batch, 10, 3, 1)
        about = torch.cat([self.identity[:3, :3].expand(3, batch, 10, 3, 3), -fingers], dim=-1)
        return HandShape(vertices, F.pad(joints, (0, 1), value=1.0), F.pad(about, (0, 0, 0, 1)))

    def placed(
        self, shape: HandShape, turn: Float[Tensor, "2 3 3"], wrists: Float[Tensor, "2 3"]
    ) -> Float[Tensor, "batch 2 4 4"]:
        """Maps that turn each hand of a shape about its wrist and put the wrist in its place, metres."""
        from_wrists = shape.joints[:, :, 0, :3]
        moved = wrists - (turn @ from_wrists[..., None])[..., 0]
        upper = torch.cat([turn.expand(len(moved), 2, 3, 3), moved[..., None]], dim=-1)
        return torch.cat([upper, self.identity[3:].expand(len(moved), 2, 1, 4)], dim=-2)

    def forward(
        self, pose: Float[Tensor, "batch 90"], shape: HandShape, hands: Float[Tensor, "#batch 2 4 4"]
    ) -> tuple[Float[Tensor, "batch V 3"], Float[Tensor, "batch 2 21 3"]]:
        """Vertices (left then right) and joints (wrist, 15 fingers, 5 tips) of every frame, metres.

        Args:
            pose: Both hands, left first, mean included, axis-angle in radians.
            shape: One for all frames, or one per frame.
            hands: Where each hand goes as a whole, from :meth:`placed`, or identity.
        """
        batch = len(pose)
        turned = self._rotations_minus_identity(pose)
        maps = self._joint_maps(turned, shape, hands)
        rows = self._skin(self._corrected(turned, shape.vertices), maps)
        tips = rows.flatten(1).index_select(1, self.tips).reshape(batch, 2, 5, 3)
        positions = (maps @ shape.joints[..., None])[..., :3, 0]
        joints = torch.cat([positions, tips], dim=2).index_select(2, self.order)
        vertices = rows.transpose(2, 3).reshape(batch, 2 * rows.shape[3], 3)
        if self.counts[0] != self.counts[1]:
            vertices = vertices.index_select(1, self.not_padding)
        return vertices, joints

    def _rotations_minus_identity(self, pose: Float[Tensor, "batch 90"]) -> Float[Tensor, "3 batch 10 9"]:
        """Rotation matrices minus identity, exact for small angles, finite with their gradients at zero.

        By unit quaternions, whose products are the entries of R - I; sin(a / 2) / a is numpy's and torch's sinc.
        """
        batch = len(pose)
        rotvec = pose.reshape(batch, 10, 3, 3).permute(2, 0, 1, 3).reshape(30 * batch, 3)
        half = torch.linalg.vector_norm(rotvec, dim=1, keepdim=True) * 0.5
        quaternion = torch.cat([half.cos(), torch.sinc(half * (1 / np.pi)) * 0.5 * rotvec], dim=1)
        products = quaternion[:, :, None] * quaternion[:, None, :]
        return (products.reshape(30 * batch, 16) @ self.rotation_terms).reshape(3, batch, 10, 9)

    def _joint_maps(self, turned: Tensor, shape: HandShape, hands: Tensor) -> Float[Tensor, "batch 2 16 4 4"]:
        """Of each joint the map, as a homogeneous matrix, that takes points of its bone from rest to their place.

        A joint turning alone maps x to x + (R - I) (x - joint); a finger's maps multiply from the wrist outwards.
        """
        batch = turned.shape[1]
        own = F.pad(turned.reshape(3, batch, 10, 3, 3), (0, 1, 0, 1)) @ shape.about_joints + self.identity
        own = own.reshape(3, 10 * batch, 4, 4)
        hands = hands.expand(batch, 2, 4, 4)[:, :, None]
        first = torch.bmm(hands.expand(batch, 2, 5, 4, 4).reshape(10 * batch, 4, 4), own[0])
        second = torch.bmm(first, own[1])
        third = torch.bmm(second, own[2])
        return torch.cat([hands, *(level.reshape(batch, 2, 5, 4, 4) for level in (first, second, third))], dim=2)

    def _corrected(self, turned: Tensor, vertices: Tensor) -> Float[Tensor, "batch 2 3 V"]:
        """Rest vertices with the pose correctives of each finger added where that finger has any."""
        batch = turned.shape[1]
        # The same product twice, with the small factor on the side that BLAS is quick with.
        if batch == 1:
            offsets = torch.bmm(turned.permute(2, 1, 0, 3).reshape(10, 1, 27), self.directions)
        else:
            offsets = torch.bmm(self.directions.transpose(1, 2), turned.permute(2, 0, 3, 1).reshape(10, 27, batch))
        rest = vertices.expand(len(vertices), batch).index_add(0, self.moved, offsets.reshape(len(self.moved), batch))
        return rest.reshape(2, 3, len(vertices) // 6, batch).permute(3, 0, 1, 2)

    def _skin(self, rest: Float[Tensor, "batch 2 3 V"], maps: Tensor) -> Float[Tensor, "batch 2 3 V"]:
        """Every vertex by the weighted mean of its joints' maps."""
        batch = len(maps)
        columns = maps[:, :, :, :3].permute(1, 0, 4, 3, 2).reshape(2, 12 * batch, 16)
        blended = torch.bmm(columns, self.weights).reshape(2, batch, 4, 3, rest.shape[3]).transpose(0, 1)
        out = blended[:, :, 3]
        for axis in range(3):
            out = torch.addcmul(out, blended[:, :, axis], rest[:, :, axis : axis + 1])
        return out


def _rotation_terms() -> Float[np.ndarray, "16 9"]:
    """R - I of a unit quaternion q, scalar first, as a matrix on the 16 products of its entries.

    With v the vector part and w the scalar one: R - I = 2 (v v^T - |v|^2 I) + 2 w [v]x.
    """
    terms = np.zeros((4, 4, 3, 3))
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        terms[1 + i, 1 + j, i, j] = terms[1 + j, 1 + i, j, i] = 2
        terms[1 + j, 1 + j, i, i] = terms[1 + k, 1 + k, i, i] = -2
        terms[0, 1 + i, k, j], terms[0, 1 + i, j, k] = 2, -2
    return terms.reshape(16, 9)


def _padded(pair: list[np.ndarray]) -> np.ndarray:
    """Stack two hands whose vertex counts may differ, the shorter one filled with zeros."""
    longest = max(len(array) for array in pair)
    return np.stack([np.pad(a, [(0, longest - len(a))] + [(0, 0)] * (a.ndim - 1)) for a in pair])


def _coordinates(rows: np.ndarray, count: int) -> np.ndarray:
    """Where x, y and z of each vertex stand; rows count both hands' vertices, ``count`` to a hand."""
    side, row = np.divmod(rows, count)
    return ((3 * side * count + row)[:, None] + count * np.arange(3)).ravel()


def _finger_blocks(posedirs: Float[np.ndarray, "2 V 3 135"]) -> tuple[np.ndarray, np.ndarray]:
    """Split correctives by finger, keeping the vertices each one moves.

    Returns:
        (10, 27, 3 P) directions of the ten fingers, P the most vertices any finger moves, and (10 P,) the row of
        each among both hands' vertices. Padding adds zero to row 0.
    """
    count = posedirs.shape[1]
    blocks = posedirs.reshape(2 * count, 3, 5, 27)
    moved = []
    for hand in (0, 1):
        mine = slice(hand * count, (hand + 1) * count)
        moved += [mine.start + np.flatnonzero(np.abs(blocks[mine, :, k]).max(axis=(1, 2))) for k in range(5)]
    longest = max(1, max(len(rows) for rows in moved))
    directions = np.zeros((10, longest, 3, 27), np.float32)
    rows = np.zeros((10, longest), np.int64)
    for block, mine_rows in enumerate(moved):
        directions[block, : len(mine_rows)] = blocks[mine_rows, :, block % 5]
        rows[block, : len(mine_rows)] = mine_rows
    return directions.reshape(10, 3 * longest, 27).transpose(0, 2, 1), rows.ravel()
