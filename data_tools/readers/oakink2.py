"""OakInk2: a pickle per recording, hands as quaternions by frame number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from data_tools.readers.frame_clock import clock_of, usual_step
from data_tools.readers.reader import FormatFacts, UnreadableFile
from data_tools.readers.whole_file import Recorded, WholeFileReader, pose_of

_SMPLX = {"left_hand_pose": 15, "right_hand_pose": 15, "body_pose": 21, "world_rot": 1}
_MANO = {"left_hand_pose": "lh__pose_coeffs", "right_hand_pose": "rh__pose_coeffs"}


class OakInk2(WholeFileReader):
    """OakInk2's ``anno_preview``: ``raw_smplx`` by mocap frame, rotations as unit quaternions (w, x, y, z).

    They are whole rotations, so the mean hand is inside. Where only ``raw_mano`` is there, its hands are read; the
    first of its 16 quaternions turns the wrist and is left out. Source: oakink/OakInk2, ``README.md``.
    """

    format = "oakink2"
    facts = FormatFacts(
        "anno_preview/*.pkl: raw_smplx, raw_mano (quaternions)", "incl", "not in the file", "oakink/OakInk2"
    )
    no_motion = ("scene_*++*.json", "obj_desc.json")

    def is_mine(self, content: Any) -> bool:
        return isinstance(content, dict) and any(
            isinstance(content.get(key), dict) for key in ("raw_smplx", "raw_mano")
        )

    def recorded(self, path: Path, content: Any) -> Recorded:
        has_body = isinstance(content.get("raw_smplx"), dict) and bool(content["raw_smplx"])
        frames = content["raw_smplx"] if has_body else content.get("raw_mano") or {}
        numbers = _frame_numbers(path, frames)
        rows = [frames[number] for number in sorted(frames)]
        if has_body:
            parts = {key: _rotation_vectors(path, rows, key, joints) for key, joints in _SMPLX.items()}
            parts["global_orient"] = parts.pop("world_rot")
        else:
            parts = {part: _rotation_vectors(path, rows, key, 16)[:, 3:] for part, key in _MANO.items()}
        clock = clock_of(numbers, usual_step(numbers))
        return Recorded(pose_of(len(rows), **parts), "incl", has_body=has_body, clock=clock)


def _frame_numbers(path: Path, frames: dict[Any, Any]) -> np.ndarray:
    if not all(isinstance(number, int | np.integer) and isinstance(frames[number], dict) for number in frames):
        raise UnreadableFile(path, "raw_smplx and raw_mano must hold a mapping for each frame number")
    return np.array(sorted(frames), np.int64)


def _rotation_vectors(
    path: Path, rows: list[dict[str, Any]], key: str, joints: int
) -> Float32[np.ndarray, "frames columns"]:
    """Stack one part of all frames and turn its quaternions into axis-angle, radians."""
    from scipy.spatial.transform import Rotation

    quaternions = np.empty((len(rows), joints, 4))
    for row, frame in enumerate(rows):
        values = np.asarray(frame.get(key))
        if values.dtype.kind != "f" or values.size != joints * 4:
            raise UnreadableFile(
                path, f"{key} has shape {values.shape} {values.dtype}, expected (1, {joints}, 4) floats"
            )
        quaternions[row] = values.reshape(joints, 4)
    if not quaternions.any(axis=-1).all():
        raise UnreadableFile(path, f"{key} holds quaternions of length zero")
    from_scalar_last = Rotation.from_quat(quaternions.reshape(-1, 4)[:, [1, 2, 3, 0]])
    return from_scalar_last.as_rotvec().reshape(len(rows), -1).astype(np.float32)
