"""Scores against closed forms and against plain implementations written from the papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist, pdist
from scipy.spatial.transform import Rotation

from data_tools.auditing.joint_limits import HONNOTATE, LEFT_OUT
from data_tools.hand_model import HandModel
from data_tools.pose_layout import HAND_JOINT_NAMES, HANDS_COLUMNS, mirror_hand
from training.metrics import (
    frechet_distance,
    hand_points,
    joint_angles,
    limit_violations,
    nearest_turn,
    neighbour_radii,
    overlap,
    pairwise_distance,
    point_error,
)


def normal(rows: int, columns: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, columns)))


def test_frechet_distance_is_that_of_the_textbook() -> None:
    first, second = normal(300, 6, 0) @ normal(6, 6, 1), 0.3 + normal(200, 6, 2) @ normal(6, 6, 3)
    a, b = first.numpy(), second.numpy()
    covariances = np.cov(a.T), np.cov(b.T)
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_scaled_axes_is_known() -> None:
    """Covariances that commute: the sum of squared differences of means and of standard deviations."""
    corners = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])  # variance 4/3 in each column
    spread = math.sqrt(4 / 3)
    moved = corners * torch.tensor([3.0, 0.5]) + torch.tensor([2.0, 0.0])
    assert frechet_distance(corners, moved) == pytest.approx(4 + (2 * spread) ** 2 + (0.5 * spread) ** 2)


def test_frechet_distance_stays_real_where_columns_do_not_move() -> None:
    flat = normal(50, 8, 0)
    flat[:, 5:] = 0.25
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(flat.float(), flat.float() + 1) == pytest.approx(8, rel=1e-4)


@pytest.mark.parametrize("rows", [0, 1])
def test_frechet_distance_needs_two_poses(rows: int) -> None:
    with pytest.raises(ValueError, match=f"at least two poses in each set, got {rows} and 5"):
        frechet_distance(normal(rows, 3, 0), normal(5, 3, 0))


def plain_shares(real: np.ndarray, drawn: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """Kynkaanniemi et al. 2019, eq. 1-3, and Naeem et al. 2020, eq. 5-6, one pair of poses at a time."""

    def radius(points: np.ndarray, own: int) -> float:
        return sorted(float(np.linalg.norm(points[own] - other)) for i, other in enumerate(points) if i != own)[k - 1]

    real_radii = [radius(real, i) for i in range(len(real))]
    drawn_radii = [radius(drawn, j) for j in range(len(drawn))]
    inside = [[float(np.linalg.norm(x - y)) <= r for x, r in zip(real, real_radii, strict=True)] for y in drawn]
    back = [[float(np.linalg.norm(x - y)) <= r for y, r in zip(drawn, drawn_radii, strict=True)] for x in real]
    return (
        sum(any(row) for row in inside) / len(drawn),
        sum(any(row) for row in back) / len(real),
        sum(sum(row) for row in inside) / (k * len(drawn)),
        sum(any(row[i] for row in inside) for i in range(len(real))) / len(real),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(5, 30), st.integers(5, 30), st.floats(-1.5, 1.5))
def test_shares_are_those_of_the_papers(seed: int, k: int, reals: int, draws: int, apart: float) -> None:
    real, drawn = normal(reals, 3, seed), apart + normal(draws, 3, seed + 5000, scale=0.8)
    found = overlap(real, drawn, k=k)
    expected = plain_shares(real.numpy(), drawn.numpy(), k)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(expected)


def test_radii_and_shares_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    real, drawn = normal(60, 4, 0).float(), normal(45, 4, 1).float()
    radii, shares = neighbour_radii(real), overlap(real, drawn)
    by_hand = np.sort(cdist(real.numpy(), real.numpy()), axis=1)[:, 3]
    np.testing.assert_allclose(radii.numpy(), by_hand, rtol=1e-6)
    monkeypatch.setattr("training.metrics._DISTANCES_AT_ONCE", 100)
    torch.testing.assert_close(neighbour_radii(real), radii)
    assert overlap(real, drawn, real_radii=radii) == shares


def test_near_poses_far_from_the_origin_keep_their_distance() -> None:
    """In single precision the distance of neighbouring frames would drown in the length of the poses."""
    line = 1000 + torch.arange(20, dtype=torch.float64)[:, None] * 1e-5
    np.testing.assert_allclose(neighbour_radii(line, 1).numpy(), 1e-5, rtol=1e-3)


def test_shares_of_the_same_and_of_distant_poses() -> None:
    real = normal(40, 5, 0)
    same, far = overlap(real, real), overlap(real, real + 100)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)
    with pytest.raises(ValueError, match=r"more than 3 poses, got 3"):
        overlap(real, real[:3])


def turns(rows: int, joints: int, seed: int) -> torch.Tensor:
    """Rotation vectors up to a whole turn long, so that both signs of a quaternion occur."""
    return normal(rows, 3 * joints, seed, scale=1.6)


def test_joint_angles_are_those_of_scipy() -> None:
    first, second = turns(30, 4, 0), turns(30, 4, 1)
    a, b = (Rotation.from_rotvec(x.reshape(-1, 3).numpy()) for x in (first, second))
    expected = (a.inv() * b).magnitude().reshape(30, 4)
    np.testing.assert_allclose(joint_angles(first, second).numpy(), expected, atol=1e-9)


def test_small_joint_angles_are_exact_in_single_precision() -> None:
    pose = turns(10, 3, 0).float()
    assert float(joint_angles(pose, pose).max()) < 1e-6


@pytest.mark.parametrize("distances_at_once", [1 << 23, 60])
def test_the_nearest_pose_is_that_of_an_exhaustive_search(
    distances_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.metrics._DISTANCES_AT_ONCE", distances_at_once)
    asked, known = turns(12, 3, 0), turns(50, 3, 1)
    expected = []
    for pose in asked.numpy():
        mine = Rotation.from_rotvec(np.tile(pose.reshape(3, 3), (50, 1)))
        theirs = Rotation.from_rotvec(known.numpy().reshape(-1, 3))
        expected.append((mine.inv() * theirs).magnitude().reshape(50, 3).sum(1).min())
    np.testing.assert_allclose(nearest_turn(asked, known).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(nearest_turn(known[:5], known).numpy(), 0, atol=1e-6)


def test_neighbours_of_the_same_group_do_not_count() -> None:
    known = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0.5, 0, 0]])
    groups = torch.tensor([0, 0, 1])
    np.testing.assert_allclose(nearest_turn(known, known, groups=(groups, groups)), [0.5, 0.4, 0.4], atol=1e-6)
    alone = torch.zeros(3, dtype=torch.long)
    assert bool(nearest_turn(known, known, groups=(alone, alone)).isinf().all())


def test_pairwise_distance_is_that_of_scipy() -> None:
    points = normal(20, 15, 0).reshape(20, 5, 3)
    expected = np.mean([pdist(points[:, k].numpy()) for k in range(5)])
    assert pairwise_distance(points) == pytest.approx(expected)
    with pytest.raises(ValueError, match="at least two"):
        pairwise_distance(points[:1])


def test_points_are_those_of_the_whole_model_in_every_layout(model: HandModel) -> None:
    """Both hands by the real ``smplx``, brought to still wrists; a single hand is the right one."""
    hands = normal(4, 90, 0, scale=0.3).float()
    points = hand_points(hands, model)
    assert points.shape == (4, 42, 3)
    whole = torch.cat([torch.zeros(4, 75), hands], 1)
    assert torch.equal(hand_points(whole, model), points)
    assert torch.equal(hand_points(hands[:, 45:], model), points[:, 21:])
    mirrored = torch.from_numpy(mirror_hand(hands[:, :45].numpy()))
    left = (points[:, :21] - points[:, :1]) * torch.tensor([-1.0, 1, 1])
    right = hand_points(mirrored, model)
    torch.testing.assert_close(right - right[:, :1], left, atol=2e-3, rtol=0)  # the two hands are nearly mirror images
    joints = model.full(hands).joints[:, 40:55]  # SMPL-X: the right hand's 15 joints
    torch.testing.assert_close(points[:, 22:37], joints, atol=1e-4, rtol=0)
    assert float(points[:, [0, 21]].std(0).max()) < 1e-6


def test_point_error_is_a_mean_distance() -> None:
    points = normal(3, 30, 0).reshape(3, 10, 3)
    moved = points + torch.tensor([0.0, 3.0, 4.0])
    np.testing.assert_allclose(point_error(points, moved), 5.0)


@pytest.mark.parametrize("layout", ["hands", "hand", "full"])
def test_limits_are_counted_joint_by_joint(layout: str) -> None:
    hands = normal(40, 90, 0, scale=0.6).float().numpy()
    outside, counted = 0, 0
    for pose in hands.reshape(40, 2, 15, 3):
        for side, hand in enumerate(pose):
            if layout == "hand" and side == 0:
                continue
            for joint, limits in HONNOTATE.items():
                kept = {axis: box for axis, box in limits.items() if (joint, axis) not in LEFT_OUT}
                if not kept:
                    continue
                values = dict(zip("xyz", hand[HAND_JOINT_NAMES.index(joint)], strict=True))
                if side == 0:
                    values |= {"y": -values["y"], "z": -values["z"]}
                counted += 1
                outside += any(not low <= values[axis] <= high for axis, (low, high) in kept.items())
    given = torch.from_numpy({"hands": hands, "hand": hands[:, 45:], "full": np.pad(hands, ((0, 0), (75, 0)))}[layout])
    assert given.shape[1] == {"hands": 90, "hand": 45, "full": HANDS_COLUMNS.stop}[layout]
    assert limit_violations(given) == pytest.approx(outside / counted)
