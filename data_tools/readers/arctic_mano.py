"""ARCTIC's hands in MANO: ``*.mano.npy``, one object with ``left`` and ``right``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_tools.readers.reader import FormatFacts
from data_tools.readers.whole_file import Recorded, WholeFileReader, columns_of, pose_of

FPS = 30.0
"""The release says it in its documents, not in its files (zc-alexfan/arctic, docs/data/data_doc.md)."""


class ArcticMano(WholeFileReader):
    """Both hands as MANO parameters, relative to the mean hand; angles may exceed pi and even 2 pi.

    Source: zc-alexfan/arctic, ``docs/data/data_doc.md`` and ``common/body_models.py``.
    """

    format = "arctic-mano"
    facts = FormatFacts(
        files="*.mano.npy of ARCTIC: left and right pose (frames, 45), rot (frames, 3)",
        hand_mean="rel",
        fps="30",
        source="zc-alexfan/arctic",
    )
    suffixes = (".npy",)
    no_motion = ("*.object.npy", "*.egocam.dist.npy")

    def is_mine(self, content: Any) -> bool:
        return isinstance(content, dict) and all(
            isinstance(content.get(side), dict) and {"pose", "rot"} <= set(content[side]) for side in ("left", "right")
        )

    def recorded(self, path: Path, content: Any) -> Recorded:
        left = columns_of(path, content["left"], "pose", 45)
        right = columns_of(path, content["right"], "pose", 45, frames=len(left))
        poses = pose_of(len(left), left_hand_pose=left, right_hand_pose=right)
        return Recorded(poses, "rel", has_body=False, fps=FPS)
