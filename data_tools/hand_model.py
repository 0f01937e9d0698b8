"""HandModel: hand poses to vertices and joints in metres, with the user's licensed model or the open hand."""

from __future__ import annotations

import copy
import os
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Float32, Int32
from torch import Tensor

from data_tools.hand_mesh.arrangement import Arrangement, placement
from data_tools.hand_mesh.full_model import BodyMesh, BodyRig, FullModel
from data_tools.hand_mesh.model_files import ENVIRONMENT, Kind, ModelFiles, find_model, read_model, safe_copy
from data_tools.hand_mesh.parts import SIDES, HandPart, hand_of_body, hand_of_mano
from data_tools.hand_mesh.skinning import CHUNK, HandShape, HandSkinning, single_threaded
from data_tools.hand_mesh.subdivision import loop_subdivision
from data_tools.open_hand.asset import read_asset
from data_tools.open_hand.expansion import mano_arrays, model_folder, smplx_arrays
from data_tools.pose_layout import FINGERS, HAND_DIM, HAND_JOINT_NAMES, HANDS_DIM, POSE_DIM

Array = TypeVar("Array", np.ndarray, Tensor)

HAND_POINTS: tuple[str, ...] = ("wrist", *HAND_JOINT_NAMES, *(f"{finger}_tip" for finger in FINGERS))
"""The 21 points of each hand in a :class:`HandMesh`: wrist, 15 joints in SMPL-X order, then the five tips."""

HAND_POINT_PARENTS: tuple[int, ...] = (-1, *(0 if k % 3 == 0 else k for k in range(15)), *range(3, 16, 3))
"""Parent of each of the 21 points; -1 for the wrist."""


@dataclass(frozen=True, eq=False)
class HandMesh(Generic[Array]):
    """Two posed hands, metres, y up.

    Attributes:
        vertices: (*batch, V, 3), the left hand's first; :attr:`HandModel.faces` connects them.
        joints: (*batch, 2, 21, 3), left then right, in the order of :data:`HAND_POINTS`.
    """

    vertices: Array
    joints: Array


class HandModel:
    """Both hands of a body model: shape prepared once, posed many times.

    Loads, in this order: ``path``; the file or folder named by ``SMPLX_MODEL_PATH``; the open hand of this project.
    Licensed SMPL-X (``.npz`` or ``.pkl``) and MANO (left and right) files are read through an allow-list; legacy
    pickles need no chumpy.

    Example:
        >>> model = HandModel()
        >>> mesh = model.hands(np.zeros(90, np.float32))
        >>> mesh.joints.shape
        (2, 21, 3)

    Attributes:
        kind: ``"smplx"`` or ``"mano"``.
        path: The file or folder it was read from; None for the open hand.
        faces: (F, 3) triangles of the two drawn hands, left then right, counter-clockwise from outside.
        side: (V,) 0 for a vertex of the left hand, 1 for the right.
        nails: (V,) which vertices belong to finger nails; licensed models mark none.
        vertex_ids: (V,) where each drawn vertex stands among :meth:`full`'s vertices.
        hands_mean: (90,) the model's mean hands, left then right, axis-angle in radians.
        hand_components: (2, 45, 45) principal components of hand poses, left then right, one per row, as the file has
            them; None if it has none.
        num_betas: How many shape coefficients it takes at most.
        joint_names: Names of the 21 points of each hand.
        parents: Parent of each of the 21 points; -1 for the wrist.
    """

    def __init__(self, path: str | Path | None = None, *, kind: Kind = "smplx") -> None:
        """Load a model.

        Args:
            path: A SMPL-X or MANO file, or a folder with them. Default: ``SMPLX_MODEL_PATH``, else the open hand.
            kind: For the open hand only: cut it out of its SMPL-X form or take its MANO form.

        Raises:
            FileNotFoundError: Nothing at ``path``, or no model in it.
            ValueError: A file that is no model, is damaged, or asks to run code.
        """
        path = path or os.environ.get(ENVIRONMENT) or None
        self.path = None if path is None else Path(path).expanduser()
        self._files: ModelFiles | None = None if self.path is None else find_model(self.path)
        self.kind: Kind = self._files.kind if self._files else kind
        self.joint_names, self.parents = HAND_POINTS, HAND_POINT_PARENTS
        models = self._read()
        if self.kind == "smplx":
            parts = (hand_of_body(models[0], 0), hand_of_body(models[0], 1))
            statistics = [(models[0][f"hands_mean{s[0]}"], models[0].get(f"hands_components{s[0]}")) for s in SIDES]
        else:
            parts = (hand_of_mano(models[0]), hand_of_mano(models[1]))
            statistics = [(model["hands_mean"], model.get("hands_components")) for model in models]
        self._take_parts(*parts, right_start=0 if self.kind == "smplx" else len(models[0]["v_template"]))
        self.hands_mean: Float32[np.ndarray, "90"] = np.concatenate([m for m, _ in statistics]).astype(np.float32)
        components = [np.asarray(c, np.float32) for _, c in statistics if c is not None]
        known = [c.shape for c in components] == [(HAND_DIM, HAND_DIM)] * 2
        self.hand_components: Float32[np.ndarray, "2 45 45"] | None = np.stack(components) if known else None

    def _take_parts(self, left: HandPart, right: HandPart, right_start: int) -> None:
        count = len(left.vertices)
        self.faces: Int32[np.ndarray, "F 3"] = np.concatenate([left.faces, right.faces + count]).astype(np.int32)
        self.side = np.repeat(np.array([0, 1], np.int8), [count, len(right.vertices)])
        self.nails = np.concatenate([left.nails, right.nails])
        self.vertex_ids = np.concatenate([left.vertex_ids, right.vertex_ids + right_start])
        self._rest_joints = np.stack([left.joints, right.joints])
        self._skinning = {torch.device("cpu"): HandSkinning(left, right)}
        self._mean_shapes: dict[tuple[str, torch.device], tuple[HandShape, Tensor]] = {}
        self.num_betas = left.shapedirs.shape[-1]

    def _read(self) -> list[dict[str, np.ndarray]]:
        if self._files is not None:
            return [read_model(path, self.kind) for path in self._files.paths]
        asset = read_asset()
        return [smplx_arrays(asset)] if self.kind == "smplx" else [mano_arrays(asset, side) for side in SIDES]

    def hand_part(self, side: int) -> HandPart:
        """One hand as its file has it, before it is made ready to be posed: 0 left, 1 right. Reads the file again."""
        models = self._read()
        return hand_of_body(models[0], side) if self.kind == "smplx" else hand_of_mano(models[side])

    @property
    def is_open(self) -> bool:
        """Whether this is the licence-free open hand."""
        return self._files is None

    @property
    def caption(self) -> str:
        """What a picture made with this model has to say about it."""
        if self.is_open:
            return "open hand model"
        return f"{'SMPL-X' if self.kind == 'smplx' else 'MANO'} (licensed)"

    def hands(
        self,
        pose: Float[Array, "*batch 90"],
        betas: Float[Array, "*shapes S"] | HandShape | None = None,
        *,
        arrange: Arrangement = "display",
    ) -> HandMesh[Array]:
        """Pose both hands, their body at rest: the fast path, equal to :meth:`full` within 1e-4 m.

        Args:
            pose: Left hand then right, mean included, axis-angle in radians. Tensors give tensors with gradients, on
                the pose's device; arrays give arrays. Computed in float32.
            betas: Shape coefficients, one set or one per pose; or a shape from :meth:`shape`. Default: the mean shape.
            arrange: ``"display"``: upright side by side, palms to a viewer at +z; ``"back"``: the same, each hand
                showing its back; ``"model"``: where the model keeps them (for MANO, each about its own origin).

        Raises:
            ValueError: Wrong number of columns, too many shape coefficients, or an unknown arrangement.
        """
        if pose.shape[-1] != HANDS_DIM:
            raise ValueError(f"pose must be (..., {HANDS_DIM}): both hands, axis-angle; got {tuple(pose.shape)}")
        if isinstance(pose, Tensor):
            return self._posed(pose, betas, arrange)
        with torch.no_grad():
            shape = _tensor(betas) if isinstance(betas, np.ndarray) else betas
            mesh = self._posed(_tensor(pose), shape, arrange)
        return HandMesh(mesh.vertices.numpy(), mesh.joints.numpy())

    def _posed(self, pose: Tensor, betas: Tensor | HandShape | None, arrange: Arrangement) -> HandMesh[Tensor]:
        frames = pose.reshape(-1, HANDS_DIM).float()
        with single_threaded() if len(frames) <= CHUNK else nullcontext():
            return self._posed_frames(frames, pose.shape[:-1], betas, arrange)

    def _posed_frames(
        self, frames: Tensor, batch: torch.Size, betas: Tensor | HandShape | None, arrange: Arrangement
    ) -> HandMesh[Tensor]:
        if isinstance(betas, Tensor) and betas.ndim > 1:
            rows = betas.to(frames.device).expand(*batch, -1).reshape(-1, betas.shape[-1])
            shapes = [self.skinning(frames.device).shape(piece) for piece in rows.split(CHUNK)]
            pieces = zip(frames.split(CHUNK), shapes, strict=True)
            vertices, joints = _joined([self._piece(piece, shape, arrange) for piece, shape in pieces])
        else:
            shape = self.shape(betas.to(frames.device)) if isinstance(betas, Tensor) else betas
            vertices, joints = _joined([self._piece(piece, shape, arrange) for piece in frames.split(CHUNK)])
        return HandMesh(vertices.reshape(*batch, *vertices.shape[1:]), joints.reshape(*batch, *joints.shape[1:]))

    def _piece(self, pose: Tensor, shape: HandShape | None, arrange: Arrangement) -> tuple[Tensor, Tensor]:
        skinning = self.skinning(pose.device)
        if shape is not None:
            return skinning(pose, shape, self._place(shape, arrange))
        key = (arrange, pose.device)
        if key not in self._mean_shapes:
            mean = skinning.mean_shape()
            self._mean_shapes[key] = (mean, self._place(mean, arrange))
        return skinning(pose, *self._mean_shapes[key])

    def _place(self, shape: HandShape, arrange: Arrangement) -> Float[Tensor, "batch 2 4 4"]:
        device = shape.joints.device
        turn, wrists = placement(self._rest_joints, arrange)
        if wrists is None:
            return torch.eye(4, device=device).expand(1, 2, 4, 4)
        return self.skinning(device).placed(shape, _tensor(turn).to(device), _tensor(wrists).to(device))

    def shape(self, betas: Float[Array, "S"]) -> HandShape:
        """Apply shape coefficients once; give the result to :meth:`hands` as ``betas`` for any number of poses."""
        tensor = _tensor(betas)
        return self.skinning(tensor.device).shape(tensor)

    def full(
        self, pose: Float[Array, "*batch columns"], betas: Float[Array, "*shapes S"] | None = None
    ) -> BodyMesh[Array]:
        """Pose the whole model through the real ``smplx`` library.

        Args:
            pose: 90 columns (both hands, body at rest) or 165 (whole pose), mean included, axis-angle in radians. MANO
                uses the hands only.
            betas: Shape coefficients, one set or one per pose.

        Raises:
            ValueError: Wrong number of columns.
        """
        if pose.shape[-1] not in (HANDS_DIM, POSE_DIM):
            raise ValueError(f"pose must be (..., {HANDS_DIM}) or (..., {POSE_DIM}), got {tuple(pose.shape)}")
        if isinstance(pose, Tensor):
            return self._full_posed(pose, betas)
        with torch.no_grad():
            mesh = self._full_posed(_tensor(pose), None if betas is None else _tensor(betas))
        return BodyMesh(mesh.vertices.numpy(), mesh.joints.numpy(), mesh.faces)

    def _full_posed(self, pose: Tensor, betas: Tensor | None) -> BodyMesh[Tensor]:
        batch = pose.shape[:-1]
        if betas is not None:
            betas = betas.to(pose.device).float().expand(*batch, -1).reshape(-1, betas.shape[-1])
        mesh = self._full_model.pose(pose.reshape(-1, pose.shape[-1]).float(), betas)
        vertices, joints = (array.reshape(*batch, *array.shape[1:]) for array in (mesh.vertices, mesh.joints))
        return BodyMesh(vertices, joints, mesh.faces)

    def body_rig(self) -> BodyRig:
        """The whole body at rest and what poses it, for whoever exports more than a mesh.

        Raises:
            ValueError: The model has hands only.
        """
        return self._full_model.rig()

    @cached_property
    def _full_model(self) -> FullModel:
        if self._files is None:
            folder = model_folder() / self.kind
            names = ("SMPLX_NEUTRAL",) if self.kind == "smplx" else ("MANO_LEFT", "MANO_RIGHT")
            return FullModel(self.kind, tuple(folder / f"{name}.npz" for name in names))
        return FullModel(self.kind, tuple(safe_copy(path, self.kind) for path in self._files.paths))

    def hand_subdivision(self, times: int = 1) -> tuple[sp.csr_matrix, Int32[np.ndarray, "G 3"]]:
        """Matrix and faces for smooth drawing: ``matrix @ mesh.vertices`` is the Loop-subdivided pair of hands.

        The open hand is made to be drawn so: its mesh stands out a little, its subdivision lies on the surface.
        """
        return loop_subdivision(self.faces, len(self.side), times)

    def skinning(self, device: torch.device | str = "cpu") -> HandSkinning:
        """What poses the hands, with its arrays on a device; for whoever computes or exports more than a mesh."""
        device = torch.device(device)
        if device not in self._skinning:
            self._skinning[device] = copy.deepcopy(self._skinning[torch.device("cpu")]).to(device)
        return self._skinning[device]


def default_hand_model() -> HandModel:
    """What ``HandModel()`` loads, loaded once and shared: each of a hundred views would hold its own megabytes."""
    return _loaded(os.environ.get(ENVIRONMENT) or None)


@lru_cache(maxsize=1)
def _loaded(path: str | None) -> HandModel:
    return HandModel(path)


def _joined(pieces: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    if len(pieces) == 1:
        return pieces[0]
    return torch.cat([vertices for vertices, _ in pieces]), torch.cat([joints for _, joints in pieces])


def _tensor(array: np.ndarray | Tensor) -> Tensor:
    if isinstance(array, Tensor):
        return array
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
