"""A mesh on a skeleton that moves, as a .glb that Blender, three.js and other viewers can pose and play.

What a skeleton cannot do are a model's pose correctives, which push vertices by some millimetres before they are
skinned. They go along as morph targets, as few as keep every vertex of every frame within 0.05 mm (four for a walk
between two samples of hands), with weights from 0 to 1 that play with it: in each frame the mesh is the model's own
within 0.1 mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.spatial.transform import Rotation

from handprior_viz.export.gltf import FACES, GLB, VERTICES

TOLERANCE = 5e-5
"""Metres by which a vertex may miss its corrective."""

_LEAST_WEIGHT = 1e-6
_STILL = 1e-7


@dataclass(frozen=True, eq=False)
class SkinnedMesh:
    """A mesh at rest, its skeleton, and a motion of ``N`` frames; metres, y up.

    Attributes:
        name: Of the mesh.
        vertices: At rest, as the file has them.
        faces: Triangles, counter-clockwise from outside.
        colours: Linear RGB, 0 to 1.
        joints: Their names, parents before children.
        parents: Of each joint; -1 for one without.
        stands: Map of each joint's own frame to where it stands at rest.
        influences: For each vertex the joints that move it, strongest first; 0 where there are fewer.
        weights: Of those; they add up to 1.
        turns: How each joint is turned in its own frame, as rotation vectors in radians.
        offsets: What each frame adds to the vertices at rest before they are skinned.
    """

    name: str
    vertices: Float32[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    colours: Float32[np.ndarray, "V 3"]
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    stands: Float[np.ndarray, "J 4 4"]
    influences: Int[np.ndarray, "V most"]
    weights: Float32[np.ndarray, "V most"]
    turns: Float[np.ndarray, "N J 3"]
    offsets: Float32[np.ndarray, "N V 3"]

    def to_glb(self, *, fps: float, about: str) -> bytes:
        """The file. More than one frame become an animation.

        Args:
            fps: Frames per second.
            about: Its copyright line: which model, and what its licence asks for.
        """
        glb = GLB({"asset": {"version": "2.0", "generator": "HandPrior", "copyright": about}})
        targets, weights = corrective_targets(self.offsets)
        turns = self._local_turns()
        glb.content |= {
            "scene": 0,
            "scenes": [{"name": self.name, "nodes": [0, 1]}],
            "nodes": self._nodes(turns[0], weights[0]),
            "meshes": [self._mesh(glb, targets)],
            "skins": [self._skin(glb)],
            "materials": [
                {
                    "name": "skin",
                    "pbrMetallicRoughness": {
                        "baseColorFactor": [1.0] * 4,
                        "metallicFactor": 0.0,
                        "roughnessFactor": 0.6,
                    },
                }
            ],
        }
        if len(turns) > 1:
            glb.content["animations"] = [_animation(glb, turns, weights, fps)]
        return glb.to_bytes()

    def _parent_maps(self) -> Float[np.ndarray, "J 4 4"]:
        """Of each joint the map from its own frame to its parent's, at rest."""
        above = np.stack([np.eye(4) if parent < 0 else self.stands[parent] for parent in self.parents])
        return np.linalg.inv(above) @ self.stands

    def _local_turns(self) -> Float32[np.ndarray, "N J 4"]:
        """Unit quaternions x y z w of the nodes, whose signs do not flip from one frame to the next."""
        count, joints = self.turns.shape[:2]
        rest = np.broadcast_to(self._parent_maps()[:, :3, :3], (count, joints, 3, 3)).reshape(-1, 3, 3)
        turned = Rotation.from_matrix(rest) * Rotation.from_rotvec(self.turns.reshape(-1, 3))
        found = turned.as_quat().reshape(count, joints, 4)
        flips = np.where((found[1:] * found[:-1]).sum(axis=-1) < 0, -1.0, 1.0)
        found[1:] *= np.cumprod(flips, axis=0)[..., None]
        return found.astype(np.float32)

    def _nodes(self, turns: Float32[np.ndarray, "J 4"], weights: Float32[np.ndarray, "K"]) -> list[dict[str, Any]]:
        """The mesh's node, the skeleton's root, then the joints."""
        mesh: dict[str, Any] = {"name": self.name, "mesh": 0, "skin": 0}
        if len(weights):
            mesh["weights"] = weights.tolist()
        nodes: list[dict[str, Any]] = [mesh, {"name": "skeleton", "children": self._below(-1)}]
        places = self._parent_maps()[:, :3, 3]
        for joint, name in enumerate(self.joints):
            node = {"name": name, "rotation": turns[joint].tolist(), "translation": places[joint].tolist()}
            nodes.append(node | ({"children": below} if (below := self._below(joint)) else {}))
        return nodes

    def _below(self, parent: int) -> list[int]:
        return [joint_node(joint) for joint, above in enumerate(self.parents) if above == parent]

    def _skin(self, glb: GLB) -> dict[str, Any]:
        """The joints, and where each one stands at rest."""
        maps = np.linalg.inv(self.stands).astype(np.float32)
        maps[:, 3] = [0, 0, 0, 1]  # exactly, as the standard wants it
        joints = [joint_node(joint) for joint in range(len(self.joints))]
        return {"name": self.name, "skeleton": 1, "joints": joints, "inverseBindMatrices": glb.add(maps)}

    def _normals(self) -> Float32[np.ndarray, "V 3"]:
        """Of unit length, as the standard wants them, at a vertex without triangles too."""
        import trimesh

        normals = np.array(trimesh.Trimesh(self.vertices, self.faces, process=False).vertex_normals, np.float32)
        normals[~normals.any(axis=1)] = (0, 0, 1)
        return normals

    def _mesh(self, glb: GLB, targets: Float32[np.ndarray, "K V 3"]) -> dict[str, Any]:
        attributes = {
            "POSITION": glb.add(self.vertices, target=VERTICES, bounds=True),
            "NORMAL": glb.add(self._normals(), target=VERTICES),
            "COLOR_0": glb.add(self.colours, target=VERTICES),
        }
        joints = np.where(self.weights > 0, self.influences, 0).astype(np.uint8)
        more = -self.weights.shape[1] % 4  # in sets of four, strongest first
        joints, shares = (np.pad(array, ((0, 0), (0, more))) for array in (joints, self.weights))
        for number, first in enumerate(range(0, joints.shape[1], 4)):
            part = slice(first, first + 4)
            attributes[f"JOINTS_{number}"] = glb.add(joints[:, part], target=VERTICES)
            attributes[f"WEIGHTS_{number}"] = glb.add(shares[:, part].astype(np.float32), target=VERTICES)
        faces = glb.add(self.faces.astype(np.uint32).ravel(), target=FACES)
        primitive: dict[str, Any] = {"attributes": attributes, "indices": faces, "material": 0, "mode": 4}
        mesh: dict[str, Any] = {"name": self.name, "primitives": [primitive]}
        if len(targets):
            primitive["targets"] = [{"POSITION": glb.add(one, target=VERTICES, bounds=True)} for one in targets]
            mesh["extras"] = {"targetNames": [f"corrective {k + 1}" for k in range(len(targets))]}
        return mesh


def joint_node(joint: int) -> int:
    """Which node of the file is a joint."""
    return 2 + joint


def strongest(dense: Float32[np.ndarray, "V J"]) -> tuple[Int[np.ndarray, "V most"], Float32[np.ndarray, "V most"]]:
    """Joints that move each vertex and how much, strongest first; the weights add up to 1."""
    most = int((dense > _LEAST_WEIGHT).sum(axis=1).max())
    joints = np.argsort(-dense, axis=1, kind="stable")[:, :most]
    weights = np.take_along_axis(dense, joints, axis=1)
    weights = np.where(weights > _LEAST_WEIGHT, weights, 0)
    weights = weights / weights.sum(axis=1, keepdims=True)
    return np.where(weights > 0, joints, 0), weights.astype(np.float32)


def corrective_targets(
    offsets: Float32[np.ndarray, "N V 3"],
) -> tuple[Float32[np.ndarray, "K V 3"], Float32[np.ndarray, "N K"]]:
    """The pose correctives of a motion as few targets and their weights in each frame, from 0 to 1.

    The first is the same in all frames; the others are principal components of how the frames differ, none where they
    do not. Weights below zero would be right by the standard, but Blender and game engines cut them off.
    """
    flat = offsets.reshape(len(offsets), -1)
    if not np.abs(flat).max() > TOLERANCE:
        return np.zeros((0, *offsets.shape[1:]), np.float32), np.zeros((len(offsets), 0), np.float32)
    same = flat.mean(axis=0)
    rest = flat - same
    frames, sizes, directions = np.linalg.svd(rest, full_matrices=False)
    count = 0
    while count < len(sizes) and np.linalg.norm(rest.reshape(offsets.shape), axis=2).max() > TOLERANCE:
        rest -= np.outer(frames[:, count] * sizes[count], directions[count])
        count += 1
    weights, directions = frames[:, :count] * sizes[:count], directions[:count]
    least, span = weights.min(axis=0), np.ptp(weights, axis=0)
    targets = np.stack([same + least @ directions, *(directions * span[:, None])])
    weights = np.column_stack([np.ones(len(offsets)), (weights - least) / span])
    return targets.reshape(len(targets), -1, 3).astype(np.float32), weights.astype(np.float32)


def _animation(
    glb: GLB, turns: Float32[np.ndarray, "N J 4"], weights: Float32[np.ndarray, "N K"], fps: float
) -> dict[str, Any]:
    """Of the joints that move, and of the correctives."""
    times = glb.add((np.arange(len(turns)) / fps).astype(np.float32), bounds=True)
    channels: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []

    def play(values: np.ndarray, node: int, path: str) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "output": glb.add(values), "interpolation": "LINEAR"})

    for joint in np.flatnonzero(np.ptp(turns, axis=0).max(axis=1) > _STILL).tolist():
        play(np.ascontiguousarray(turns[:, joint]), joint_node(joint), "rotation")
    if weights.shape[1]:
        play(weights.ravel(), 0, "weights")
    return {"name": "motion", "channels": channels, "samplers": samplers}
