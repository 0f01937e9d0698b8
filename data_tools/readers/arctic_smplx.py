"""ARCTIC's whole bodies in SMPL-X: ``*.smplx.npy``, one object with the parts of the pose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_tools.readers.arctic_mano import FPS
from data_tools.readers.reader import FormatFacts
from data_tools.readers.whole_file import Recorded, WholeFileReader, columns_of, pose_of

_PARTS = {
    **{"global_orient": 3, "body_pose": 63, "jaw_pose": 3, "leye_pose": 3, "reye_pose": 3},
    **{"left_hand_pose": 45, "right_hand_pose": 45},
}
_FACE = ("jaw_pose", "leye_pose", "reye_pose")


class ArcticSmplx(WholeFileReader):
    """Whole bodies as SMPL-X parameters under the model's own names, mean hand inside.

    Source: zc-alexfan/arctic, ``docs/data/data_doc.md``.
    """

    format = "arctic-smplx"
    facts = FormatFacts(
        files="*.smplx.npy of ARCTIC: left_hand_pose, right_hand_pose (frames, 45), body_pose (frames, 63), ...",
        hand_mean="incl",
        fps="30",
        source="zc-alexfan/arctic",
    )
    suffixes = (".npy",)
    containers = frozenset({"npy of objects"})
    no_motion = ("*.object.npy", "*.egocam.dist.npy")

    def is_mine(self, content: Any) -> bool:
        return isinstance(content, dict) and {"left_hand_pose", "right_hand_pose", "body_pose"} <= set(content)

    def recorded(self, path: Path, content: Any) -> Recorded:
        frames = len(columns_of(path, content, "left_hand_pose", 45))
        parts = {
            part: columns_of(path, content, part, columns, frames=frames)
            for part, columns in _PARTS.items()
            if part in content or part not in _FACE
        }
        return Recorded(pose_of(frames, **parts), "incl", has_body=True, fps=FPS)
