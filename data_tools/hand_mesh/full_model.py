"""The whole model through the real ``smplx`` library: the oracle beside the fast path, and whole bodies."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from data_tools.hand_mesh.model_files import Kind
from data_tools.pose_layout import COLUMNS, HAND_DIM, HANDS_COLUMNS, POSE_DIM

Array = TypeVar("Array", np.ndarray, Tensor)


@dataclass(frozen=True, eq=False)
class BodyMesh(Generic[Array]):
    """What the ``smplx`` library gives, metres, y up.

    Attributes:
        vertices: (*batch, V, 3): 10,475 for SMPL-X; for MANO the left hand's vertices and then the right one's.
        joints: (*batch, J, 3): all of SMPL-X's joints and extra points; for MANO 16 left, then 16 right.
        faces: (F, 3).
    """

    vertices: Array
    joints: Array
    faces: Int[np.ndarray, "F 3"]


@dataclass(frozen=True, eq=False)
class BodyRig:
    """A whole SMPL-X body of mean shape at rest, as plain arrays; metres, y up.

    Attributes:
        vertices: At rest.
        faces: Triangles, counter-clockwise from outside.
        joints: At rest, in SMPL-X order.
        weights: How much of each joint's motion each vertex follows; each row adds up to 1.
        correctives: Metres of each coordinate for each entry of the rotation matrices, minus identity and row by row,
            of all joints but the pelvis.
    """

    vertices: Float32[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    joints: Float32[np.ndarray, "55 3"]
    weights: Float32[np.ndarray, "V 55"]
    correctives: Float32[np.ndarray, "486 coordinates"]


class FullModel:
    """``smplx`` modules made from model files that hold plain arrays only (:func:`.model_files.safe_copy`)."""

    def __init__(self, kind: Kind, paths: tuple[Path, ...]) -> None:
        """Remember what to load; loading happens on first use.

        Args:
            kind: ``smplx`` with one path, or ``mano`` with two, left and right.
            paths: ``.npz`` files.
        """
        self._kind = kind
        self._paths = paths
        self._modules: dict[tuple[Path, int, torch.device], Any] = {}

    def pose(self, pose: Float[Tensor, "batch columns"], betas: Float[Tensor, "batch S"] | None) -> BodyMesh[Tensor]:
        """Vertices and joints for poses of 90 columns (hands) or 165 (all), mean included, radians."""
        return self._body(pose, betas) if self._kind == "smplx" else self._hands(pose, betas)

    def rig(self) -> BodyRig:
        """What poses the body.

        Raises:
            ValueError: The model has hands only.
        """
        if self._kind != "smplx":
            raise ValueError("a MANO model has hands and no body: give a SMPL-X model")
        model, _ = self._module(self._paths[0], torch.zeros(1, POSE_DIM), None)
        return BodyRig(
            vertices=model.v_template.numpy(),
            faces=model.faces.astype(np.int64),
            joints=(model.J_regressor @ model.v_template).numpy(),
            weights=model.lbs_weights.numpy(),
            correctives=model.posedirs.numpy(),
        )

    def _body(self, pose: Tensor, betas: Tensor | None) -> BodyMesh[Tensor]:
        model, betas = self._module(self._paths[0], pose, betas)
        if pose.shape[1] != POSE_DIM:
            pose = torch.cat([pose.new_zeros(len(pose), HANDS_COLUMNS.start), pose], dim=1)
        parts = {name: pose[:, columns] for name, columns in COLUMNS.items()}
        expression = pose.new_zeros(len(pose), model.num_expression_coeffs)
        out = model(betas=betas, expression=expression, transl=pose.new_zeros(len(pose), 3), **parts)
        return BodyMesh(out.vertices, out.joints, model.faces.astype(np.int64))

    def _hands(self, pose: Tensor, betas: Tensor | None) -> BodyMesh[Tensor]:
        hands = pose[:, HANDS_COLUMNS] if pose.shape[1] == POSE_DIM else pose
        still = pose.new_zeros(len(pose), 3)
        outputs, faces, start = [], [], 0
        for path, hand in zip(self._paths, hands.split(HAND_DIM, dim=1), strict=True):
            model, shape = self._module(path, pose, betas)
            outputs.append(model(betas=shape, hand_pose=hand, global_orient=still, transl=still))
            faces.append(model.faces.astype(np.int64) + start)
            start += model.get_num_verts()
        vertices = torch.cat([out.vertices for out in outputs], dim=1)
        return BodyMesh(vertices, torch.cat([out.joints for out in outputs], dim=1), np.concatenate(faces))

    def _module(self, path: Path, pose: Tensor, betas: Tensor | None) -> tuple[Any, Tensor]:
        """The module for a file, and shape coefficients of the length it takes."""
        import smplx

        wanted = 10 if betas is None else max(10, betas.shape[-1])
        key = (path, wanted, pose.device)
        if key not in self._modules:
            options = {"use_pca": False, "flat_hand_mean": True, "num_betas": wanted, "ext": "npz"}
            # smplx prints a remark about every MANO file.
            with contextlib.redirect_stdout(io.StringIO()):
                self._modules[key] = smplx.create(str(path), model_type=self._kind, **options).to(pose.device)
        model = self._modules[key]
        filled = pose.new_zeros(len(pose), model.num_betas)
        if betas is not None:
            filled[:, : betas.shape[-1]] = betas
        return model, filled
