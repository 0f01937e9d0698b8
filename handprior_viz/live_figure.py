"""What a live view shows: the two hands, or on request the whole body.

Both give the page a mesh, a stage and words for their joints, and turn a pose into vertices and joints.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, UInt8

from data_tools.hand_model import HandModel
from data_tools.pose_layout import HANDS_DIM, JOINT_NAMES, POSE_DIM, hands_of
from handprior_viz import hand_picture, joint_words
from handprior_viz.pictures.lighting import shade
from handprior_viz.pictures.occlusion import Occlusion
from handprior_viz.pictures.smooth_mesh import SmoothMesh
from handprior_viz.pictures.soft_raster import rasterise
from handprior_viz.pictures.stage import Stage
from handprior_viz.render import Renderer

Posed = tuple[np.ndarray, np.ndarray]
"""Coarse vertices (V, 3) and joints (J, 3) in metres."""


class Figure(Protocol):
    """Something that can be posed and shown live."""

    joint_names: list[str]
    vertices: int

    def message(self) -> dict[str, Any]:
        """What the page is sent once: the mesh's arrays and the stage."""
        ...

    def posed(self, pose: np.ndarray) -> Posed:
        """Put the figure into a pose; ``ValueError`` for one that cannot be drawn."""
        ...

    def open_sky(self, vertices: np.ndarray) -> np.ndarray:
        """Return how much of its surroundings each vertex (V, 3) sees; takes as long as posing."""
        ...

    def draw(self, pose: np.ndarray, size: tuple[int, int], paint: np.ndarray | None) -> UInt8[np.ndarray, "H W 4"]:
        """Draw a still of width and height in pixels, on a transparent background."""
        ...


class HandsFigure:
    """Both hands, side by side. A whole pose of 165 columns shows its hands."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self.joint_names = joint_words.hand_points()
        self.vertices = len(renderer.model.side)

    def message(self) -> dict[str, Any]:
        """What the page is sent once."""
        renderer, model = self._renderer, self._renderer.model
        stage = hand_picture.stage_message(renderer.stage)
        return {"stage": stage, **hand_picture.topology(renderer.mesh, model.faces, model.side)}

    def posed(self, pose: Float[np.ndarray, "columns"]) -> Posed:
        """Put it into a pose."""
        mesh = self._renderer.posed(hands_of(_checked(pose)))
        return mesh.vertices, mesh.joints.reshape(-1, 3)

    def open_sky(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V"]:
        """How much of its surroundings each vertex sees."""
        return self._renderer.occlusion.pose(vertices)

    def draw(self, pose: np.ndarray, size: tuple[int, int], paint: np.ndarray | None) -> UInt8[np.ndarray, "H W 4"]:
        """Draw a still."""
        return self._renderer.draw(hands_of(_checked(pose)), size, paint=paint)


class BodyFigure:
    """The whole body, standing, seen from the front. A pose of both hands leaves the body at rest."""

    def __init__(self, model: HandModel) -> None:
        """Prepare the body, which takes some tenths of a second.

        Raises:
            ValueError: A model that has hands only.
        """
        self.check(model)
        self._model = model
        rest = model.full(np.zeros(POSE_DIM, np.float32))
        self.joint_names = joint_words.body_joints()
        self.vertices = len(rest.vertices)
        self._faces = rest.faces.astype(np.int32)
        nails = np.zeros(self.vertices, np.float32)
        nails[model.vertex_ids] = model.nails
        self._mesh = SmoothMesh.prepare(self._faces, nails)
        self._one = np.ones(self.vertices, np.int8)  # all one part
        self._occlusion = Occlusion.prepare(rest.vertices, self._faces, self._one, patches=96)
        low, high = rest.vertices.min(axis=0), rest.vertices.max(axis=0)
        half = (high - low) / 2 * 1.06
        # The camera sees all of a body with its arms stretched out; there are no hands that stand apart.
        self.stage = Stage(0.0, 0.0, float(low[1] + high[1]) / 2, float(half[0]), float(half[1]), float(low[1]))

    @staticmethod
    def check(model: HandModel) -> None:
        """Raise ``ValueError`` for a model that has hands only."""
        if model.kind != "smplx":
            raise ValueError("this hand model has no body to show: it needs a SMPL-X model, not MANO's hands")

    def message(self) -> dict[str, Any]:
        """What the page is sent once."""
        stage = hand_picture.stage_message(self.stage, body=True)
        # Its mesh is as fine as it needs to be: subdivided it would take four times as long and look the same.
        return {"stage": stage, **hand_picture.topology(self._mesh, self._faces, self._one, fine=False)}

    def posed(self, pose: Float[np.ndarray, "columns"]) -> Posed:
        """Put it into a pose."""
        body = self._model.full(_checked(pose))
        return body.vertices, body.joints[: len(JOINT_NAMES)]

    def open_sky(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V"]:
        """How much of its surroundings each vertex sees."""
        return self._occlusion.pose(vertices)

    def draw(self, pose: np.ndarray, size: tuple[int, int], paint: np.ndarray | None) -> UInt8[np.ndarray, "H W 4"]:
        """Draw a still."""
        vertices, _ = self.posed(pose)
        positions, normals = self._mesh.pose(vertices)
        open_sky = np.clip(self._mesh.subdivision @ self.open_sky(vertices), 0, 1)
        fine_paint = None if paint is None else self._mesh.subdivision @ paint
        colours = shade(normals, self._mesh.nail, occlusion=open_sky, paint=fine_paint)
        return rasterise(self.stage.project(positions, size), colours, self._mesh.faces, size)


def _checked(pose: np.ndarray) -> np.ndarray:
    pose = np.asarray(pose, np.float32)
    if pose.shape not in ((HANDS_DIM,), (POSE_DIM,)):
        raise ValueError(f"a pose to draw must be ({HANDS_DIM},), both hands, or ({POSE_DIM},), all; got {pose.shape}")
    unusable = int((~np.isfinite(pose)).sum())
    if unusable:
        raise ValueError(f"a pose to draw must be finite, got {unusable} NaN or infinite values")
    return pose
