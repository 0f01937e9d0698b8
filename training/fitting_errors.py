"""How far fitted poses are from the true ones: millimetres and degrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_tools.hand_model import HAND_POINTS, HandModel
from data_tools.pose_layout import HAND_DIM, HANDS_DIM, hands_of
from training.fitting import Fitted
from training.metrics import joint_angles

_SIDES = ("left", "right")


@dataclass(frozen=True)
class Spread:
    """Mean and median over frames of each frame's mean error."""

    mean: float
    median: float


@dataclass(frozen=True, eq=False)
class FitErrors:
    """Errors of fitted poses; a frame counts by its own mean.

    Attributes:
        all_mm: Distance of the fitted hands' points from the true ones: wrist, 15 joints and 5 tips of each hand.
        seen_mm: The same over the points that were fitted to; None if there was none.
        hidden_mm: The same over the others; None if there was none.
        vertices_mm: Distance of the skin's vertices, with the wrists held still.
        degrees: Angle between fitted and true rotation of each finger joint.
        point_mm: (points,) mean over frames of each point's distance.
        joint_degrees: (joints,) mean over frames of each joint's angle, 15 joints per hand.
    """

    all_mm: Spread
    seen_mm: Spread | None
    hidden_mm: Spread | None
    vertices_mm: Spread
    degrees: Spread
    point_mm: Float[Tensor, "points"]
    joint_degrees: Float[Tensor, "joints"]


@torch.no_grad()
def fit_errors(
    fitted: Fitted,
    truth: Float[Tensor, "frames dim"] | np.ndarray,
    *,
    joints: Float[Tensor, "frames points 3"] | np.ndarray | None = None,
    model: HandModel | None = None,
    betas: Float[np.ndarray, "S"] | None = None,
) -> FitErrors:
    """Compare with the truth.

    Args:
        fitted: What :func:`training.fitting.fit` returned.
        truth: True poses in the same columns, axis-angle in radians.
        joints: True points where the given joints were, metres. Default: where the model has them, which is right for
            fits with ``wrist="fixed"`` only.
        model: The hand, as given to the fit.
        betas: True shape coefficients. Default: those of the fit.

    Raises:
        ValueError: Truth of another shape than the fit.
    """
    true = torch.as_tensor(truth, dtype=torch.float32)
    if true.shape != fitted.pose.shape:
        raise ValueError(f"truth must be poses of shape {tuple(fitted.pose.shape)} as fitted, got {tuple(true.shape)}")
    model = model or HandModel()
    vertices, _ = _meshes(fitted.pose, fitted.hands, model, fitted.betas)
    shape = fitted.betas if betas is None else torch.as_tensor(betas, dtype=torch.float32)
    true_vertices, rest = _meshes(true, fitted.hands, model, shape)
    there = rest if joints is None else torch.as_tensor(joints, dtype=torch.float32)
    if there.shape != fitted.points.shape:
        raise ValueError(f"joints must be of shape {tuple(fitted.points.shape)}, got {tuple(there.shape)}")
    apart = torch.linalg.vector_norm(fitted.points - there, dim=-1).double() * 1000
    hands = [torch.from_numpy(_fingers(pose)).double() for pose in (fitted.pose, true)]
    angles = torch.rad2deg(joint_angles(hands[0], hands[1]))
    skin = torch.linalg.vector_norm(vertices - true_vertices, dim=-1).double() * 1000
    everywhere = torch.ones_like(fitted.seen)
    all_mm, degrees = _spread(apart, everywhere), _spread(angles, torch.ones_like(angles, dtype=torch.bool))
    skin_mm = _spread(skin, torch.ones_like(skin, dtype=torch.bool))
    if all_mm is None or degrees is None or skin_mm is None:
        raise ValueError("there are no frames to compare")
    return FitErrors(
        all_mm=all_mm,
        seen_mm=_spread(apart, fitted.seen),
        hidden_mm=_spread(apart, ~fitted.seen),
        vertices_mm=skin_mm,
        degrees=degrees,
        point_mm=apart.mean(0),
        joint_degrees=angles.mean(0),
    )


def _spread(errors: Float[Tensor, "frames places"], counts: Tensor) -> Spread | None:
    """Of frames in which anything counts."""
    each = (errors * counts).sum(1) / counts.sum(1)
    each = each[counts.any(1)]
    return Spread(float(each.mean()), float(each.median())) if len(each) else None


def _fingers(pose: Tensor) -> np.ndarray:
    return pose.numpy() if pose.shape[1] == HAND_DIM else np.ascontiguousarray(hands_of(pose.numpy()))


def _meshes(
    pose: Tensor, hands: tuple[str, ...], model: HandModel, betas: Float[Tensor, "S"]
) -> tuple[Float[Tensor, "frames V 3"], Float[Tensor, "frames points 3"]]:
    """Skin and points of the fitted hands alone, their wrists at rest."""
    fingers = torch.from_numpy(_fingers(pose))
    if fingers.shape[1] != HANDS_DIM:
        fingers = torch.cat([fingers, fingers], dim=1)  # the other hand is left out below
    mesh = model.hands(fingers, betas if len(betas) else None, arrange="model")
    sides = [_SIDES.index(hand) for hand in hands]
    drawn = torch.from_numpy(np.isin(model.side, sides))
    return mesh.vertices[:, drawn], mesh.joints[:, sides].reshape(len(pose), len(sides) * len(HAND_POINTS), 3)
