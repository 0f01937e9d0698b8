"""Build the open hand's asset: ``python -m data_tools.open_hand.build``.

Takes about half a minute and needs the ``openhand`` extra. The same code and the same libraries give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np

from data_tools.open_hand.asset import ASSET, POSES, write_asset
from data_tools.open_hand.correctives import pose_correctives
from data_tools.open_hand.expansion import SMPLX_VERTICES
from data_tools.open_hand.hand_distance import BOX, hand_distance, outward, project
from data_tools.open_hand.hand_statistics import pose_statistics
from data_tools.open_hand.joint_regressor import joint_regressor
from data_tools.open_hand.mannequin import body_joints, body_landmarks, body_mesh, body_weights
from data_tools.open_hand.nails import nail
from data_tools.open_hand.poses import design_poses
from data_tools.open_hand.shape_space import shape_directions
from data_tools.open_hand.skeleton import hand_skeleton, joint_positions
from data_tools.open_hand.skin_weights import skin_weights
from data_tools.open_hand.surface import fit_subdivision, relax, sample_surface, simplify

logger = logging.getLogger(__name__)

SKIN_VERTICES = 1400
_SPACING = 1.3  # mm between samples of the distance field
_FIT = 0.7  # how far the mesh is moved towards the one whose subdivision lies exactly on the surface
_MM = 1e-3  # metres

Rounded = tuple[np.ndarray, float, type[np.integer]]


def build_hand(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, Rounded]]:
    """The left hand's arrays: those kept exactly, and those to be rounded to a step."""
    skin, faces = _skin()
    weights = skin_weights(skin, faces)
    part = np.zeros(len(skin), np.int8)
    regressor = joint_regressor(skin, joint_positions()[:16])
    tips = [int(np.argmin(np.linalg.norm(skin - finger.joints[3], axis=1))) for finger in hand_skeleton()]
    vertices, all_faces, all_weights, parts = [skin], [faces], [weights], [part]
    for k, finger in enumerate(hand_skeleton()):
        plate = nail(finger, clearance=0.25)
        rigid = np.zeros((len(plate.vertices), 17))
        rigid[:, 3 + 3 * k] = 1
        all_faces.append(plate.faces + sum(map(len, vertices)))
        vertices.append(plate.vertices)
        all_weights.append(rigid)
        parts.append(np.full(len(plate.vertices), k + 1, np.int8))
    points, shares = np.concatenate(vertices), np.concatenate(all_weights)
    logger.info("hand: %d skin and %d nail vertices", len(skin), len(points) - len(skin))
    mean, components = pose_statistics(rng)
    padded = np.pad(regressor, [(0, 0), (0, len(points) - len(skin))])
    exact: dict[str, np.ndarray] = {
        "hand_faces": np.concatenate(all_faces).astype(np.uint16),
        "hand_joints": (joint_positions()[:16] * _MM).astype(np.float32),
        "hand_joint_regressor": padded.astype(np.float32),
        "hand_part": np.concatenate(parts),
        "hand_tips": np.array(tips, np.int16),
        "hand_mean": mean.astype(np.float32),
        "hand_components": components.astype(np.float32),
    }
    rounded: dict[str, Rounded] = {
        "hand_vertices": (points * _MM, 1e-5, np.int16),
        "hand_weights": (shares, 1 / 65535, np.uint16),
        "hand_posedirs": (pose_correctives(points, shares, rng) * _MM, 1e-6, np.int16),
        "hand_shapedirs": (shape_directions(points, shares) * _MM, 1e-6, np.int16),
    }
    return exact, rounded


def _skin() -> tuple[np.ndarray, np.ndarray]:
    sampled = sample_surface(hand_distance, BOX, _SPACING)
    logger.info("distance field: %d samples of the surface", len(sampled.vertices))
    vertices, faces = simplify(sampled, SKIN_VERTICES)
    vertices, faces = relax(vertices, faces, outward, project)
    fitted = fit_subdivision(vertices, faces, project)
    return vertices + _FIT * (fitted - vertices), faces


def build_body(vertices: int) -> tuple[dict[str, np.ndarray], dict[str, Rounded]]:
    """The mannequin's arrays, with at most so many vertices."""
    points, faces = body_mesh(vertices)
    landmarks = body_landmarks(points)
    joints = body_joints()
    logger.info("mannequin: %d vertices", len(points))
    # Wrists are given by the hands.
    regressor = joint_regressor(points, joints, neighbours=120)
    regressor[20:22] = 0
    exact: dict[str, np.ndarray] = {
        "body_faces": faces.astype(np.uint16),
        "body_joints": joints.astype(np.float32),
        "body_joint_regressor": regressor.astype(np.float32),
        "body_landmark_names": np.array(list(landmarks)),
        "body_landmarks": np.array(list(landmarks.values()), np.int16),
    }
    rounded: dict[str, Rounded] = {
        "body_vertices": (points, 1e-4, np.int16),
        "body_weights": (body_weights(points, faces), 1 / 65535, np.uint16),
    }
    return exact, rounded


def build(path: Path = ASSET, poses: Path = POSES) -> None:
    """Generate hand and mannequin and write the asset and the named poses."""
    rng = np.random.default_rng(1)
    exact, rounded = build_hand(rng)
    spare = SMPLX_VERTICES - 2 * len(rounded["hand_vertices"][0])
    body_exact, body_rounded = build_body(spare - 50)
    write_asset(path, exact | body_exact, rounded | body_rounded)
    named = {name: np.round(pose, 4).tolist() for name, pose in design_poses().items()}
    poses.write_text("{\n" + ",\n".join(f'  "{name}": {json.dumps(pose)}' for name, pose in named.items()) + "\n}\n")
    logger.info("%s: %.0f kB", path, path.stat().st_size / 1e3)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=ASSET, help="where to write the asset (default: in the package)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)7.0f ms  %(message)s")
    build(arguments.out, arguments.out.with_name(POSES.name))


if __name__ == "__main__":
    main()
