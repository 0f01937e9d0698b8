"""The shape of the hands that joints were measured on: shape coefficients that all frames share."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from training.damped_steps import Minimum, State, minimise
from training.joint_problems import JointProblems

_ROUNDS = 30
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-9, 1e9
_RIDGE = 1e-6
"""Nats per squared unit: for numbers of a pose that nothing in a frame depends on."""


def find_shape(
    problems: JointProblems, state: State, count: int, *, iterations: int, tolerance: float
) -> Float64[Tensor, "count"]:
    """The most probable shape coefficients: minimise all frames' objectives + |betas|^2 / 2, over poses and betas.

    Variable projection (Golub & Pereyra 1973): poses are fitted to each shape that is tried, and a step in the shape
    takes into account how far poses will follow it. Coefficients are standard normal, as they are in the bodies that
    MANO and SMPL-X were learnt from.

    Args:
        problems: Frames to find it from, with the mean shape.
        state: Where their poses and wrists start.
        count: How many coefficients, from the first.
        iterations: Steps at most for each frame and each shape that is tried.
        tolerance: Nats per frame: two rounds in a row that lower the objective by less are the last.
    """

    def fitted(betas: Tensor, state: State) -> tuple[JointProblems, Minimum, float]:
        shaped = replace(problems, skeletons=problems.skeletons.shaped(betas))
        end = minimise(shaped, state, iterations=iterations, tolerance=tolerance)
        return shaped, end, float(end.value.sum() + 0.5 * betas.square().sum())

    betas = torch.zeros(count, dtype=torch.float64)
    shaped, end, value = fitted(betas, state)
    slope, curvature = _slope_and_curvature(shaped, end.state, betas)
    damping, calm = _FIRST_DAMPING, 0
    for _ in range(_ROUNDS):
        damped = curvature + damping * torch.diag(curvature.diagonal())
        step = -torch.linalg.solve(damped, slope)
        nearer, there, reached = fitted(betas + step, end.state)
        calm = calm + 1 if value - reached < tolerance * len(end.value) else 0
        if reached < value:
            betas, end, value = betas + step, there, reached
            slope, curvature = _slope_and_curvature(nearer, end.state, betas)
        damping = min(max(damping * (0.2 if there is end else 5.0), _LEAST_DAMPING), _MOST_DAMPING)
        if calm == 2:
            break
    return betas


def _slope_and_curvature(
    problems: JointProblems, state: State, betas: Float64[Tensor, "count"]
) -> tuple[Float64[Tensor, "count"], Float64[Tensor, "count count"]]:
    """Of what is minimised, by the shape, where poses follow it (Gauss-Newton)."""
    rows = torch.arange(len(state[0]))
    points, motion = problems.points_and_motion(state)
    near = problems.around(state, rows, points, motion)
    by_shape = problems.motion_by_shape(state, len(betas))
    weighted = by_shape * problems.weight.repeat_interleave(3, -1)[..., None]
    slope = (weighted.mT @ (points - problems.target).flatten(2)[..., None])[..., 0]
    straight = (weighted.mT @ by_shape).sum((0, 1)) + torch.eye(len(betas), dtype=betas.dtype)
    # One column at a time: what belongs to each hand's numbers goes to its place among all of a frame's.
    hands = (motion.mT @ weighted).unbind(-1)
    square = motion.new_zeros(*motion.shape[:2], motion.shape[-1], motion.shape[-1])
    cross = torch.stack([problems.gathered(column, square)[0] for column in hands], -1)
    own = near.curvature + problems.first_curvature()
    own = own + _RIDGE * torch.eye(own.shape[-1], dtype=own.dtype)
    follows = torch.linalg.solve(own, torch.cat([cross, near.gradient[..., None]], -1))
    bent = cross.mT @ follows
    return slope.sum((0, 1)) + betas - bent[..., -1].sum(0), straight - bent[..., :-1].sum(0)
