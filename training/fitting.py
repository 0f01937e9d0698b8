"""Priors at work: poses from 3D joints, be they complete, noisy, few, or finger tips alone.

    fitted = fit(joints, prior, noise_mm=2.0)

finds for every frame the pose, and where its wrists are, that minimise

    sum over seen points of |point(pose) - joint|^2 / (2 noise^2)  +  prior.energy(pose),

the most probable pose if each coordinate of each joint was measured with that much normal noise. ``docs/fitting.md``
says how to use an energy in an optimisation of one's own, and how good fits are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from data_tools.hand_model import HAND_POINTS, HandModel
from data_tools.pose_layout import HAND_DIM
from training.damped_steps import Minimum, minimise
from training.hand_points import Skeletons
from training.joint_problems import JointProblems, PoseColumns
from training.prior import Prior

FINGERTIPS: tuple[str, ...] = ("wrist", *(name for name in HAND_POINTS if name.endswith("_tip")))
"""What ``seen="fingertips"`` leaves of a hand: the wrist and five tips, as "only_end_visible" in DPoser-X's code."""

_POINTS = len(HAND_POINTS)
_WIDEST = 1.0
"""Metres that the points of one hand may span; more is a matter of units."""

_SOFTER_MM = (10.0, 3.0, 0.0)
"""Noise that is added, square to square, stage by stage: far tips do not then pull a finger into a knot first."""

_SOFT_ITERATIONS = 6
_FRAMES_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Fitted:
    """Poses fitted to joints.

    Attributes:
        pose: (frames, dim) axis-angle, radians, mean hand included: 45 columns of one hand (a left one's own, not
            mirrored), 90 of both, left first, or 165 where the prior is of whole poses.
        hands: Which hands: ``("right",)``, ``("left",)`` or both, left first.
        points: (frames, points, 3) points of the fitted hands, where the joints are, metres: 21 per hand.
        wrist_rotation: (frames, hands, 3) turn of each hand about its wrist, out of the model's rest: rotation vector,
            radians. Zero with ``wrist="fixed"``.
        wrist_position: (frames, hands, 3) where its wrist is, metres.
        seen: (frames, points) which points were fitted to.
        residual_mm: (frames,) root mean square distance to the seen points; NaN where none was seen.
        energy: (frames,) the prior's energy, nats; 0 without a prior.
        objective: (frames,) what was minimised, nats.
        converged: (frames,) whether the last two steps could lower the objective by less than the tolerance.
        iterations: (frames,) steps tried.
    """

    pose: Float[Tensor, "frames dim"]
    hands: tuple[str, ...]
    points: Float[Tensor, "frames points 3"]
    wrist_rotation: Float[Tensor, "frames hands 3"]
    wrist_position: Float[Tensor, "frames hands 3"]
    seen: Bool[Tensor, "frames points"]
    residual_mm: Float[Tensor, "frames"]
    energy: Float[Tensor, "frames"]
    objective: Float[Tensor, "frames"]
    converged: Bool[Tensor, "frames"]
    iterations: Int64[Tensor, "frames"]


@torch.no_grad()
def fit(
    joints: Float[Tensor, "frames points 3"] | np.ndarray,
    prior: Prior | None = None,
    *,
    model: HandModel | None = None,
    seen: str | Sequence[str] | np.ndarray | Tensor = "full",
    noise_mm: float | np.ndarray | Tensor = 1.0,
    wrist: Literal["free", "fixed"] = "free",
    hand: Literal["right", "left"] = "right",
    betas: Float[np.ndarray, "S"] | None = None,
    start: Float[Tensor, "*frames dim"] | np.ndarray | None = None,
    restarts: int = 0,
    iterations: int = 200,
    tolerance: float = 1e-3,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Fitted:
    """Fit hand poses to 3D joints, each frame by itself, many at once.

    Args:
        joints: (frames, 21, 3) of one hand or (frames, 42, 3) of both, left first; metres; each hand's points in the
            order of :data:`data_tools.hand_model.HAND_POINTS`. NaN marks a missing point.
        prior: Of both hands, of whole poses (their hands are fitted, the rest follows), or of one hand, which then
            counts for each hand, left ones mirrored. None: only the joints count.
        model: The hand whose points they are. Default: the user's licensed model if there is one, else the open hand.
        seen: Points that count: ``"full"``, ``"fingertips"`` (wrist and tips), names of ``HAND_POINTS``, or a mask
            (points,) or (frames, points). Missing points never count.
        noise_mm: Standard deviation of each coordinate of the joints, mm: the less, the less the prior has to say. One
            number, one per point, or (frames, points).
        wrist: ``"free"``: how each hand is turned and where it is, is found too. ``"fixed"``: the joints are where
            ``model.hands(pose, arrange="model")`` has them.
        hand: Whose 21 points they are. With a prior of both hands the other hand counts as unseen.
        betas: Shape coefficients of the hand. Default: the mean shape.
        start: Poses to start from, in the columns of the result. Default: the prior's mean pose; without a prior the
            model's mean hand.
        restarts: Further starts, drawn from the prior; the lowest objective counts.
        iterations: Steps at most for each frame and start.
        tolerance: Nats: a frame is done when two steps in a row lower its objective by less.
        seed: Of restarts, and of the poses that a prior's curvature is learnt from. Equal seeds give equal results.
        progress: Told ``(frames done, frames, "frames")`` now and then.

    Raises:
        ValueError: Joints, mask, noise, start or settings that do not fit; the message says which and what is expected.
    """
    model = model or HandModel()
    _check_settings(prior, wrist, hand, restarts, iterations, tolerance)
    target, counts, weight, sides = _arranged(joints, seen, noise_mm, hand, prior)
    columns = PoseColumns(prior, sides, model)
    starts = _starts(start, columns, len(target))
    generator = torch.Generator().manual_seed(seed)
    curvature = columns.curvature(generator)
    problems = JointProblems(columns, Skeletons.of(model, sides, betas), target, weight, wrist == "free", curvature)
    ends = _minima(problems, starts, iterations, tolerance, progress)
    for _ in range(restarts):
        again = _minima(problems, columns.draw(len(target), generator), iterations, tolerance, progress)
        ends = _lower(ends, again)
    return _fitted(problems, ends, counts)


def _minima(
    problems: JointProblems,
    starts: Float64[Tensor, "frames dim"],
    iterations: int,
    tolerance: float,
    progress: Callable[[int, int, str], None] | None,
) -> Minimum:
    """Fit some frames after the others, each with softer points first."""
    count, parts = len(starts), []
    for low in range(0, count, _FRAMES_AT_ONCE):
        frames = slice(low, min(low + _FRAMES_AT_ONCE, count))
        state = problems.among(frames, _SOFTER_MM[0]).start(starts[frames])
        tried = torch.zeros(len(starts[frames]), dtype=torch.long)
        for added in _SOFTER_MM:
            at_most = min(_SOFT_ITERATIONS, iterations) if added else iterations
            end = minimise(problems.among(frames, added), state, iterations=at_most, tolerance=tolerance)
            state, tried = end.state, tried + end.iterations
        parts.append(replace(end, iterations=tried))
        if progress is not None:
            progress(frames.stop, count, "frames")
    return Minimum(
        tuple(torch.cat(same) for same in zip(*(part.state for part in parts), strict=True)),
        torch.cat([part.value for part in parts]),
        torch.cat([part.converged for part in parts]),
        torch.cat([part.iterations for part in parts]),
    )


def _lower(first: Minimum, second: Minimum) -> Minimum:
    """Of each frame the lower end of two; their steps count together."""
    lower = first.value <= second.value

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(lower.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return Minimum(
        tuple(pick(*pair) for pair in zip(first.state, second.state, strict=True)),
        pick(first.value, second.value),
        pick(first.converged, second.converged),
        first.iterations + second.iterations,
    )


def _fitted(problems: JointProblems, ends: Minimum, counts: Bool[Tensor, "frames hands 21"]) -> Fitted:
    pose, turn, place = ends.state
    points = problems.points(ends.state)
    squared = (points - problems.target).square().sum(-1) * counts
    residual = (squared.sum((1, 2)) / counts.sum((1, 2))).sqrt() * 1000
    return Fitted(
        pose=pose.float(),
        hands=tuple(("left", "right")[side] for side in problems.columns.sides),
        points=points.flatten(1, 2).float(),
        wrist_rotation=roma.rotmat_to_rotvec(turn).float(),
        wrist_position=place.float(),
        seen=counts.flatten(1),
        residual_mm=residual.float(),
        energy=problems.columns.energy(pose).float(),
        objective=ends.value.float(),
        converged=ends.converged,
        iterations=ends.iterations,
    )


def _check_settings(
    prior: Prior | None, wrist: str, hand: str, restarts: int, iterations: int, tolerance: float
) -> None:
    if wrist not in ("free", "fixed"):
        raise ValueError(f'wrist must be "free" or "fixed", got {wrist!r}')
    if hand not in ("right", "left"):
        raise ValueError(f'hand must be "right" or "left", got {hand!r}')
    if iterations < 1 or restarts < 0 or not tolerance > 0:
        raise ValueError(
            "expected iterations of at least 1, restarts of at least 0 and a tolerance above 0, "
            f"got {iterations}, {restarts} and {tolerance}"
        )
    if restarts and prior is None:
        raise ValueError(f"restarts={restarts} are drawn from a prior: give one, or leave restarts out")


def _arranged(
    joints: Tensor | np.ndarray,
    seen: str | Sequence[str] | np.ndarray | Tensor,
    noise_mm: float | np.ndarray | Tensor,
    hand: str,
    prior: Prior | None,
) -> tuple[Tensor, Tensor, Tensor, tuple[int, ...]]:
    """Joints, which count and their weights as (frames, hands, 21), and the sides of the hands that are fitted."""
    given = torch.as_tensor(joints, dtype=torch.float64, device="cpu").detach()
    if given.ndim != 3 or given.shape[1] not in (_POINTS, 2 * _POINTS) or given.shape[2] != 3:
        raise ValueError(
            f"joints must be (frames, {_POINTS}, 3) of one hand or (frames, {2 * _POINTS}, 3) of both, "
            f"got {tuple(given.shape)}"
        )
    if not len(given):
        raise ValueError("joints hold no frames")
    frames, points, _ = given.shape
    noise = _noise(noise_mm, frames, points)
    there = given.isfinite().all(-1)
    if given.isinf().any():
        raise ValueError("joints hold an infinite number: mark missing points by NaN")
    counts = (there & _mask(seen, frames, points)).unflatten(1, (-1, _POINTS))
    target = given.nan_to_num(0.0).unflatten(1, (-1, _POINTS))
    weight = torch.where(counts, (noise.unflatten(1, (-1, _POINTS)) / 1000) ** -2, 0.0)
    _check_metres(target, counts)
    side = ("left", "right").index(hand)
    if points == 2 * _POINTS:
        return target, counts, weight, (0, 1)
    if prior is None or prior.dim == HAND_DIM:
        return target, counts, weight, (side,)
    both = [torch.cat([x, torch.zeros_like(x)][:: 1 if side == 0 else -1], dim=1) for x in (target, counts, weight)]
    return both[0], both[1], both[2], (0, 1)


def _mask(seen: str | Sequence[str] | np.ndarray | Tensor, frames: int, points: int) -> Bool[Tensor, "frames points"]:
    """Which points count, those that are missing aside."""
    if isinstance(seen, str) and seen == "full":
        return torch.ones(frames, points, dtype=torch.bool)
    if isinstance(seen, np.ndarray | Tensor):
        mask = torch.as_tensor(seen)
        if mask.dtype != torch.bool or mask.shape not in ((points,), (frames, points)):
            raise ValueError(
                f"a mask of seen points must be True and False, ({points},) or ({frames}, {points}), "
                f"got {mask.dtype} {tuple(mask.shape)}"
            )
        return mask.expand(frames, points)
    names = FINGERTIPS if isinstance(seen, str) and seen == "fingertips" else seen
    unknown = [names] if isinstance(names, str) else [str(name) for name in names if name not in HAND_POINTS]
    if unknown:
        raise ValueError(
            f'seen: unknown point {unknown[0]!r}; expected "full", "fingertips", a mask, '
            f"or some of {', '.join(HAND_POINTS)}"
        )
    return torch.tensor([name in names for name in HAND_POINTS]).repeat(points // _POINTS).expand(frames, points)


def _noise(noise_mm: float | np.ndarray | Tensor, frames: int, points: int) -> Float64[Tensor, "frames points"]:
    noise = torch.as_tensor(noise_mm, dtype=torch.float64)
    if noise.shape not in ((), (points,), (frames, points)):
        raise ValueError(f"noise_mm must be one number, ({points},) or ({frames}, {points}), got {tuple(noise.shape)}")
    if not bool(((noise > 0) & noise.isfinite()).all()):
        raise ValueError("noise_mm must be above 0 everywhere: for exact joints take a small one, such as 0.1")
    return noise.expand(frames, points)


def _check_metres(target: Float64[Tensor, "frames hands 21 3"], counts: Bool[Tensor, "frames hands 21"]) -> None:
    low = target.masked_fill(~counts[..., None], torch.inf).amin(2)
    high = target.masked_fill(~counts[..., None], -torch.inf).amax(2)
    widest = float((high - low).max())
    if widest > _WIDEST:
        raise ValueError(f"joints of one hand are {widest:.3g} apart: expected metres, so no more than {_WIDEST:g}")


def _starts(start: Tensor | np.ndarray | None, columns: PoseColumns, frames: int) -> Float64[Tensor, "frames dim"]:
    if start is None:
        return columns.start.expand(frames, -1)
    given = torch.as_tensor(start, dtype=torch.float64, device="cpu").detach()
    if given.shape not in ((columns.dim,), (1, columns.dim), (frames, columns.dim)) or not given.isfinite().all():
        raise ValueError(
            f"start must be finite poses of {columns.dim} columns, one or {frames}, got {tuple(given.shape)}"
        )
    return given.expand(frames, -1)
