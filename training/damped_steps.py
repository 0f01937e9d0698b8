"""Many small least-squares problems at once, each with a term whose curvature is learnt on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

State = tuple[Tensor, ...]
"""Where a batch of problems stands: tensors whose first axis counts the problems."""

_FIRST_DAMPING = 1e-3
_LEAST_DAMPING, _MOST_DAMPING = 1e-9, 1e9
_RIDGE = 1e-2
"""Nats per squared unit: keeps a step finite along directions that nothing in a problem depends on."""

_LEAST_BEND = 0.2
"""Powell's damping of a secant: the share of the old curvature along a step that stays at least."""

_CALM = 2
"""Small steps in a row that end a problem; a single one may be small because a secant misled it."""

_WILD = 10.0
"""A step that raised the objective by more than so many times what it was to lower it by teaches nothing."""

_LEAST_SECANT = 1e-12
"""Nats: shorter secants say nothing in double precision."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """An objective near the states of some problems, nats.

    Attributes:
        value: (problems,) the objective.
        gradient: (problems, numbers) its whole gradient.
        curvature: (problems, numbers, numbers) Gauss-Newton curvature of the squares in it, positive semi-definite.
        rest: (problems, numbers) gradient of what is no sum of squares.
    """

    value: Float64[Tensor, "problems"]
    gradient: Float64[Tensor, "problems numbers"]
    curvature: Float64[Tensor, "problems numbers numbers"]
    rest: Float64[Tensor, "problems numbers"]


@runtime_checkable
class Problems(Protocol):
    """A batch of independent minimisations."""

    def first_curvature(self) -> Float64[Tensor, "numbers numbers"]:
        """A first guess at the curvature of what is no sum of squares, the same for all, positive semi-definite."""

    def near(self, state: State, rows: Int64[Tensor, "chosen"]) -> Surroundings:
        """The objective near the states of the problems in these rows."""

    def moved(self, state: State, step: Float64[Tensor, "chosen numbers"]) -> State:
        """States after a step."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where each problem ended.

    Attributes:
        state: Its state.
        value: (problems,) the objective there.
        converged: (problems,) whether its last steps could lower the objective by less than the tolerance.
        iterations: (problems,) steps tried.
    """

    state: State
    value: Float64[Tensor, "problems"]
    converged: Bool[Tensor, "problems"]
    iterations: Int64[Tensor, "problems"]


def minimise(
    problems: Problems,
    state: State,
    *,
    iterations: int,
    tolerance: float,
    progress: Callable[[int], None] | None = None,
) -> Minimum:
    """Levenberg-Marquardt, the curvature of what is no sum of squares by secants (Dennis, Gay & Welsch 1981, NL2SOL).

    Each problem has its own damping, a multiple of the curvature's diagonal (Marquardt 1963), lowered after a step that
    helped and raised after one that did not; the objective never rises. Each step, taken or not, corrects the learnt
    curvature (BFGS with the damping of Powell 1978), unless it led somewhere quite different. Problems that are done
    cost nothing more.

    Args:
        problems: What to minimise.
        state: Where to start.
        iterations: Steps tried at most.
        tolerance: A problem is done after two steps in a row that lowered its objective by less than this, hardly
            damped, or that were to lower it by less and did not.
        progress: Told after each round how many problems are done.
    """
    count = len(state[0])
    state = tuple(part.clone() for part in state)
    rows = torch.arange(count)
    near = problems.near(state, rows)
    learnt = problems.first_curvature().expand(count, -1, -1).clone()
    damping = torch.full_like(near.value, _FIRST_DAMPING)
    value = near.value.clone()
    converged, tried = torch.zeros(count, dtype=torch.bool), torch.zeros(count, dtype=torch.long)
    calm = torch.zeros(count, dtype=torch.long)
    for _ in range(iterations):
        step, expected = _step(near, learnt, damping)
        there = problems.moved(tuple(part[rows] for part in state), step)
        reached = problems.near(there, rows)
        fall = near.value - reached.value
        better = fall > 0
        learn(learnt, step, reached.rest - near.rest, fall > -_WILD * expected)
        for part, new in zip(state, there, strict=True):
            part[rows[better]] = new[better]
        near = _chosen(better, reached, near)
        value[rows] = near.value
        tried[rows] += 1
        small = torch.where(better, (fall < tolerance) & (damping < 1), expected < tolerance)
        calm = torch.where(small, calm + 1, 0)
        done = calm >= _CALM
        converged[rows[done]] = True
        damping = (damping * torch.where(better, 0.2, 5.0)).clamp(_LEAST_DAMPING, _MOST_DAMPING)
        if done.any():
            rows, learnt, near = rows[~done], learnt[~done], _kept(near, ~done)
            damping, calm = damping[~done], calm[~done]
        if progress is not None:
            progress(count - len(rows))
        if not len(rows):
            break
    return Minimum(state, value, converged, tried)


def _step(near: Surroundings, learnt: Tensor, damping: Tensor) -> tuple[Tensor, Tensor]:
    """The damped step, and how far the quadratic model falls along it."""
    curvature = near.curvature + learnt
    diagonal = curvature.diagonal(dim1=1, dim2=2)
    damped = curvature + torch.diag_embed(damping[:, None] * (diagonal + _RIDGE))
    factor, failed = torch.linalg.cholesky_ex(damped)
    if failed.any():  # float64 ran out of digits: lean on the diagonal
        bad = failed > 0
        damped[bad] += torch.diag_embed(1e-6 * diagonal[bad] + _RIDGE)
        factor, _ = torch.linalg.cholesky_ex(damped)
    step = -torch.cholesky_solve(near.gradient[..., None], factor)[..., 0]
    bend = (step * (curvature @ step[..., None])[..., 0]).sum(-1)
    return step, -(near.gradient * step).sum(-1) - 0.5 * bend


def learn(learnt: Tensor, step: Tensor, change: Tensor, tame: Tensor) -> None:
    """Correct curvatures in place, so that they explain how the gradient changed along a tame step."""
    bent = (learnt @ step[..., None])[..., 0]
    old, new = (step * bent).sum(-1, keepdim=True), (step * change).sum(-1, keepdim=True)
    share = torch.where(new < _LEAST_BEND * old, (1 - _LEAST_BEND) * old / (old - new), 1.0)
    change = share * change + (1 - share) * bent
    new = (step * change).sum(-1, keepdim=True)
    sound = (tame[:, None] & (new > _LEAST_SECANT) & change.isfinite().all(-1, keepdim=True))[..., None]
    forgotten = torch.where(old > _LEAST_SECANT, bent / old, 0.0)
    correction = change[:, :, None] * (change / new)[:, None] - bent[:, :, None] * forgotten[:, None]
    learnt += torch.where(sound, correction, 0.0)


def _chosen(better: Tensor, new: Surroundings, old: Surroundings) -> Surroundings:
    def pick(first: Tensor, second: Tensor) -> Tensor:
        return torch.where(better.reshape(-1, *[1] * (first.ndim - 1)), first, second)

    return Surroundings(
        pick(new.value, old.value),
        pick(new.gradient, old.gradient),
        pick(new.curvature, old.curvature),
        pick(new.rest, old.rest),
    )


def _kept(near: Surroundings, rows: Tensor) -> Surroundings:
    return Surroundings(near.value[rows], near.gradient[rows], near.curvature[rows], near.rest[rows])
