"""What is said about a prior's version of a pose agrees with scipy's rotations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handprior_viz.explorer.prior_view import PriorView, SeenLine


def test_angles_between_joints_are_those_of_scipy() -> None:
    pose, seen = np.random.default_rng(0).normal(scale=0.5, size=(2, 90))
    first, second = (Rotation.from_rotvec(one.reshape(30, 3)) for one in (pose, seen))
    apart = np.rad2deg((first.inv() * second).magnitude())
    view = PriorView.of(pose, seen)
    assert view.mean == pytest.approx(apart.mean())
    assert view.most == pytest.approx(apart.max())


def test_the_joint_that_is_furthest_off_is_named() -> None:
    pose, seen = np.zeros(165), np.zeros(165)
    seen[165 - 3] = np.deg2rad(20)
    view = PriorView.of(pose, seen)
    assert "20° at most (right thumb, last joint)" in view.words
    assert "0.7° off per joint on average" in view.words


def test_a_version_that_looks_the_same_is_not_offered() -> None:
    line = SeenLine(lambda: None)
    line.tell(PriorView.of(np.zeros(90), np.full(90, 1e-5)))
    assert "makes the same" in line.widget.markup
    assert "<button" not in line.widget.markup
    line.tell(PriorView.of(np.zeros(90), np.full(90, 0.1)))
    assert "<button" in line.widget.markup
