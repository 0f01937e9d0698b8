"""SHOW: a pickle per clip, hands as 12 principal components each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data_tools.hand_pca import Side, decode
from data_tools.pose_layout import HAND_DIM
from data_tools.readers.reader import FormatFacts
from data_tools.readers.whole_file import Recorded, WholeFileReader, columns_of, pose_of

_OTHERS = {"global_orient": 3, "jaw_pose": 3, "leye_pose": 3, "reye_pose": 3}
_COMPONENTS = 12


class Show(WholeFileReader):
    """Whole bodies estimated from talk shows: ``body_pose_axis`` (frames, 63) and PCA hands, relative to the mean.

    The coefficients are decoded with the components of the user's model file; ``speaker_name`` is the subject. Source:
    yhw-yhw/SHOW, whose code adds the mean hand (and contradicts itself once).
    """

    format = "show"
    facts = FormatFacts(
        files="*.pkl of SHOW: body_pose_axis (frames, 63), left_hand_pose, right_hand_pose (frames, 12) PCA",
        hand_mean="rel",
        fps="30",
        source="yhw-yhw/SHOW",
    )
    needs_components = True

    def contents(self, path: Path) -> Any:
        """Read the file; some clips are a list of one mapping, which yhw-yhw/TalkSHOW's loader takes, too."""
        content = super().contents(path)
        return content[0] if isinstance(content, list) and len(content) == 1 else content

    def is_mine(self, content: Any) -> bool:
        return isinstance(content, dict) and {"body_pose_axis", "left_hand_pose", "right_hand_pose"} <= set(content)

    def recorded(self, path: Path, content: Any) -> Recorded:
        body = columns_of(path, content, "body_pose_axis", 63)
        frames = len(body)
        widths = {key: width for key, width in _OTHERS.items() if key in content}
        parts = {key: columns_of(path, content, key, width, frames=frames) for key, width in widths.items()}
        sides: tuple[Side, ...] = ("left", "right")
        for side in sides:
            key = f"{side}_hand_pose"
            width = int(np.prod(np.shape(content[key])[1:]))
            values = columns_of(path, content, key, width if 0 < width < HAND_DIM else _COMPONENTS, frames=frames)
            parts[key] = decode(values, side, path)
        speaker = content.get("speaker_name")
        subject = speaker if isinstance(speaker, str) else None
        return Recorded(pose_of(frames, body_pose=body, **parts), "rel", has_body=True, fps=30.0, subject=subject)
