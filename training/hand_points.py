"""The 21 points of a hand, and how they move with its pose: what fitting to joints needs, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from data_tools.hand_model import HAND_POINT_PARENTS, HandModel

_FINGERS, _LEVELS = 5, 3
_JOINTS = _FINGERS * _LEVELS


@dataclass(frozen=True, eq=False)
class Skeletons:
    """One or two resting hands: their joints, and the vertices at their finger tips. Metres, float64.

    Attributes:
        joints: (hands, 16, 3) wrist and 15 joints.
        tips: (hands, 5, 3) tip vertices.
        weights: (hands, 5, 16) skinning weights of the tips.
        correctives: (hands, 5, 3, 15, 9) displacement of each tip per entry of the rotation matrices minus identity.
        joint_shapes: (hands, 16, 3, S) displacement of the joints per unit of each shape coefficient.
        tip_shapes: (hands, 5, 3, S) that of the tips.
    """

    joints: Float64[Tensor, "hands 16 3"]
    tips: Float64[Tensor, "hands 5 3"]
    weights: Float64[Tensor, "hands 5 16"]
    correctives: Float64[Tensor, "hands 5 3 15 9"]
    joint_shapes: Float64[Tensor, "hands 16 3 S"]
    tip_shapes: Float64[Tensor, "hands 5 3 S"]

    @classmethod
    def of(cls, model: HandModel, sides: Sequence[int], betas: Float[np.ndarray, "S"] | None = None) -> Skeletons:
        """Cut them out of a hand model.

        Args:
            model: The hand.
            sides: 0 for the left hand, 1 for the right; in the order wanted.
            betas: Shape coefficients of all frames. Default: the mean shape.

        Raises:
            ValueError: More shape coefficients than the model has.
        """
        shape = np.zeros(0) if betas is None else np.asarray(betas, np.float64)
        if shape.ndim != 1 or len(shape) > model.num_betas:
            raise ValueError(f"betas must be one set of at most {model.num_betas} numbers, got shape {shape.shape}")
        both = _BOTH_HANDS.get(model) or _BOTH_HANDS.setdefault(model, cls._cut_out(model))
        chosen = {field.name: getattr(both, field.name)[list(sides)] for field in fields(cls)}
        return cls(**chosen).shaped(torch.from_numpy(shape))

    @classmethod
    def _cut_out(cls, model: HandModel) -> Skeletons:
        parts = [model.hand_part(side) for side in (0, 1)]

        def stack(arrays: list[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.stack(arrays).astype(np.float64))

        return cls(
            joints=stack([p.joints for p in parts]),
            tips=stack([p.vertices[p.tips] for p in parts]),
            weights=stack([p.weights[p.tips] for p in parts]),
            correctives=stack([p.posedirs[p.tips].reshape(_FINGERS, 3, _JOINTS, 9) for p in parts]),
            joint_shapes=stack([p.joint_shapedirs for p in parts]),
            tip_shapes=stack([p.shapedirs[p.tips] for p in parts]),
        )

    def shaped(self, betas: Float64[Tensor, "count"]) -> Skeletons:
        """The same hands, so many shape coefficients further."""
        count = len(betas)
        return replace(
            self,
            joints=self.joints + self.joint_shapes[..., :count] @ betas,
            tips=self.tips + self.tip_shapes[..., :count] @ betas,
        )

    def points(self, pose: Float64[Tensor, "frames hands 45"]) -> Float64[Tensor, "frames hands 21 3"]:
        """Wrist, joints and tips, where the model keeps its hands: :meth:`HandModel.hands` with ``arrange="model"``."""
        return self._posed(pose).points

    def motion_by_shape(
        self, pose: Float64[Tensor, "frames hands 45"], count: int
    ) -> Float64[Tensor, "frames hands 21 3 count"]:
        """How the points move per unit of the first shape coefficients, metres: the same whatever the shape is."""
        still = torch.zeros_like(self.correctives)
        unit = [
            replace(self, joints=self.joint_shapes[..., k], tips=self.tip_shapes[..., k], correctives=still)
            for k in range(count)
        ]
        return torch.stack([hands.points(pose) for hands in unit], dim=-1)

    def points_and_motion(
        self, pose: Float64[Tensor, "frames hands 45"]
    ) -> tuple[Float64[Tensor, "frames hands 21 3"], Float64[Tensor, "frames hands 21 3 45"]]:
        """The points, metres, and their derivative by the pose, metres per radian."""
        posed = self._posed(pose)
        places, turns, rotations = posed.points[:, :, :16], posed.turns, posed.rotations
        frames, hands = pose.shape[:2]
        motion = pose.new_zeros(frames, hands, 21, 3, _JOINTS, 3)
        twist = left_jacobian(pose.unflatten(-1, (_JOINTS, 3)))
        for joint in range(1, 16):
            level = (joint - 1) % _LEVELS
            axes = turns[:, :, HAND_POINT_PARENTS[joint]] @ twist[:, :, joint - 1]
            about = places[:, :, joint, None]
            for below in range(joint + 1, joint + _LEVELS - level):
                motion[:, :, below, :, joint - 1] = torch.linalg.cross(
                    axes.mT, places[:, :, below, None] - about, dim=-1
                ).mT
            moved = slice(joint, joint + _LEVELS - level)
            share = self.weights[:, :, moved].sum(-1)[..., None]
            lever = (posed.tip_parts[:, :, :, moved].sum(-2) - share * about)[..., None, :]
            motion[:, :, 16:, :, joint - 1] = torch.linalg.cross(axes.mT[:, :, None], lever, dim=-1).mT
        turned = skew(twist.mT) @ rotations[:, :, :, None]  # (frames, hands, 15, axis, 3, 3)
        bent = torch.einsum("htqjm,fhjcm->fhtqjc", self.correctives, turned.flatten(-2))
        blended = torch.einsum("htk,fhkab->fhtab", self.weights, turns)
        motion[:, :, 16:] += torch.einsum("fhtab,fhtbjc->fhtajc", blended, bent)
        return posed.points, motion.flatten(-2)

    def _posed(self, pose: Tensor) -> _Posed:
        rotations = rotation_matrices(pose.unflatten(-1, (_JOINTS, 3)))
        frames, hands = pose.shape[:2]
        turns = [torch.eye(3, dtype=pose.dtype).expand(frames, hands, 3, 3)]
        places = [self.joints[:, 0].expand(frames, hands, 3)]
        for joint in range(1, 16):
            parent = HAND_POINT_PARENTS[joint]
            bone = self.joints[:, joint] - self.joints[:, parent]
            places.append(places[parent] + (turns[parent] @ bone[..., None])[..., 0])
            turns.append(turns[parent] @ rotations[:, :, joint - 1])
        turn, place = torch.stack(turns, 2), torch.stack(places, 2)
        bends = (rotations - torch.eye(3, dtype=pose.dtype)).flatten(-2)
        rest = self.tips + torch.einsum("htqjm,fhjm->fhtq", self.correctives, bends)
        levers = rest[:, :, :, None] - self.joints[:, None]
        parts = torch.einsum("fhkab,fhtkb->fhtka", turn, levers) + place[:, :, None]
        parts = parts * self.weights[..., None]
        return _Posed(torch.cat([place, parts.sum(-2)], dim=2), turn, rotations, parts)


_BOTH_HANDS: WeakKeyDictionary[HandModel, Skeletons] = WeakKeyDictionary()
"""What was cut out of a model while it is in use: its file is read again for that, which takes as long as a fit."""


@dataclass(frozen=True, eq=False)
class _Posed:
    """Posed hands: points, turn of each joint's frame, each joint's own rotation, the tips' parts by joint."""

    points: Tensor
    turns: Tensor
    rotations: Tensor
    tip_parts: Tensor


def skew(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrix of the cross product: ``skew(a) @ b = a x b``."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def _sines(rotvec: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """sin(a)/a, (1 - cos a)/a^2 and (a - sin a)/a^3 of rotation vectors of length a, exact for small a."""
    squared = rotvec.square().sum(-1)[..., None, None]
    small = squared < 1e-6
    angle = torch.where(small, 1.0, squared).sqrt()
    first = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    second = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / angle.square())
    third = torch.where(small, 1 / 6 - squared / 120, (angle - angle.sin()) / angle.pow(3))
    return first, second, third


def rotation_matrices(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues' formula, radians."""
    first, second, _ = _sines(rotvec)
    cross = skew(rotvec)
    return torch.eye(3, dtype=rotvec.dtype, device=rotvec.device) + first * cross + second * (cross @ cross)


def left_jacobian(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Turn in the outer frame per change of a rotation vector: exp(v + d) = exp(J d) exp(v) to first order.

    The left Jacobian of SO(3) (Chirikjian 2012, "Stochastic Models, Information Theory, and Lie Groups", vol. 2).
    """
    _, second, third = _sines(rotvec)
    cross = skew(rotvec)
    return torch.eye(3, dtype=rotvec.dtype, device=rotvec.device) + second * cross + third * (cross @ cross)
