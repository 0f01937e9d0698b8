"""Priors at work: poses from 3D joints, be they complete, noisy, few, or finger tips alone.

    fitted = fit(joints, prior, noise_mm=2.0)

finds for every frame the pose, and where its wrists are, that minimise

    sum over seen points of |point(pose) - joint|^2 / (2 noise^2)  +  prior.energy(pose),

the most probable pose if each coordinate of each joint was measured with that much normal noise. Frames of a sequence
can be tied (``smoothness``), and the hands' shape found with the poses (``shape``). ``docs/fitting.md`` says how to use
an energy in an optimisation of one's own, and how good fits are.
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

from data_tools.hand_model import HandModel
from training.damped_steps import Minimum, minimise
from training.frame_loading import evenly
from training.hand_points import Skeletons
from training.joint_problems import JointProblems, PoseColumns
from training.prior import Prior
from training.seen_joints import seen_joints
from training.shape_search import find_shape
from training.smooth_steps import smoothed

_SOFTER_MM = (10.0, 3.0, 0.0)
"""Noise that is added, square to square, stage by stage: far tips do not then pull a finger into a knot first."""

_SOFT_ITERATIONS = 6
_FRAMES_AT_ONCE = 256

_SHAPE_FRAMES = 100
"""Frames that a shape is found from, spread evenly over those in which anything was seen."""


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
        betas: (shape,) shape coefficients of the hands: those found, or those given; none is the mean shape.
        objective: (frames,) what was minimised, nats; a move between two frames counts to the later one.
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
    betas: Float[Tensor, "shape"]
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
    shape: int = 0,
    smoothness: float = 0.0,
    start: Float[Tensor, "*frames dim"] | np.ndarray | None = None,
    restarts: int = 0,
    iterations: int = 200,
    tolerance: float = 1e-3,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Fitted:
    """Fit hand poses to 3D joints, many frames at once: each by itself, or as a sequence (``smoothness``).

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
        shape: How many shape coefficients to find, from the first, instead: one set for all frames, with the penalty
            ``|betas|^2 / 2`` of a standard normal. It is found from at most 100 frames, each by itself.
        smoothness: Nats per squared mm: each coordinate of each point adds half of it times the square of its move from
            one frame to the next. At 30 frames a second try ``2 / noise_mm**2``. Frames are then in the order of time,
            evenly apart; missing ones (all NaN) are filled in. 0 (the default): each frame by itself.
        start: Poses to start from, in the columns of the result. Default: the prior's mean pose; without a prior the
            model's mean hand.
        restarts: Further starts, drawn from the prior; the lowest objective counts.
        iterations: Steps at most for each frame and start.
        tolerance: Nats: a frame is done when two steps in a row lower its objective by less; tied ones, on average.
        seed: Of restarts, and of the poses that a prior's curvature is learnt from. Equal seeds give equal results.
        progress: Told ``(frames done, frames, "frames")`` now and then; then, of tied frames, ``"frames, smoothed"``.

    Raises:
        ValueError: Joints, mask, noise, start or settings that do not fit; the message says which and what is expected.
    """
    model = model or HandModel()
    _check_settings(prior, wrist, hand, restarts, iterations, tolerance)
    _check_shape_and_smoothness(model, betas, shape, smoothness)
    given = seen_joints(joints, seen, noise_mm, hand, prior)
    columns = PoseColumns(prior, given.sides, model)
    starts = _starts(start, columns, len(given.target))
    generator = torch.Generator().manual_seed(seed)
    curvature = columns.curvature(generator)
    skeletons = Skeletons.of(model, given.sides, betas)
    problems = JointProblems(columns, skeletons, given.target, given.weight, wrist == "free", curvature)
    coefficients = torch.zeros(0) if betas is None else torch.as_tensor(betas)
    if shape:
        coefficients = _shape(problems, starts, shape, iterations, tolerance)
        problems = replace(problems, skeletons=skeletons.shaped(coefficients))
    ends = _minima(problems, starts, iterations, tolerance, progress)
    for _ in range(restarts):
        again = _minima(problems, columns.draw(len(starts), generator), iterations, tolerance, progress)
        ends = _lower(ends, again)
    if smoothness and len(starts) > 1:
        per_square_metre = smoothness * 1e6
        ends = smoothed(problems, ends, per_square_metre, iterations=iterations, tolerance=tolerance, progress=progress)
    return _fitted(problems, ends, given.counts, coefficients)


def _shape(
    problems: JointProblems, starts: Float64[Tensor, "frames dim"], count: int, iterations: int, tolerance: float
) -> Float64[Tensor, "count"]:
    """Shape coefficients of some of the frames, whose poses are found for the mean shape first."""
    seen = (problems.weight > 0).any((1, 2)).nonzero().flatten()
    rows = seen[evenly(len(seen), _SHAPE_FRAMES)]
    if not len(rows):
        return torch.zeros(count, dtype=torch.float64)
    some = replace(problems, target=problems.target[rows], weight=problems.weight[rows])
    ends = _minima(some, starts[rows], iterations, tolerance, None)
    return find_shape(some, ends.state, count, iterations=iterations, tolerance=tolerance)


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


def _fitted(problems: JointProblems, ends: Minimum, counts: Bool[Tensor, "frames hands 21"], betas: Tensor) -> Fitted:
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
        betas=betas.float(),
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


def _check_shape_and_smoothness(model: HandModel, betas: np.ndarray | None, shape: int, smoothness: float) -> None:
    if not 0 <= shape <= model.num_betas:
        raise ValueError(f"shape must be 0 to {model.num_betas}, the coefficients of this hand model, got {shape}")
    if shape and betas is not None:
        raise ValueError(f"shape={shape} finds shape coefficients: leave betas out, or shape")
    if not 0 <= smoothness < float("inf"):
        raise ValueError(f"smoothness must be 0 or a finite number above it, got {smoothness}")


def _starts(start: Tensor | np.ndarray | None, columns: PoseColumns, frames: int) -> Float64[Tensor, "frames dim"]:
    if start is None:
        return columns.start.expand(frames, -1)
    given = torch.as_tensor(start, dtype=torch.float64, device="cpu").detach()
    if given.shape not in ((columns.dim,), (1, columns.dim), (frames, columns.dim)) or not given.isfinite().all():
        raise ValueError(
            f"start must be finite poses of {columns.dim} columns, one or {frames}, got {tuple(given.shape)}"
        )
    return given.expand(frames, -1)
