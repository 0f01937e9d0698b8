"""Fits of a sequence, its frames tied: points that move less from one frame to the next are more probable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from scipy.linalg import LinAlgError, solveh_banded
from torch import Tensor

from training.damped_steps import Minimum, State, Surroundings, learn
from training.joint_problems import JointProblems

_WINDOW = 256
"""Frames that are moved together, which bounds memory; some 0.8 MB each."""

_OVERLAP = 64
"""Frames at the end of a window that the next one moves again, now that they are tied to what follows."""

_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-9, 1e9
_RIDGE = 1e-2
_WILD = 10.0
_TURNABLE = 3
"""Points that say how a wrist is turned."""


def smoothed(
    problems: JointProblems,
    ends: Minimum,
    weight: float,
    *,
    iterations: int,
    tolerance: float,
    progress: Callable[[int, int, str], None] | None = None,
) -> Minimum:
    """Lower what frames add up to, with ``weight / 2`` times each squared move of a point from frame to frame.

    Levenberg-Marquardt on whole windows of frames: curvatures couple each frame to the next, so that a step is the
    solution of one banded system.

    Args:
        problems: All frames, in their order.
        ends: Where each of them ended by itself: the start.
        weight: Nats per square metre.
        iterations: Steps at most for each window.
        tolerance: Nats per frame: a window is done when two steps in a row lower it by less.
        progress: Told how many frames are done.

    Returns:
        Where frames end; a move counts to the value of the frame that it leads to.
    """
    count = len(ends.value)
    state = _wrists_from_neighbours(problems, ends.state)
    value, converged, tried = ends.value.clone(), ends.converged.clone(), ends.iterations.clone()
    low, before = 0, None
    while True:
        frames = slice(low, min(low + _WINDOW, count))
        ties = _Ties(problems.among(frames), weight, before)
        end = _lowered(ties, tuple(part[frames] for part in state), iterations, tolerance)
        for part, new in zip(state, end.state, strict=True):
            part[frames] = new
        value[frames], converged[frames] = end.value, end.converged
        tried[frames] += end.iterations
        if progress is not None:
            progress(frames.stop, count, "frames, smoothed")
        if frames.stop == count:
            return Minimum(state, value, converged, tried)
        low = frames.stop - _OVERLAP
        before = problems.points(tuple(part[low - 1 : low] for part in state))


@dataclass(frozen=True, eq=False)
class _Near:
    """A window's objective near its state: each frame's, ties included, and the curvature between neighbours.

    ``links`` (frames, numbers, numbers): of each frame with the one before; the first one's is not used.
    """

    own: Surroundings
    links: Float64[Tensor, "frames numbers numbers"]


@dataclass(frozen=True, eq=False)
class _Ties:
    """A window of frames. ``before`` (1, hands, 21, 3) are points of the frame before it, which stay; or none."""

    problems: JointProblems
    weight: float
    before: Tensor | None

    def near(self, state: State) -> _Near:
        points, motion = self.problems.points_and_motion(state)
        alone = self.problems.around(state, torch.arange(len(points)), points, motion)
        first = points[:1] if self.before is None else self.before
        moves = (points - torch.cat([first, points[:-1]])).flatten(2)[..., None]
        tied = torch.full((len(points), 1, 1, 1), 2.0, dtype=points.dtype)
        tied[-1] -= 1
        tied[0] -= float(self.before is None)
        ahead = torch.cat([moves[1:], torch.zeros_like(moves[:1])])
        slope = (motion.mT @ (moves - ahead))[..., 0]
        gradient, curvature = self.problems.gathered(self.weight * slope, self.weight * tied * (motion.mT @ motion))
        between = -self.weight * (motion.mT @ torch.cat([motion[:1], motion[:-1]]))
        own = Surroundings(
            alone.value + 0.5 * self.weight * moves.square().sum((1, 2, 3)),
            alone.gradient + gradient,
            alone.curvature + curvature,
            alone.rest,
        )
        return _Near(own, self.problems.gathered(slope, between)[1])


def _lowered(ties: _Ties, state: State, iterations: int, tolerance: float) -> Minimum:
    """As :func:`training.damped_steps.minimise`, for all frames of a window together."""
    count, near = len(state[0]), ties.near(state)
    learnt = ties.problems.first_curvature().expand(count, -1, -1).clone()
    damping, calm, tried = _FIRST_DAMPING, 0, 0
    while tried < iterations and calm < 2:
        tried += 1
        curvature = near.own.curvature + learnt
        diagonal = curvature.diagonal(dim1=1, dim2=2)
        damped = curvature + torch.diag_embed(damping * (diagonal + _RIDGE))
        try:
            step = -_solved(damped, near.links, near.own.gradient)
        except LinAlgError:  # float64 ran out of digits
            damping = min(damping * 100, _MOST_DAMPING)
            continue
        expected = float(-(near.own.gradient * step).sum() - 0.5 * _bend(curvature, near.links, step))
        there = ties.problems.moved(state, step)
        reached = ties.near(there)
        fall = float((near.own.value - reached.own.value).sum())
        tame = torch.full((count,), fall > -_WILD * expected)
        learn(learnt, step, reached.own.rest - near.own.rest, tame)
        better = fall > 0
        small = (fall if better else expected) < tolerance * count and (damping < 1 or not better)
        calm = calm + 1 if small else 0
        if better:
            state, near = there, reached
        damping = min(max(damping * (0.2 if better else 5.0), _LEAST_DAMPING), _MOST_DAMPING)
    return Minimum(state, near.own.value, torch.full((count,), calm >= 2), torch.full((count,), tried))


def _bend(curvature: Tensor, links: Tensor, step: Tensor) -> float:
    own = (step * (curvature @ step[..., None])[..., 0]).sum()
    between = (step[1:] * (links[1:] @ step[:-1, :, None])[..., 0]).sum()
    return float(own + 2 * between)


def _solved(
    diagonal: Float64[Tensor, "frames n n"], links: Float64[Tensor, "frames n n"], right: Float64[Tensor, "frames n"]
) -> Float64[Tensor, "frames n"]:
    """Solve the symmetric system of blocks on the diagonal and, between neighbours, beside it.

    Raises:
        scipy.linalg.LinAlgError: It is not positive definite.
    """
    frames, n = right.shape
    below = torch.cat([links[1:], torch.zeros_like(links[:1])])
    columns = torch.cat([diagonal, below, torch.zeros_like(diagonal)], 1)  # what stands in each block column, downwards
    band = torch.arange(2 * n)[:, None] + torch.arange(n)  # and from its own row on, as LAPACK wants it
    packed = columns.gather(1, band.expand(frames, -1, -1)).permute(1, 0, 2).reshape(2 * n, -1)
    solution = solveh_banded(packed.numpy(), right.flatten().numpy(), lower=True, check_finite=False)
    return torch.from_numpy(np.asarray(solution)).view(frames, n)


def _wrists_from_neighbours(problems: JointProblems, state: State) -> State:
    """A copy of states, wrists that too few points were seen of put where they are in the nearest frame."""
    pose, turn, place = (part.clone() for part in state)
    known = (problems.weight > 0).sum(-1) >= _TURNABLE
    time = torch.arange(len(known))
    for hand in range(known.shape[1] if problems.free else 0):
        there = time[known[:, hand]]
        if len(there):
            nearest = there[(time[:, None] - there).abs().argmin(1)]
            turn[:, hand], place[:, hand] = turn[nearest, hand], place[nearest, hand]
    return pose, turn, place
