"""Fits of a sequence whose frames are tied: against the truth, autograd, and one frame beside the next."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch
from torch import Tensor

from data_tools.hand_model import HandModel
from tests.training.known_priors import correlated, drawn
from training import smooth_steps
from training.fitting import Fitted, fit
from training.fitting_errors import fit_errors
from training.metrics import hand_points
from training.prior import Prior

FRAMES = 30


@pytest.fixture(scope="module")
def prior() -> Prior:
    return correlated(45)[0]


@pytest.fixture(scope="module")
def walk(prior: Prior) -> Tensor:
    """(30, 45) from one pose of the prior to the next and on to a third."""
    keys = drawn(prior, 3)
    at = torch.linspace(0, 2, FRAMES)[:, None]
    return torch.where(at < 1, torch.lerp(keys[0], keys[1], at), torch.lerp(keys[1], keys[2], at - 1))


def noisy(points: Tensor, mm: float = 5.0) -> Tensor:
    return points + mm / 1000 * torch.randn(points.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("with_prior", "wrist", "share"), [(False, "fixed", 0.7), (True, "fixed", 0.9), (True, "free", 0.8)]
)
def test_smoothness_lowers_errors_of_a_noisy_walk(
    model: HandModel, prior: Prior, walk: Tensor, with_prior: bool, wrist: str, share: float
) -> None:
    points = hand_points(walk, model)
    options = {"model": model, "noise_mm": 5.0, "wrist": wrist, "start": prior.mean_pose(), "iterations": 60}
    rough, smooth = (
        fit(noisy(points), prior if with_prior else None, smoothness=smoothness, **options)  # type: ignore[arg-type]
        for smoothness in (0.0, 0.08)
    )
    before, after = (fit_errors(fitted, walk, joints=points, model=model) for fitted in (rough, smooth))
    assert after.all_mm.mean < share * before.all_mm.mean
    assert after.degrees.mean < before.degrees.mean
    assert jitter(smooth) < 0.5 * jitter(rough)


def jitter(fitted: Fitted) -> float:
    """Root mean square of the second difference of the points, metres."""
    return float(fitted.points.diff(n=2, dim=0).square().mean().sqrt())


@pytest.mark.parametrize("wrist", ["fixed", "free"])
def test_tied_frames_end_where_the_gradient_of_their_sum_vanishes(
    model: HandModel, prior: Prior, walk: Tensor, wrist: str
) -> None:
    """Of the documented sum, written down with the whole hand model; by poses, and by turns and places of the wrist."""
    points = hand_points(walk[:6], model)
    if wrist == "free":
        turns = roma.rotvec_to_rotmat(torch.linspace(0.8, 1.2, 6)[:, None] * torch.tensor([1.0, 1.5, -1.0]))
        points = (points - points[:, :1]) @ turns.mT + 0.004 * torch.arange(6)[:, None, None]
    joints = noisy(points)
    fitted = fit(joints, prior, model=model, noise_mm=5.0, wrist=wrist, smoothness=0.1, tolerance=1e-8)  # type: ignore[arg-type]
    assert fitted.converged.all()

    def terms(pose: Tensor, turn: Tensor, place: Tensor) -> Tensor:
        posed = model.hands(torch.cat([torch.zeros_like(pose), pose], 1), arrange="model").joints[:, 1]
        if wrist == "free":
            rotation = roma.rotvec_to_rotmat(turn) @ roma.rotvec_to_rotmat(fitted.wrist_rotation[:, 0])
            posed = (posed - posed[:, :1]) @ rotation.mT + place[:, None]
        squares = (posed - joints).square().sum((1, 2)) / (2 * 0.005**2)
        moves = 0.5 * 0.1 * (1000 * posed.diff(dim=0)).square().sum((1, 2))
        return squares + prior.energy(pose) + torch.nn.functional.pad(moves, (1, 0))

    def slopes(pose: Tensor) -> list[Tensor]:
        at = [pose.clone(), torch.zeros(6, 3), fitted.wrist_position[:, 0].clone()]
        at = [part.requires_grad_(True) for part in at[: 3 if wrist == "free" else 1]]
        rest = [] if wrist == "free" else [torch.zeros(6, 3), torch.zeros(6, 3)]
        return list(torch.autograd.grad(terms(*at, *rest).sum(), at))

    found = terms(fitted.pose, torch.zeros(6, 3), fitted.wrist_position[:, 0])
    torch.testing.assert_close(found.double(), fitted.objective.double(), rtol=1e-4, atol=1e-2)
    for at_end, elsewhere in zip(slopes(fitted.pose), slopes(fitted.pose + 0.05), strict=True):
        assert float(at_end.norm()) < 2e-3 * float(elsewhere.norm())


def test_missing_frames_are_filled_in_from_their_neighbours(model: HandModel, prior: Prior, walk: Tensor) -> None:
    """Hands that were far away and turned: the prior alone would not know where they are meanwhile."""
    points = hand_points(walk, model).double()
    turn, place = roma.rotvec_to_rotmat(torch.tensor([1.0, 2.0, -1.0]).double()), torch.tensor([0.5, 1.0, -0.3])
    points = (points - points[:, :1]) @ turn.T + place
    joints = points.clone()
    joints[10:13] = torch.nan
    fitted = fit(joints, prior, model=model, noise_mm=0.5, smoothness=0.1)
    apart = 1000 * torch.linalg.vector_norm(fitted.points - points, dim=-1).mean(1)
    assert fitted.seen[10:13].sum() == 0
    assert float(apart[10:13].max()) < 1.5
    assert float(torch.linalg.vector_norm(points[13] - points[9], dim=-1).mean()) > 0.005  # what they move meanwhile


def test_windows_follow_one_another_without_a_seam(
    model: HandModel, prior: Prior, walk: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    joints = noisy(hand_points(walk, model))
    options = {"model": model, "noise_mm": 5.0, "wrist": "fixed", "smoothness": 0.02}
    whole = fit(joints, prior, **options)  # type: ignore[arg-type]
    monkeypatch.setattr(smooth_steps, "_WINDOW", 16)
    monkeypatch.setattr(smooth_steps, "_OVERLAP", 8)
    told: list[tuple[int, int, str]] = []
    parted = fit(joints, prior, progress=lambda *news: told.append(news), **options)  # type: ignore[arg-type]
    assert [done for done, _, what in told if what == "frames, smoothed"] == [16, 24, 30]
    apart = 1000 * torch.linalg.vector_norm(parted.points - whole.points, dim=-1).mean(1)
    alone = fit(joints, prior, **(options | {"smoothness": 0.0}))  # type: ignore[arg-type]
    free = 1000 * torch.linalg.vector_norm(alone.points - whole.points, dim=-1).mean(1)
    assert float(apart.max()) < 0.1 * float(free.mean())
    assert float(parted.objective.sum() - whole.objective.sum()) == pytest.approx(0, abs=0.1)


def test_one_frame_has_nothing_to_be_tied_to(model: HandModel, prior: Prior, walk: Tensor) -> None:
    joints = noisy(hand_points(walk[:1], model))
    torch.testing.assert_close(
        fit(joints, prior, model=model, smoothness=1.0).pose, fit(joints, prior, model=model).pose, rtol=0, atol=0
    )


def test_a_chain_of_blocks_is_solved_as_the_whole_matrix_is() -> None:
    rng = np.random.default_rng(0)
    frames, n = 5, 4
    factor = np.zeros((frames * n, frames * n))
    for frame in range(frames):  # a lower-triangular factor of blocks on and beside the diagonal
        rows = slice(frame * n, frame * n + n)
        factor[rows, rows] = np.tril(rng.normal(size=(n, n))) + 3 * np.eye(n)
        if frame:
            factor[rows, rows.start - n : rows.start] = rng.normal(size=(n, n))
    whole, right = factor @ factor.T, rng.normal(size=(frames, n))
    blocks = whole.reshape(frames, n, frames, n)
    diagonal = np.stack([blocks[k, :, k] for k in range(frames)])
    links = np.stack([blocks[k, :, k - 1] if k else np.full((n, n), 9.0) for k in range(frames)])
    found = smooth_steps._solved(*(torch.from_numpy(part) for part in (diagonal, links, right)))
    np.testing.assert_allclose(found.flatten(), np.linalg.solve(whole, right.ravel()), rtol=1e-9)


@pytest.mark.parametrize("smoothness", [-1.0, float("nan"), float("inf")])
def test_smoothness_that_makes_no_sense(model: HandModel, smoothness: float) -> None:
    with pytest.raises(ValueError, match="smoothness must be 0 or a finite number above it"):
        fit(np.zeros((2, 21, 3)), model=model, smoothness=smoothness)
