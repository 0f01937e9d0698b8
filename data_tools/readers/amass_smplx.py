"""AMASS SMPL-X N: ``*_stageii.npz`` with ``poses`` (frames, 165), or the same split into parts."""

from __future__ import annotations

from pathlib import Path

from data_tools.pose_layout import COLUMNS, HANDS_COLUMNS, POSE_DIM
from data_tools.readers.amass_smplh import FPS_KEYS
from data_tools.readers.npz_members import Member
from data_tools.readers.npz_reader import Layout, NpzReader, Part, columns, frame_rate, needed

_SPLIT = {
    "pose_hand": HANDS_COLUMNS,
    "root_orient": COLUMNS["global_orient"],
    "pose_body": COLUMNS["body_pose"],
    "pose_jaw": COLUMNS["jaw_pose"],
    "pose_eye": slice(COLUMNS["leye_pose"].start, COLUMNS["reye_pose"].stop),
}


class AmassSmplx(NpzReader):
    """AMASS in its SMPL-X release (MoSh++ stage ii): columns as ours, mean hand inside.

    Source: nghorbani/moshpp, ``src/moshpp/mosh_head.py``. BEDLAM and BEAT2 use the same arrays; BEAT2's hands are
    stored without the mean, which ``handprior.yaml`` must say.
    """

    format = "amass-smplx"

    def is_mine(self, members: dict[str, Member]) -> bool:
        whole = "poses" in members and members["poses"].shape[1:] in ((POSE_DIM,), (POSE_DIM // 3, 3))
        return whole or "pose_hand" in members

    def layout(self, path: Path, members: dict[str, Member]) -> Layout:
        fps = frame_rate(path, members, FPS_KEYS)
        if "poses" in members and "pose_hand" not in members:
            columns(path, members["poses"], POSE_DIM)
            return Layout((Part(members["poses"], slice(None), slice(None)),), "incl", has_body=True, fps=fps)
        needed(path, members, "pose_hand")
        parts = []
        for key, target in _SPLIT.items():
            if key in members:
                columns(path, members[key], target.stop - target.start)
                parts.append(Part(members[key], slice(None), target))
        return Layout(tuple(parts), "incl", has_body="pose_body" in members, fps=fps)
