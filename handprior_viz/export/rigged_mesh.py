"""Both hands as a rigged mesh (.glb) that Blender, three.js and other viewers can pose and play.

A skeleton of two wrists with 15 joints each, named as in SMPL-X, its weights, and the motion as turns of the joints.
Flat hands are the rest pose; metres, y up, upright side by side with the palms to +z, as in every picture.

What a skeleton cannot do are the model's pose correctives, which push vertices by some millimetres before they are
skinned. They go along as morph targets, as few as keep every vertex of every frame within 0.05 mm (four for a walk
between two samples), with weights from 0 to 1 that play with it: in each frame the mesh is the model's own within
0.1 mm. Whoever poses the joints anew sets the weights to zero and lacks the correctives: 7 mm at most for the open
hand with 45 degrees at every joint.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.spatial.transform import Rotation

from handprior_viz.export.gltf import FACES, GLB, VERTICES
from handprior_viz.export.rig import JOINTS, PARENTS, HandRig
from handprior_viz.pictures.lighting import LOOK

TOLERANCE = 5e-5
"""Metres by which a vertex may miss its corrective."""

SIDES = ("left", "right")

Hands = Float[np.ndarray, "N 90"]


def rigged_mesh(rig: HandRig, hands: Hands, *, fps: float = 30.0, about: str = "") -> bytes:
    """Both hands as a .glb.

    Args:
        rig: Of the model.
        hands: Left hand first, mean included, axis-angle in radians. More than one become an animation.
        fps: Frames per second.
        about: Goes into the file as its copyright line: which model, and what its licence asks for.
    """
    glb = GLB({"asset": {"version": "2.0", "generator": "HandPrior", "copyright": about or rig.caption}})
    targets, weights = corrective_targets(rig, hands)
    turns = _quaternions(hands)
    glb.content |= {
        "scene": 0,
        "scenes": [{"name": "hands", "nodes": [0, 1]}],
        "nodes": _nodes(rig, turns[0], weights[0]),
        "meshes": [_mesh(glb, rig, targets)],
        "skins": [_skin(glb, rig)],
        "materials": [
            {
                "name": "skin",
                "pbrMetallicRoughness": {"baseColorFactor": [1.0] * 4, "metallicFactor": 0.0, "roughnessFactor": 0.6},
            }
        ],
    }
    if len(hands) > 1:
        glb.content["animations"] = [_animation(glb, turns, weights, fps)]
    return glb.to_bytes()


def corrective_targets(rig: HandRig, hands: Hands) -> tuple[Float32[np.ndarray, "K V 3"], Float32[np.ndarray, "N K"]]:
    """The pose correctives of a motion as few targets and their weights in each frame, from 0 to 1.

    The first is the same in all frames; the others are principal components of how the frames differ, none where they
    do not. Weights below zero would be right by the standard, but Blender and game engines cut them off. Targets are
    metres, as the hands stand at rest in the file.
    """
    # To the frame of the placed hands first: a morph target is added before the skin takes its vertex along.
    offsets = np.einsum("vij,nvj->nvi", rig.place[rig.side, :3, :3], rig.corrected(hands)).astype(np.float32)
    flat = offsets.reshape(len(hands), -1)
    if not np.abs(flat).max() > TOLERANCE:
        return np.zeros((0, len(rig.vertices), 3), np.float32), np.zeros((len(hands), 0), np.float32)
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
    weights = np.column_stack([np.ones(len(hands)), (weights - least) / span])
    return targets.reshape(len(targets), -1, 3).astype(np.float32), weights.astype(np.float32)


def _quaternions(hands: Hands) -> Float32[np.ndarray, "N 2 15 4"]:
    """Unit quaternions x y z w whose signs do not flip from one frame to the next."""
    found = Rotation.from_rotvec(hands.reshape(-1, 3)).as_quat().reshape(len(hands), 2, 15, 4)
    flips = np.where((found[1:] * found[:-1]).sum(axis=-1) < 0, -1.0, 1.0)
    found[1:] *= np.cumprod(flips, axis=0)[..., None]
    return found.astype(np.float32)


def _nodes(rig: HandRig, turns: Float32[np.ndarray, "2 15 4"], weights: np.ndarray) -> list[dict[str, Any]]:
    """The mesh's node, the skeleton's root, then each hand's wrist and fingers."""
    mesh: dict[str, Any] = {"name": "hands", "mesh": 0, "skin": 0}
    if len(weights):
        mesh["weights"] = weights.tolist()
    nodes: list[dict[str, Any]] = [mesh, {"name": "skeleton", "children": [joint_node(0, 0), joint_node(1, 0)]}]
    for side, name in enumerate(SIDES):
        for k, joint in enumerate(JOINTS):
            node: dict[str, Any] = {"name": f"{name}_{joint}"}
            if k == 0:
                place = rig.place[side]
                at = place[:3, :3] @ rig.joints[side, 0] + place[:3, 3]
                node |= {"rotation": Rotation.from_matrix(place[:3, :3]).as_quat().tolist()}
            else:
                at = rig.joints[side, k] - rig.joints[side, PARENTS[k]]
                node |= {"rotation": turns[side, k - 1].tolist()}
            node["translation"] = np.asarray(at, np.float64).tolist()
            children = [joint_node(side, child) for child, parent in enumerate(PARENTS) if parent == k]
            if children:
                node["children"] = children
            nodes.append(node)
    return nodes


def joint_node(side: int, joint: int) -> int:
    """Which node of the file is a joint, by its place in :data:`JOINTS`."""
    return 2 + len(JOINTS) * side + joint


def _skin(glb: GLB, rig: HandRig) -> dict[str, Any]:
    """The joints, and where each one stands at rest."""
    inverse = []
    for side in (0, 1):
        for joint in rig.joints[side]:
            stands = np.eye(4)
            stands[:3, 3] = joint
            inverse.append(np.linalg.inv(rig.place[side] @ stands))
    joints = [joint_node(side, k) for side in (0, 1) for k in range(len(JOINTS))]
    maps = np.stack(inverse).astype(np.float32)
    maps[:, 3] = [0, 0, 0, 1]  # exactly, as the standard wants it
    return {"name": "hands", "skeleton": 1, "joints": joints, "inverseBindMatrices": glb.add(maps)}


def _mesh(glb: GLB, rig: HandRig, targets: Float32[np.ndarray, "K V 3"]) -> dict[str, Any]:
    vertices = rig.placed_vertices
    attributes = {
        "POSITION": glb.add(vertices, target=VERTICES, bounds=True),
        "NORMAL": glb.add(_normals(vertices, rig.faces), target=VERTICES),
        "COLOR_0": glb.add(_colours(rig), target=VERTICES),
    }
    joints = rig.influences + len(JOINTS) * rig.side[:, None]
    joints = np.where(rig.weights > 0, joints, 0).astype(np.uint8)
    more = -rig.weights.shape[1] % 4  # in sets of four, strongest first
    joints, shares = (np.pad(array, ((0, 0), (0, more))) for array in (joints, rig.weights))
    for number, first in enumerate(range(0, joints.shape[1], 4)):
        part = slice(first, first + 4)
        attributes[f"JOINTS_{number}"] = glb.add(joints[:, part], target=VERTICES)
        attributes[f"WEIGHTS_{number}"] = glb.add(shares[:, part].astype(np.float32), target=VERTICES)
    faces = glb.add(rig.faces.astype(np.uint32).ravel(), target=FACES)
    primitive: dict[str, Any] = {"attributes": attributes, "indices": faces, "material": 0, "mode": 4}
    mesh: dict[str, Any] = {"name": "hands", "primitives": [primitive]}
    if len(targets):
        primitive["targets"] = [{"POSITION": glb.add(one, target=VERTICES, bounds=True)} for one in targets]
        mesh["extras"] = {"targetNames": [f"corrective {k + 1}" for k in range(len(targets))]}
    return mesh


def _animation(
    glb: GLB, turns: Float32[np.ndarray, "N 2 15 4"], weights: Float32[np.ndarray, "N K"], fps: float
) -> dict[str, Any]:
    times = glb.add((np.arange(len(turns)) / fps).astype(np.float32), bounds=True)
    channels: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []

    def play(values: np.ndarray, node: int, path: str) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "output": glb.add(values), "interpolation": "LINEAR"})

    for side in (0, 1):
        for k in range(1, len(JOINTS)):
            play(turns[:, side, k - 1], joint_node(side, k), "rotation")
    if weights.shape[1]:
        play(weights.ravel(), 0, "weights")
    return {"name": "motion", "channels": channels, "samplers": samplers}


def _normals(vertices: Float32[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float32[np.ndarray, "V 3"]:
    import trimesh

    mesh = trimesh.Trimesh(vertices, faces, process=False)
    return np.asarray(mesh.vertex_normals, np.float32)


def _colours(rig: HandRig) -> Float32[np.ndarray, "V 3"]:
    """Skin and nails, linear RGB as glTF has colours."""
    skin, nail = (np.asarray(colour, np.float32) ** 2.2 for colour in (LOOK.skin, LOOK.nail))
    return np.where(rig.nails[:, None], nail, skin).astype(np.float32)
