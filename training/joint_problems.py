"""What fitting to joints minimises: squared distances of points, and a prior's energy, over pose and wrist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from data_tools.hand_model import HandModel
from data_tools.pose_layout import HAND_DIM, HANDS_COLUMNS, POSE_DIM, mirror_hand
from training.damped_steps import State, Surroundings
from training.hand_points import Skeletons, rotation_matrices, skew
from training.prior import Prior, principal
from training.priors.variational import VariationalPrior

_DRAWN = 512
"""Poses drawn from a prior to learn how curved its energy is."""

_ENERGIES_AT_ONCE = 256

Motion = Float64[Tensor, "frames hands 63 numbers"]
"""Metres that each coordinate of the points moves per unit of each number."""


class PoseColumns:
    """Which numbers make up a pose that is fitted, and its energy under a prior.

    Args:
        prior: Of both hands, whole poses, or one hand, which then counts for each hand on its own; or none.
        sides: Hands that are fitted: 0 left, 1 right. Priors of both hands and of whole poses fit both.
        model: Its mean hand is where fits without a prior start.
    """

    def __init__(self, prior: Prior | None, sides: Sequence[int], model: HandModel) -> None:
        self.prior, self.sides = prior, tuple(sides)
        self.each_hand = prior is not None and prior.dim == HAND_DIM
        self.dim = HAND_DIM * len(self.sides) if prior is None or self.each_hand else prior.dim
        if prior is None:
            means = model.hands_mean.reshape(2, HAND_DIM)[list(self.sides)]
            self.start = torch.from_numpy(means.reshape(-1)).double()
            self.active = torch.arange(self.dim)
            return
        own = prior.mean_pose().cpu().double()
        self.start = self._from_right(own.expand(len(self.sides), -1)) if self.each_hand else own
        active = prior.active.cpu()
        self.active = (active.repeat(len(self.sides)) if self.each_hand else active).nonzero().flatten()

    def hands(self, pose: Float[Tensor, "frames dim"]) -> Float[Tensor, "frames hands 45"]:
        """The fitted hands, each as it is."""
        own = pose[..., HANDS_COLUMNS] if self.dim == POSE_DIM else pose
        return own.unflatten(-1, (len(self.sides), HAND_DIM))

    def energy(self, pose: Float64[Tensor, "frames dim"]) -> Float64[Tensor, "frames"]:
        """Nats per frame; of a prior of one hand, both hands' together."""
        if self.prior is None:
            return pose.new_zeros(len(pose))
        if not self.each_hand:
            return self.prior.energy(pose).to(pose)
        return self.prior.energy(self._as_right(pose)).to(pose).sum(-1)

    def energy_and_slope(
        self, pose: Float64[Tensor, "frames dim"]
    ) -> tuple[Float64[Tensor, "frames"], Float64[Tensor, "frames active"]]:
        """The energy, and its gradient by the active columns, nats per radian."""
        if self.prior is None:
            return pose.new_zeros(len(pose)), pose.new_zeros(len(pose), len(self.active))
        with torch.enable_grad():
            at = pose.detach().requires_grad_(True)
            energy = self.energy(at)
            (slope,) = torch.autograd.grad(energy.sum(), at)
        return energy.detach(), slope[:, self.active]

    def curvature(self, generator: torch.Generator) -> Float64[Tensor, "active active"]:
        """Mean curvature of the energy over the prior's own poses, nats per squared radian.

        The Fisher information: over poses of a density, its energy's mean curvature is the mean outer product of its
        gradients. Exact on average for a Gaussian, a start for everything else.
        """
        count = len(self.active)
        if self.prior is None:
            return torch.zeros(count, count, dtype=torch.float64)
        drawn = self.draw(_DRAWN, generator, scattered=True)
        slopes = torch.cat([self.energy_and_slope(part)[1] for part in drawn.split(_ENERGIES_AT_ONCE)])
        return slopes.T @ slopes / len(slopes) + torch.diag(0.01 / drawn[:, self.active].var(0))

    def draw(self, count: int, generator: torch.Generator, *, scattered: bool = False) -> Float64[Tensor, "count dim"]:
        """Poses of the prior; ``scattered`` where a VAE's density has them, not only its decoder's means."""
        assert self.prior is not None
        hands = len(self.sides) if self.each_hand else 1
        if scattered and isinstance(self.prior, VariationalPrior):
            own = self.prior.sample(count * hands, generator=generator, observation_noise=True)
        else:
            own = self.prior.sample(count * hands, generator=generator)
        own = own.cpu().double()
        return self._from_right(own.unflatten(0, (count, hands))) if self.each_hand else own

    def _as_right(self, pose: Tensor) -> Tensor:
        return self.hands(pose) * self._signs.to(pose)

    def _from_right(self, hands: Tensor) -> Tensor:
        return (hands * self._signs.to(hands)).flatten(-2)

    @property
    def _signs(self) -> Float[Tensor, "hands 45"]:
        ones = np.ones(HAND_DIM)
        return torch.from_numpy(np.stack([ones if side else mirror_hand(ones) for side in self.sides]))


@dataclass(frozen=True, eq=False)
class JointProblems:
    """One minimisation per frame. Its state: pose, turn of each wrist (a matrix), place of each wrist in metres.

    Its numbers: the active columns of the pose, then, with free wrists, turn and move of each wrist.

    Attributes:
        columns: What a pose is made of.
        skeletons: The hands.
        target: (frames, hands, 21, 3) where points were seen, metres; anything finite where they were not.
        weight: (frames, hands, 21) one over the variance of each coordinate, per square metre; 0 for unseen points.
        free: Whether wrists turn and move.
        prior_curvature: From :meth:`PoseColumns.curvature`.
    """

    columns: PoseColumns
    skeletons: Skeletons
    target: Float64[Tensor, "frames hands 21 3"]
    weight: Float64[Tensor, "frames hands 21"]
    free: bool
    prior_curvature: Float64[Tensor, "active active"]

    def among(self, frames: slice, added_mm: float = 0.0) -> JointProblems:
        """Some of the frames, as if so much more noise were on their points."""
        weight = self.weight[frames]
        softer = torch.where(weight > 0, 1 / (1 / weight + (added_mm / 1000) ** 2), 0.0)
        return replace(self, target=self.target[frames], weight=softer)

    def start(self, pose: Float64[Tensor, "frames dim"]) -> State:
        """States at poses, each wrist where the seen points fit best (Kabsch 1976), or at rest."""
        points = self.skeletons.points(self.columns.hands(pose))
        frames, hands = points.shape[:2]
        turn = torch.eye(3, dtype=pose.dtype).expand(frames, hands, 3, 3).clone()
        place = points[:, :, 0].clone()
        if not self.free:
            return pose, turn, place
        share = self.weight / self.weight.sum(-1, keepdim=True).clamp_min(1e-300)
        middle, aim = ((share[..., None] * x).sum(2) for x in (points, self.target))
        apart, apart_aim = points - middle[:, :, None], self.target - aim[:, :, None]
        turnable = (self.weight > 0).sum(-1) >= 3
        spread = torch.einsum("fhp,fhpa,fhpb->fhab", share, apart_aim, apart)
        turn[turnable] = roma.special_procrustes(spread[turnable])
        seen = (self.weight > 0).any(-1)
        placed = aim + (turn @ (place - middle)[..., None])[..., 0]
        return pose, turn, torch.where(seen[..., None], placed, place)

    def points(self, state: State) -> Float64[Tensor, "frames hands 21 3"]:
        """Where the points of states are, metres."""
        pose, turn, place = state
        return self._placed(self.skeletons.points(self.columns.hands(pose)), turn, place)

    def first_curvature(self) -> Float64[Tensor, "numbers numbers"]:
        wrists = 6 * len(self.columns.sides) if self.free else 0
        return torch.block_diag(self.prior_curvature, self.prior_curvature.new_zeros(wrists, wrists))

    def near(self, state: State, rows: Int64[Tensor, "chosen"]) -> Surroundings:
        return self.around(state, rows, *self.points_and_motion(state))

    def points_and_motion(self, state: State) -> tuple[Float64[Tensor, "frames hands 21 3"], Motion]:
        """Where the points of states are, and how they move with each hand's own numbers."""
        pose, turn, place = state
        points, motion = self.skeletons.points_and_motion(self.columns.hands(pose))
        points = self._placed(points, turn, place)
        motion = (turn[:, :, None] @ motion).flatten(2, 3)
        if self.free:
            levers = -skew(points - place[:, :, None]).flatten(2, 3)
            moves = torch.eye(3, dtype=pose.dtype).repeat(21, 1).expand(*levers.shape)
            motion = torch.cat([motion, levers, moves], dim=-1)
        return points, motion

    def motion_by_shape(self, state: State, count: int) -> Motion:
        """How the points move per unit of the first ``count`` shape coefficients, while pose and wrist stay."""
        pose, turn, _ = state
        motion = self.skeletons.motion_by_shape(self.columns.hands(pose), count)
        if self.free:
            motion = turn[:, :, None] @ (motion - motion[:, :, :1])
        return motion.flatten(2, 3)

    def around(
        self, state: State, rows: Int64[Tensor, "chosen"], points: Float64[Tensor, "frames hands 21 3"], motion: Motion
    ) -> Surroundings:
        """:meth:`near`, with what :meth:`points_and_motion` gives of the states."""
        weight, apart = self.weight[rows], points - self.target[rows]
        weighted = motion * weight.repeat_interleave(3, -1)[..., None]
        slope = (weighted.mT @ apart.flatten(2)[..., None])[..., 0]
        energy, energy_slope = self.columns.energy_and_slope(state[0])
        rest = torch.nn.functional.pad(energy_slope, (0, 6 * len(self.columns.sides) if self.free else 0))
        squares = 0.5 * (apart.square().sum(-1) * weight).sum((1, 2))
        gradient, curvature = self.gathered(slope, weighted.mT @ motion)
        return Surroundings(squares + energy, gradient + rest, curvature, rest)

    def moved(self, state: State, step: Float64[Tensor, "chosen numbers"]) -> State:
        pose, turn, place = state
        count = len(self.columns.active)
        pose = pose.index_add(1, self.columns.active, step[:, :count])
        if self.free:
            change = step[:, count:].unflatten(-1, (-1, 6))
            turn = rotation_matrices(change[..., :3]) @ turn
            place = place + change[..., 3:]
        return principal(pose), turn, place

    def _placed(self, points: Tensor, turn: Tensor, place: Tensor) -> Tensor:
        return (points - points[:, :, :1]) @ turn.mT + place[:, :, None] if self.free else points

    def gathered(self, slope: Tensor, curvature: Tensor) -> tuple[Tensor, Tensor]:
        """Each hand's slope (frames, hands, own) and curvature (frames, hands, own, own) among all numbers."""
        frames, hands, own = slope.shape
        dim, wrists = self.columns.dim, own - HAND_DIM
        first = HANDS_COLUMNS.start if dim == POSE_DIM else 0
        all_slopes = slope.new_zeros(frames, dim + hands * wrists)
        all_curvature = slope.new_zeros(frames, dim + hands * wrists, dim + hands * wrists)
        for hand in range(hands):
            joints = torch.arange(HAND_DIM) + first + HAND_DIM * hand
            places = torch.cat([joints, torch.arange(wrists) + dim + wrists * hand])
            all_slopes[:, places] = slope[:, hand]
            all_curvature[:, places[:, None], places] = curvature[:, hand]
        kept = torch.cat([self.columns.active, torch.arange(dim, dim + hands * wrists)])
        return all_slopes[:, kept], all_curvature[:, kept[:, None], kept]
