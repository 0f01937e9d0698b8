"""MoSh++: ``*_stageii.pkl`` with ``fullpose``, and the legacy pickles with ``pose_est_fullposes``; MOYO is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data_tools.pose_layout import COLUMNS
from data_tools.readers.frame_clock import FPS_KEYS, usable_rate
from data_tools.readers.reader import FormatFacts
from data_tools.readers.whole_file import Recorded, WholeFileReader, columns_of, pose_of

_KEYS = ("fullpose", "pose_est_fullposes")
_SMPLH_COLUMNS = 156


class Moshpp(WholeFileReader):
    """Body, face and hands fitted to markers: SMPL-X (frames, 165) or SMPL-H (frames, 156), mean hand inside.

    Sources: nghorbani/moshpp, ``src/moshpp/mosh_head.py``; sha2nkt/moyo_toolkit, whose files hold no frame rate.
    """

    format = "moshpp"
    facts = FormatFacts(
        files="*_stageii.pkl of MoSh++ and MOYO: fullpose (frames, 165 or 156); legacy pose_est_fullposes",
        hand_mean="incl",
        fps="in the file, where given",
        source="nghorbani/moshpp",
    )
    no_motion = ("*_stagei.pkl",)
    subject_folder = r".+"

    def is_mine(self, content: Any) -> bool:
        return isinstance(content, dict) and any(key in content for key in _KEYS)

    def recorded(self, path: Path, content: Any) -> Recorded:
        key = next(key for key in _KEYS if key in content)
        width = np.shape(content[key])[-1:]
        if width == (_SMPLH_COLUMNS,):
            values = columns_of(path, content, key, _SMPLH_COLUMNS)
            poses = pose_of(
                len(values),
                global_orient=values[:, :3],
                body_pose=values[:, 3:66],
                left_hand_pose=values[:, 66:111],
                right_hand_pose=values[:, 111:156],
            )
        else:
            poses = columns_of(path, content, key, COLUMNS["right_hand_pose"].stop)
        return Recorded(poses, "incl", has_body=True, fps=_frame_rate(path, content))


def _frame_rate(path: Path, content: dict[str, Any]) -> float | None:
    """Find the frame rate in the content or one level below it, where MoSh++ keeps its details."""
    for where in (content, *(value for value in content.values() if isinstance(value, dict))):
        for key in FPS_KEYS:
            if key in where:
                return usable_rate(path, key, where[key])
    return None
