"""From the small built asset to model files that the real ``smplx`` library loads unchanged.

:func:`smplx_arrays` and :func:`mano_arrays` expand the asset in memory; :func:`model_folder` writes them once to the
user's cache folder as ``smplx/SMPLX_NEUTRAL.npz`` and ``mano/MANO_{LEFT,RIGHT}.npz``.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from data_tools.hand_mesh.model_cache import CACHE_VARIABLE, cache_root, write_model
from data_tools.open_hand.asset import ASSET, read_asset
from data_tools.pose_layout import FINGERS, PARENTS, mirror_hand

logger = logging.getLogger(__name__)

SMPLX_VERTICES = 10475
"""Vertices of a SMPL-X mesh. ``smplx`` picks fingertips, toes and face points by fixed index, so ours has as many."""

SHAPE_COLUMNS = 400
"""300 shape and 100 expression directions, of which the open hand uses the first ten; with fewer ``smplx`` warns."""

SIZE_PER_UNIT = 0.04
"""Share by which the first shape direction grows the body; the hands' own is in the asset."""

_MIRROR = np.array([-1.0, 1.0, 1.0], np.float32)
_ROOT = 4294967295  # how model files write "no parent" in an unsigned table


class _HandJoints(NamedTuple):
    """Where a hand's joints stand among SMPL-X's."""

    elbow: int
    wrist: int
    first: int


_HAND_JOINTS = {"left": _HandJoints(elbow=18, wrist=20, first=25), "right": _HandJoints(elbow=19, wrist=21, first=40)}


def mirrored(hand: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The right hand: the left one's exact mirror image in the plane x = 0.

    A reflected rotation is M R M, so an entry (a, b) of a pose feature changes sign with m_a m_b and an offset with m.
    """
    feature_signs = np.tile(np.outer(_MIRROR, _MIRROR).ravel(), 15)
    return {
        **hand,
        "vertices": hand["vertices"] * _MIRROR,
        "faces": hand["faces"][:, ::-1],
        "joints": hand["joints"] * _MIRROR,
        "posedirs": hand["posedirs"] * _MIRROR[:, None] * feature_signs,
        "shapedirs": hand["shapedirs"] * _MIRROR[:, None],
        "mean": mirror_hand(hand["mean"]),
        "components": mirror_hand(hand["components"]),
    }


def _left_hand(asset: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    hand = {name.removeprefix("hand_"): array for name, array in asset.items() if name.startswith("hand_")}
    return {**hand, "weights": _normalised(hand["weights"]), "faces": hand["faces"].astype(np.int64)}


def _normalised(weights: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Make rows sum to one again after rounding."""
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def mano_arrays(asset: dict[str, np.ndarray], side: str) -> dict[str, np.ndarray]:
    """One hand as the arrays of a MANO file: metres, wrist at the origin, fingers along +x (left) or -x (right)."""
    from smplx.vertex_ids import vertex_ids

    hand = _left_hand(asset)
    hand = hand if side == "left" else mirrored(hand)
    # MANO has no forearm: what follows the elbow in SMPL-X stays with the wrist here.
    weights = hand["weights"][:, :16].copy()
    weights[:, 0] += hand["weights"][:, 16]
    wanted = {vertex_ids["mano"][finger]: int(hand["tips"][k]) for k, finger in enumerate(FINGERS)}
    place = _places(len(weights), wanted)

    def placed(array: np.ndarray) -> np.ndarray:
        out = np.empty_like(array)
        out[place] = array
        return out

    parents = [_ROOT] + [0 if k % 3 == 0 else k for k in range(15)]
    return {
        "v_template": placed(hand["vertices"]),
        "f": place[hand["faces"]].astype(np.uint32),
        "weights": placed(weights),
        "J_regressor": placed(hand["joint_regressor"].T).T,
        "shapedirs": placed(hand["shapedirs"]),
        "posedirs": placed(hand["posedirs"]),
        "kintree_table": np.array([parents, range(16)], np.int64),
        "hands_mean": hand["mean"],
        "hands_components": hand["components"],
        "part": placed(hand["part"]),
    }


def _places(count: int, wanted: dict[int, int]) -> np.ndarray:
    """A permutation ``place`` with ``place[old] == new`` for every ``{new: old}`` wanted, the rest moved least."""
    place = np.arange(count)
    occupant = np.arange(count)
    for new, old in wanted.items():
        other, here = occupant[new], place[old]
        place[old], place[other] = new, here
        occupant[new], occupant[here] = old, other
    return place


def smplx_arrays(asset: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Both hands on the mannequin as the arrays of a SMPL-X file: metres, T-pose, y up, facing +z."""
    from smplx.vertex_ids import vertex_ids

    left = _left_hand(asset)
    right = mirrored(left)
    body = {name.removeprefix("body_"): array for name, array in asset.items() if name.startswith("body_")}
    n_body, n_hand = len(body["vertices"]), len(left["vertices"])
    starts = {"left": n_body, "right": n_body + n_hand}
    landmarks = {str(name): int(v) for name, v in zip(body["landmark_names"], body["landmarks"], strict=True)}
    for side, start in starts.items():
        landmarks |= {side[0] + finger: start + int(tip) for finger, tip in zip(FINGERS, left["tips"], strict=True)}
    place = _places(SMPLX_VERTICES, {vertex_ids["smplx"][name]: old for name, old in landmarks.items()})
    model = _body_arrays(body, place)
    faces = [body["faces"].astype(np.int64)]
    for side, hand in (("left", left), ("right", right)):
        at = place[starts[side] : starts[side] + n_hand]
        _put_hand(model, hand, at, body["joints"], _HAND_JOINTS[side])
        faces.append(hand["faces"] + starts[side])
    model["f"] = place[np.concatenate(faces)].astype(np.uint32)
    head = place[:n_body][body["weights"][:, 15] > 0.9]
    head_faces = np.flatnonzero(np.isin(model["f"], head).all(axis=1))
    return {**model, **_face_landmarks(head_faces), **_hand_statistics(left, right)}


def _put_hand(
    model: dict[str, np.ndarray],
    hand: dict[str, np.ndarray],
    at: np.ndarray,
    body_joints: np.ndarray,
    joints: _HandJoints,
) -> None:
    """Write one hand's arrays into those of the body, its wrist on the body's."""
    fingers = slice(joints.first, joints.first + 15)
    centre = body_joints[joints.wrist]
    model["v_template"][at] = hand["vertices"] + centre
    model["weights"][at] = 0
    model["weights"][at, joints.wrist] = hand["weights"][:, 0]
    model["weights"][at, joints.elbow] = hand["weights"][:, 16]
    model["weights"][at, fingers] = hand["weights"][:, 1:16]
    model["shapedirs"][at, :, :10] = hand["shapedirs"]
    # Overall size grows the hand about its wrist and moves the wrist with the arm.
    model["shapedirs"][at, :, 0] += SIZE_PER_UNIT * (centre - body_joints[0])
    model["posedirs"][at, :, 9 * (fingers.start - 1) : 9 * (fingers.stop - 1)] = hand["posedirs"]
    rows = np.array([joints.wrist, *range(fingers.start, fingers.stop)])
    model["J_regressor"][np.ix_(rows, at)] = hand["joint_regressor"]
    model["part"][at] = hand["part"]


def _body_arrays(body: dict[str, np.ndarray], place: np.ndarray) -> dict[str, np.ndarray]:
    """The mannequin's part of the SMPL-X arrays; places no mesh uses repeat its first vertex."""
    at = place[: len(body["vertices"])]
    weights = _normalised(body["weights"])
    model: dict[str, np.ndarray] = {
        "v_template": np.tile(body["vertices"][0], (SMPLX_VERTICES, 1)),
        "weights": np.zeros((SMPLX_VERTICES, 55), np.float32),
        "J_regressor": np.zeros((55, SMPLX_VERTICES), np.float32),
        "shapedirs": np.zeros((SMPLX_VERTICES, 3, SHAPE_COLUMNS), np.float32),
        "posedirs": np.zeros((SMPLX_VERTICES, 3, 9 * 54), np.float32),
        "kintree_table": np.array([[_ROOT, *PARENTS[1:]], range(55)], np.int64),
        "part": np.zeros(SMPLX_VERTICES, np.int8),
    }
    model["v_template"][at] = body["vertices"]
    model["weights"][:, :25] = weights[0]
    model["weights"][at, :25] = weights
    model["shapedirs"][:, :, 0] = SIZE_PER_UNIT * (model["v_template"] - body["joints"][0])
    model["J_regressor"][:25, at] = body["joint_regressor"]
    return model


def _face_landmarks(face_region: np.ndarray) -> dict[str, np.ndarray]:
    """Places for the 51 fixed and 17 contour face landmarks ``smplx`` asks for; on a mannequin they mean nothing."""
    return {
        "lmk_faces_idx": face_region[np.linspace(0, len(face_region) - 1, 51).astype(int)],
        "lmk_bary_coords": np.full((51, 3), 1 / 3, np.float32),
        "dynamic_lmk_faces_idx": np.tile(face_region[:17], (79, 1)),
        "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3, np.float32),
    }


def _hand_statistics(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        "hands_meanl": left["mean"],
        "hands_meanr": right["mean"],
        "hands_componentsl": left["components"],
        "hands_componentsr": right["components"],
    }


def model_folder() -> Path:
    """The folder to hand to ``smplx.create(str(folder), model_type="smplx" | "mano", ...)``.

    The files are expanded from the asset on first use, in a few seconds, beside their place and then moved there, so
    that no other process meets half a file. ``smplx`` wants ``ext="npz"`` for MANO and for SMPL-X's default as well.
    """
    # This file's own text is part of the key: another way of expanding the same asset gives other files.
    key = hashlib.sha256(Path(__file__).read_bytes() + ASSET.read_bytes()).hexdigest()[:16]
    folder = cache_root() / f"open-hand-{key}"
    if folder.is_dir():
        return folder
    logger.info("expanding the open hand model to %s", folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise OSError(f"{folder.parent}: cannot keep the model files there ({error}); set {CACHE_VARIABLE}") from error
    try:
        _write_models(beside)
        beside.chmod(0o755)
        beside.rename(folder)
    except OSError:
        # Another process was faster: its folder holds the same bytes.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _write_models(folder: Path) -> None:
    asset = read_asset()
    (folder / "smplx").mkdir()
    (folder / "mano").mkdir()
    write_model(folder / "smplx" / "SMPLX_NEUTRAL.npz", smplx_arrays(asset))
    for side in ("left", "right"):
        write_model(folder / "mano" / f"MANO_{side.upper()}.npz", mano_arrays(asset, side))
