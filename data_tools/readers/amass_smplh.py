"""AMASS SMPL-H G: ``*_poses.npz`` with ``poses`` (frames, 156)."""

from __future__ import annotations

from pathlib import Path

from data_tools.pose_layout import COLUMNS
from data_tools.readers.npz_members import Member
from data_tools.readers.npz_reader import Layout, NpzReader, Part, columns, frame_rate, needed
from data_tools.readers.reader import FormatFacts

_COLUMNS = {
    "global_orient": slice(0, 3),
    "body_pose": slice(3, 66),
    "left_hand_pose": slice(66, 111),
    "right_hand_pose": slice(111, 156),
}


class AmassSmplh(NpzReader):
    """AMASS in its SMPL-H release: root, body and hands in one array, no jaw and no eyes; mean hand inside.

    Source: nghorbani/amass.
    """

    format = "amass-smplh"
    facts = FormatFacts("*_poses.npz: poses (frames, 156)", "incl", "in the file", "nghorbani/amass")
    subject_folder = r".+"
    no_motion = ("shape.npz",)

    def is_mine(self, members: dict[str, Member]) -> bool:
        return "poses" in members and members["poses"].shape[1:] in ((156,), (52, 3))

    def layout(self, path: Path, members: dict[str, Member]) -> Layout:
        poses = needed(path, members, "poses")
        columns(path, poses, 156)
        return Layout(
            parts=tuple(Part(poses, source, COLUMNS[part]) for part, source in _COLUMNS.items()),
            hand_mean="incl",
            has_body=True,
            fps=frame_rate(path, members),
        )
