"""Errors of fitted poses where they are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from data_tools.hand_model import HandModel
from tests.training.known_priors import correlated, drawn
from training.fitting import fit
from training.fitting_errors import fit_errors
from training.metrics import hand_points


def test_errors_of_a_known_turn_are_known(model: HandModel) -> None:
    """One joint of thirty turned by 0.3 rad; its tip alone moves much."""
    truth = drawn(correlated(90)[0], 2)
    fitted = fit(hand_points(truth, model), model=model, wrist="fixed")
    turned = truth.clone()
    turned[:, 3 * 2 : 3 * 3] = roma.rotvec_composition([truth[:, 6:9], torch.tensor([[0.0, 0.0, 0.3]]).expand(2, 3)])
    points = hand_points(turned, model)
    exact = replace(fitted, pose=turned, points=points, seen=fitted.seen & (torch.arange(42) != 16))
    errors = fit_errors(exact, truth, model=model)
    assert errors.degrees.mean == pytest.approx(math.degrees(0.3) / 30, rel=1e-4)
    assert errors.degrees.median == pytest.approx(errors.degrees.mean, rel=1e-4)
    assert float(errors.joint_degrees[2]) == pytest.approx(math.degrees(0.3), rel=1e-4)
    moved = 1000 * np.linalg.norm(points.numpy() - hand_points(truth, model).numpy(), axis=2)
    assert errors.all_mm.mean == pytest.approx(moved.mean(), rel=1e-5)
    assert errors.hidden_mm is not None
    assert errors.hidden_mm.mean == pytest.approx(moved[:, 16].mean(), rel=1e-5)


def test_errors_of_the_truth_are_none(model: HandModel) -> None:
    truth = drawn(correlated(45)[0], 3)
    right = fit(hand_points(truth, model), model=model, wrist="fixed")
    errors = fit_errors(replace(right, pose=truth, points=hand_points(truth, model)), truth, model=model)
    assert errors.all_mm.mean == errors.vertices_mm.mean == 0
    assert errors.degrees.mean == pytest.approx(0, abs=1e-5)
