"""AMASS SMPL-X N: ``*_stageii.npz`` with ``poses`` (frames, 165), or the same split into parts."""

from __future__ import annotations

from pathlib import Path

from data_tools.pose_layout import COLUMNS, HANDS_COLUMNS, POSE_DIM
from data_tools.readers.npz_members import Member
from data_tools.readers.npz_reader import Layout, NpzReader, Part, columns, frame_rate, needed
from data_tools.readers.reader import FormatFacts
from data_tools.sequence import HandMean

_SPLIT = {
    "pose_hand": HANDS_COLUMNS,
    "root_orient": COLUMNS["global_orient"],
    "pose_body": COLUMNS["body_pose"],
    "pose_jaw": COLUMNS["jaw_pose"],
    "pose_eye": slice(COLUMNS["leye_pose"].start, COLUMNS["reye_pose"].stop),
}


def is_whole_smplx(members: dict[str, Member]) -> bool:
    """Tell whether an .npz holds ``poses`` of 165 columns, as AMASS SMPL-X, BEDLAM and BEAT2 do."""
    return "poses" in members and members["poses"].shape[1:] in ((POSE_DIM,), (POSE_DIM // 3, 3))


class AmassSmplx(NpzReader):
    """AMASS in its SMPL-X release (MoSh++ stage ii): columns as ours, mean hand inside.

    Source: nghorbani/moshpp, ``src/moshpp/mosh_head.py``. What tells AMASS from BEDLAM and BEAT2, which hold the same
    ``poses``, is that it also holds them in parts, or names its model (``surface_model_type``).
    """

    format = "amass-smplx"
    subject_folder = r".+"
    no_motion = ("*_stagei.npz",)
    facts = FormatFacts("*_stageii.npz: poses (frames, 165)", "incl", "in the file", "nghorbani/moshpp")

    def is_mine(self, members: dict[str, Member]) -> bool:
        return "pose_hand" in members or (is_whole_smplx(members) and "surface_model_type" in members)

    def layout(self, path: Path, members: dict[str, Member]) -> Layout:
        fps = frame_rate(path, members)
        if "poses" in members and "pose_hand" not in members:
            return whole_smplx(path, members, "incl", fps)
        needed(path, members, "pose_hand")
        parts = []
        for key, target in _SPLIT.items():
            if key in members:
                columns(path, members[key], target.stop - target.start)
                parts.append(Part(members[key], slice(None), target))
        return Layout(tuple(parts), "incl", has_body="pose_body" in members, fps=fps)


def whole_smplx(path: Path, members: dict[str, Member], hand_mean: HandMean, fps: float | None) -> Layout:
    """Lay out ``poses`` of 165 columns, which stand as ours do."""
    poses = needed(path, members, "poses")
    columns(path, poses, POSE_DIM)
    return Layout((Part(poses, slice(None), slice(None)),), hand_mean, has_body=True, fps=fps)
