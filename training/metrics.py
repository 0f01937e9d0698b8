"""Scores of drawn poses and of reconstructions: pure functions of poses, each with its source.

:mod:`training.score_definitions` says in words what they mean and in which unit a table shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import roma
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from data_tools.auditing.finger_rotations import planes
from data_tools.auditing.joint_limits import HAS_LIMIT, beyond_box
from data_tools.hand_model import HandModel
from data_tools.pose_layout import HAND_DIM, hands_of

NEIGHBOURS = 3
"""k of precision, recall, density and coverage, as DPoser-X (ICCV 2025, table S-8) has it."""

_DISTANCES_AT_ONCE = 1 << 23
"""Distances held in memory together: 64 MB in double precision."""

Look = Callable[[], object]
"""Called between blocks of long work, a second apart at most; what it raises ends the work."""


def look_at_nothing() -> None:
    """A :data:`Look` that lets all work go on."""


_REFINED = 4
"""Nearest candidates whose angles are computed again in double precision: arccos near 1 loses half the digits."""


def frechet_distance(first: Float[Tensor, "n dim"], second: Float[Tensor, "m dim"]) -> float:
    """Squared Frechet distance of two sets' means and covariances (Dowson & Landau 1982; "FID", Heusel et al. 2017).

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``, in the square of the columns' unit: rad^2 for axis-angle. The trace
    of the root is taken as the sum of the square roots of the eigenvalues of ``C1^(1/2) C2 C1^(1/2)``, which is
    symmetric and stays real where columns hardly move.

    Raises:
        ValueError: Fewer than two poses in a set.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"a Frechet distance needs at least two poses in each set, got {len(first)} and {len(second)}")
    (mean, cov), (other_mean, other_cov) = ((x.double().mean(0), torch.cov(x.double().T)) for x in (first, second))
    values, vectors = torch.linalg.eigh(cov.reshape(len(mean), len(mean)))
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    other_cov = other_cov.reshape(len(mean), len(mean))
    shared = torch.linalg.eigvalsh(root @ other_cov @ root).clamp_min(0).sqrt().sum()
    distance = (mean - other_mean).square().sum() + values.sum() + torch.trace(other_cov) - 2 * shared
    return max(float(distance), 0.0)


@dataclass(frozen=True)
class Overlap:
    """How much of two sets of poses covers each other; shares from 0 to 1, but ``density`` may exceed 1.

    Attributes:
        precision: Share of drawn poses inside the ball of a real one (Kynkaanniemi et al. 2019).
        recall: Share of real poses inside the ball of a drawn one (the same).
        density: In how many real poses' balls a drawn one lies, over k (Naeem et al. 2020, arXiv 2002.09797).
        coverage: Share of real poses with a drawn one in their ball (the same).
    """

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(
    real: Float[Tensor, "n dim"],
    drawn: Float[Tensor, "m dim"],
    *,
    k: int = NEIGHBOURS,
    real_radii: Float64[Tensor, "n"] | None = None,
    look: Look = look_at_nothing,
) -> Overlap:
    """Precision, recall, density and coverage; a pose's ball reaches to its k-th nearest neighbour of its own set.

    Args:
        real: Poses to compare with, in any unit.
        drawn: Poses of a prior.
        k: Neighbours.
        real_radii: ``neighbour_radii(real, k)``, if it is known already.
        look: Called between blocks.

    Raises:
        ValueError: A set of no more than k poses.
    """
    radii = neighbour_radii(real, k, look=look) if real_radii is None else real_radii
    drawn_radii = neighbour_radii(drawn, k, look=look)
    in_balls = torch.zeros(len(drawn), dtype=torch.long)
    recalled = torch.zeros(len(real), dtype=torch.bool)
    covered = torch.zeros(len(real), dtype=torch.bool)
    for rows, distance in _distances(real, drawn, look):
        inside = distance <= radii[rows, None]
        in_balls += inside.sum(0)
        covered[rows] = inside.any(1)
        recalled[rows] = (distance <= drawn_radii).any(1)
    return Overlap(
        precision=float((in_balls > 0).double().mean()),
        recall=float(recalled.double().mean()),
        density=float(in_balls.double().mean()) / k,
        coverage=float(covered.double().mean()),
    )


def neighbour_radii(
    points: Float[Tensor, "n dim"], k: int = NEIGHBOURS, *, look: Look = look_at_nothing
) -> Float64[Tensor, "n"]:
    """Distance from each point to its k-th nearest other one, in the points' unit; ``look`` is called between blocks.

    Raises:
        ValueError: No more than k points.
    """
    if len(points) <= k:
        raise ValueError(f"the {k}. nearest neighbour needs more than {k} poses, got {len(points)}")
    radii = torch.empty(len(points), dtype=torch.float64)
    for rows, distance in _distances(points, points, look):
        own = torch.arange(rows.start, rows.stop)
        distance[torch.arange(len(own)), own] = torch.inf
        radii[rows] = distance.kthvalue(k, dim=1).values
    return radii


def _distances(
    asked: Float[Tensor, "n dim"], known: Float[Tensor, "m dim"], look: Look
) -> Iterator[tuple[slice, Float64[Tensor, "block m"]]]:
    """Euclidean distances in blocks of rows. As a matrix product, in double precision because near points cancel."""
    centre = known.double().mean(0)
    asked, known = asked.double() - centre, known.double() - centre
    norms = known.square().sum(1)
    size = max(1, _DISTANCES_AT_ONCE // len(known))
    for start in range(0, len(asked), size):
        look()
        block = asked[start : start + size]
        squared = torch.addmm(norms, block, known.T, alpha=-2).add_(block.square().sum(1, keepdim=True))
        yield slice(start, start + len(block)), squared.clamp_min_(0).sqrt_()


def nearest_turn(
    poses: Float[Tensor, "n dim"],
    known: Float[Tensor, "m dim"],
    *,
    groups: tuple[Int[Tensor, "n"], Int[Tensor, "m"]] | None = None,
    look: Look = look_at_nothing,
) -> Float64[Tensor, "n"]:
    """How far each pose is from the nearest known one: angles between their joints, summed over joints, radians.

    The "dNN" of Pose-NDF (Tiwari et al. 2022) and DPoser-X: ``min over known of sum over joints of 2 arccos |q . q'|``.

    Args:
        poses: Axis-angle, radians.
        known: Axis-angle, radians; all are looked at, in blocks.
        groups: Group of each pose and of each known one, such as their sequence: neighbours of the same group do not
            count. A pose whose whole neighbourhood is its own group gets infinity.
        look: Called between blocks.
    """
    asked, others = (roma.rotvec_to_unitquat(x.float().unflatten(-1, (-1, 3))).transpose(0, 1) for x in (poses, known))
    nearest = torch.empty(len(poses), dtype=torch.float64)
    size = max(1, _DISTANCES_AT_ONCE // 4 // len(known))
    for start in range(0, len(poses), size):
        look()
        rows = slice(start, min(start + size, len(poses)))
        total = torch.zeros(rows.stop - rows.start, len(known))
        for mine, theirs in zip(asked[:, rows], others, strict=True):
            total += (mine @ theirs.T).abs_().clamp_max_(1.0).acos_()
        if groups is not None:
            total[groups[0][rows, None] == groups[1]] = torch.inf
        best = total.topk(min(_REFINED, len(known)), dim=1, largest=False)
        exact = joint_angles(poses[rows, None].double(), known[best.indices].double()).sum(-1)
        nearest[rows] = exact.masked_fill(best.values.isinf(), torch.inf).amin(1)
    return nearest


def joint_angles(
    first: Float[Tensor, "*#batch dim"], second: Float[Tensor, "*#batch dim"]
) -> Float[Tensor, "*batch joints"]:
    """Angle of the rotation between two poses at each joint, radians, 0 to pi; exact for small angles too."""
    a, b = (roma.rotvec_to_unitquat(pose.unflatten(-1, (-1, 3))) for pose in (first, second))
    between = roma.quat_product(roma.quat_conjugation(a), b)
    return 2 * torch.atan2(torch.linalg.vector_norm(between[..., :3], dim=-1), between[..., 3].abs())


def hand_points(poses: Float[Tensor, "n dim"], model: HandModel) -> Float[Tensor, "n points 3"]:
    """Wrist, joints and finger tips of poses of any layout, metres, with the wrist held still.

    21 points a hand: 42 of both hands, 21 of a single one. Of whole poses only the hands are looked at.
    """
    with torch.no_grad():
        hands = torch.from_numpy(np.ascontiguousarray(hands_of(poses.detach().cpu().numpy()), np.float32))
        joints = model.hands(hands, arrange="model").joints
    return joints[:, 1] if poses.shape[-1] == HAND_DIM else joints.flatten(1, 2)


def pairwise_distance(points: Float[Tensor, "n points 3"]) -> float:
    """Mean distance between the same point of two different poses, over all pairs ("APD"), in the points' unit.

    Raises:
        ValueError: Fewer than two poses.
    """
    count = len(points)
    if count < 2:
        raise ValueError(f"a distance between poses needs at least two of them, got {count}")
    total = sum(float(torch.cdist(place, place, compute_mode="donot_use_mm_for_euclid_dist").double().sum())
                for place in points.transpose(0, 1))  # fmt: skip
    return total / (points.shape[1] * count * (count - 1))


def point_error(first: Float[Tensor, "n points 3"], second: Float[Tensor, "n points 3"]) -> Float[Tensor, "n"]:
    """Mean distance between two poses' points, in their unit."""
    return torch.linalg.vector_norm(first - second, dim=-1).mean(-1)


def limit_violations(poses: Float[Tensor, "n dim"]) -> float:
    """Share of finger joints outside their published box (:mod:`data_tools.auditing.joint_limits`), of those with one.

    Args:
        poses: Axis-angle in radians, mean hand included, principal branch; any layout.
    """
    outside = beyond_box(planes(np.ascontiguousarray(hands_of(poses.cpu().numpy()), np.float32))) > 0
    counted = HAS_LIMIT.copy()
    if poses.shape[-1] == HAND_DIM:
        counted[:15] = False  # the left hand is only the right one's mirror image
    return float(outside[:, counted].mean())
