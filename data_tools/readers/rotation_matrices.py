"""Hands as rotation matrices: what HaMeR and WiLoR estimate, and AGORA's predictions; WiLoR-mini's vectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from data_tools.pose_layout import HAND_DIM, mirror_hand
from data_tools.readers.container import container_of
from data_tools.readers.detections import Detection, are_matrices, detections, pictures_of
from data_tools.readers.hand_rows import hand_frames
from data_tools.readers.npz_members import list_members
from data_tools.readers.reader import FormatFacts, UnreadableFile
from data_tools.readers.whole_file import PICKLED, Recorded, WholeFileReader, columns_of, pose_of

_SIDE_KEYS = ("right", "is_right")
_BODY = {"global_orient": 1, "body_pose": 21, "jaw_pose": 1, "leye_pose": 1, "reye_pose": 1}
"""Joints of the other parts of a body, in AGORA's form."""
_NOT_ROTATION = 0.1
"""Largest difference of R R^T from the identity that rounding (float16) and averaging leave."""


class RotationMatrices(WholeFileReader):
    """Hands as (frames, 15, 3, 3) matrices, which always have the mean inside.

    HaMeR and WiLoR give one row per hand that was seen, under ``pred_mano_params`` or at the top; left hands are
    mirrored as right ones, and ``right`` (or ``is_right``) says which they were. WiLoR-mini gives the same as rotation
    vectors, not mirrored. A file holds one result, a list of them or one for each picture, see
    :func:`~data_tools.readers.detections.detections`. The left and the right hand of a picture become one frame, see
    :func:`~data_tools.readers.hand_rows.hand_frames`; where nothing says which picture a row is of, each row is a frame
    with one live hand. AGORA's form has ``left_hand_pose``, ``right_hand_pose`` and the body's matrices, at the top or
    under ``params``.

    Sources: geopavlakos/hamer; warmshao/WiLoR-mini; AGORA's evaluation format (pixelite1201/agora_evaluation).
    """

    format = "rotation-matrices"
    facts = FormatFacts(
        files="pred_mano_params or wilor_preds with hand_pose, right; one result or many; or left_, right_hand_pose",
        hand_mean="incl",
        fps="not in the file",
        source="geopavlakos/hamer",
    )
    suffixes = (".pkl", ".npz", ".npy", ".pt", ".pth")
    containers = PICKLED | {"npz", "npz of objects"}

    def recognises(self, path: Path) -> bool:
        try:
            # Large .npz of other things are not read to find that out.
            if container_of(path) == "npz" and not any(map(are_matrices, list_members(path).values())):
                return False
        except UnreadableFile:
            return False
        return super().recognises(path)

    def is_mine(self, content: Any) -> bool:
        return _agora(content) is not None or next(detections(content), None) is not None

    def recorded(self, path: Path, content: Any) -> Recorded:
        params = _agora(content)
        if params is not None:
            return _recorded_body(path, params)
        found = list(detections(content))
        of_results = [_sides(path, result) for result in found]
        is_right = np.concatenate(of_results)
        hands = _on_their_own_side(path, found, is_right)
        frames = hand_frames(path, pictures_of(found, content, [len(sides) for sides in of_results]), is_right)
        poses, seen = {}, {}
        for side, is_side in (("left", ~is_right), ("right", is_right)):
            poses[side], seen[side] = np.zeros((frames.count, HAND_DIM), np.float32), np.zeros(frames.count, bool)
            poses[side][frames.of_row[is_side]] = hands[is_side]
            seen[side][frames.of_row[is_side]] = True
        return Recorded(
            pose_of(frames.count, left_hand_pose=poses["left"], right_hand_pose=poses["right"]),
            "incl",
            has_body=False,
            left_valid=seen["left"],
            right_valid=seen["right"],
            clock=frames.clock,
            recording=frames.recording,
        )


def _recorded_body(path: Path, params: Mapping[str, Any]) -> Recorded:
    keys = [f"{side}_hand_pose" for side in ("left", "right")]
    # AGORA's own sample has zeros for eyes that are not estimated.
    keys += [key for key, joints in _BODY.items() if are_matrices(params.get(key), joints) and np.any(params[key])]
    parts = {key: _rotation_vectors(path, params, key, _BODY.get(key, 15)) for key in keys}
    frames = len(parts[keys[0]])
    for key, values in parts.items():
        if len(values) != frames:
            raise UnreadableFile(path, f"{keys[0]} has {frames} frames, {key} {len(values)}")
    return Recorded(pose_of(frames, **parts), "incl", has_body="body_pose" in parts)


def _on_their_own_side(
    path: Path, found: list[Detection], is_right: Bool[np.ndarray, "hands"]
) -> Float32[np.ndarray, "hands 45"]:
    """The hands of all results as rotation vectors, left ones turned back where they are given as right ones."""
    if len({result.is_mirrored for result in found}) > 1:
        raise UnreadableFile(path, "holds hands both as rotation matrices and as rotation vectors")
    is_mirrored = found[0].is_mirrored
    shape = (-1, 15, 3, 3) if is_mirrored else (-1, HAND_DIM)
    values = {"hand_pose": np.concatenate([np.reshape(result.params["hand_pose"], shape) for result in found])}
    if not is_mirrored:
        return columns_of(path, values, "hand_pose", HAND_DIM)
    hands = _rotation_vectors(path, values, "hand_pose")
    return np.where(is_right[:, None], hands, mirror_hand(hands))


def _agora(content: Any) -> Mapping[str, Any] | None:
    """The mapping that holds both hands of a body, if any."""
    if not isinstance(content, Mapping):
        return None
    inner = content.get("params")
    found = inner if isinstance(inner, Mapping) else content
    return found if all(are_matrices(found.get(f"{side}_hand_pose")) for side in ("left", "right")) else None


def _sides(path: Path, result: Detection) -> Bool[np.ndarray, "hands"]:
    hands = int(np.prod(np.shape(result.params["hand_pose"]))) // (HAND_DIM * (3 if result.is_mirrored else 1))
    for key in _SIDE_KEYS:
        if key in result.said:
            sides = np.ravel(result.said[key])
            if len(sides) != hands or sides.dtype.kind not in "biuf":
                raise UnreadableFile(path, f"{key} holds {np.shape(sides)}, expected one side for {hands} hands")
            return sides.astype(bool)
    raise UnreadableFile(path, f"does not say which hands are left: expected {' or '.join(_SIDE_KEYS)} ({hands},)")


def _rotation_vectors(
    path: Path, content: Mapping[str, Any], key: str, joints: int = 15
) -> Float32[np.ndarray, "frames columns"]:
    """Turn (frames, joints, 3, 3) matrices into axis-angle on the principal branch; NaN stays NaN.

    Raises:
        UnreadableFile: They are not rotations.
    """
    from scipy.spatial.transform import Rotation

    matrices: Float[np.ndarray, "joints 3 3"] = np.asarray(content[key], np.float64).reshape(-1, 3, 3)
    whole = np.isfinite(matrices).all(axis=(1, 2))
    good = matrices[whole]
    apart = np.abs(good @ good.transpose(0, 2, 1) - np.eye(3)).max(initial=0.0)
    if apart > _NOT_ROTATION or (np.linalg.det(good) < 0).any():
        raise UnreadableFile(path, f"{key} holds no rotation matrices (R R^T is {apart:.2f} off the identity)")
    vectors = np.full((len(matrices), 3), np.nan, np.float32)
    if len(good):
        vectors[whole] = Rotation.from_matrix(good).as_rotvec()
    return vectors.reshape(-1, joints * 3)
