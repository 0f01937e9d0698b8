"""The minimiser on problems whose answers are known, or scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from training.damped_steps import State, Surroundings, minimise


class Valleys:
    """Rosenbrock's valley, (1 - x)^2 as squares and its curved wall as a term that only has a gradient."""

    def __init__(self, steepness: Tensor) -> None:
        self.steepness = steepness

    def first_curvature(self) -> Tensor:
        return torch.eye(2, dtype=torch.float64)

    def near(self, state: State, rows: Tensor) -> Surroundings:
        (point,) = state
        x, y = point.unbind(-1)
        wall, steep = y - x**2, self.steepness[rows]
        squares = torch.stack([2 * (x - 1), torch.zeros_like(x)], -1)
        rest = torch.stack([-4 * steep * x * wall, 2 * steep * wall], -1)
        curvature = torch.diag(torch.tensor([2.0, 0.0], dtype=torch.float64)).expand(len(x), 2, 2)
        return Surroundings((1 - x) ** 2 + steep * wall**2, squares + rest, curvature, rest)

    def moved(self, state: State, step: Tensor) -> State:
        return (state[0] + step,)


def test_curved_valleys_are_followed_to_their_end() -> None:
    starts = torch.from_numpy(np.random.default_rng(0).normal(0, 1.5, (40, 2)))
    steepness = torch.logspace(0, 2, 40, dtype=torch.float64)
    end = minimise(Valleys(steepness), (starts,), iterations=500, tolerance=1e-12)
    assert end.converged.all()
    np.testing.assert_allclose(end.state[0], 1.0, atol=1e-4)
    assert float(end.value.max()) < 1e-9


class Bowls:
    """Sums of squares of A x - b, and a smooth wall against large x."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.a, self.b = torch.from_numpy(rng.normal(size=(5, 4, 6))), torch.from_numpy(rng.normal(size=(5, 4)))

    def value(self, x: Tensor, rows: Tensor) -> Tensor:
        apart = (self.a[rows] @ x[..., None])[..., 0] - self.b[rows]
        return 0.5 * apart.square().sum(-1) + torch.cosh(x).sum(-1)

    def first_curvature(self) -> Tensor:
        return torch.eye(6, dtype=torch.float64)  # that of the wall in its middle

    def near(self, state: State, rows: Tensor) -> Surroundings:
        (x,) = state
        a = self.a[rows]
        apart = (a @ x[..., None])[..., 0] - self.b[rows]
        squares, rest = (a.mT @ apart[..., None])[..., 0], torch.sinh(x)
        return Surroundings(self.value(x, rows), squares + rest, a.mT @ a, rest)

    def moved(self, state: State, step: Tensor) -> State:
        return (state[0] + step,)


def test_each_problem_of_a_batch_ends_where_scipy_ends() -> None:
    problems, start = Bowls(), torch.ones(5, 6, dtype=torch.float64)
    end = minimise(problems, (start,), iterations=300, tolerance=1e-12)
    for row in range(5):
        place = torch.tensor([row])
        own = minimize(lambda x, at=place: float(problems.value(torch.from_numpy(x)[None], at)), np.ones(6), tol=1e-12)
        np.testing.assert_allclose(end.state[0][row], own.x, atol=1e-4)
        assert float(end.value[row]) == pytest.approx(own.fun, abs=1e-7)


def test_objectives_never_rise_and_steps_are_counted() -> None:
    starts = torch.tensor([[-1.2, 1.0], [1.0, 1.0]], dtype=torch.float64)
    values = []
    for steps in range(1, 12):
        end = minimise(Valleys(torch.full((2,), 100.0)), (starts,), iterations=steps, tolerance=1e-12)
        values.append(float(end.value[0]))
        assert end.iterations.tolist() == [steps, min(steps, 2)]  # the second starts where it ends
    assert values == sorted(values, reverse=True)
    assert end.converged.tolist() == [False, True]
    assert starts[0].tolist() == [-1.2, 1.0]  # what was given is not written to
