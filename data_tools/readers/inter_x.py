"""Inter-X: ``P1.npz`` and ``P2.npz`` in a folder per recording, two people who act on each other."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from data_tools.pose_layout import COLUMNS
from data_tools.readers.npz_members import Member
from data_tools.readers.npz_reader import Layout, NpzReader, Part, columns, needed
from data_tools.readers.reader import FormatFacts, Place

_KEYS = {
    "pose_lhand": "left_hand_pose",
    "pose_rhand": "right_hand_pose",
    "root_orient": "global_orient",
    "pose_body": "body_pose",
}


class InterX(NpzReader):
    """Inter-X: root, body and hands under their own keys, 120 frames a second.

    The mean hand is inside: the poses were fitted with ``flat_hand_mean=True`` (LvXinTao/Mocap-to-SMPLX, ``main.py``),
    and the release's viewer shows them so, which is what eth-ait/aitviewer does unless told otherwise. The two people
    of a folder are two sequences. Folders are named after group, take, action and repetition; a person is known as one
    of a group, ``G001-P1``. Source: liangxuy/Inter-X, ``visualize/smplx_viewer_tool``.
    """

    format = "inter-x"
    facts = FormatFacts("P1.npz, P2.npz: pose_lhand, pose_rhand", "incl", "120", "liangxuy/Inter-X")
    recording_folder = r"(G\d+)T\d+A\d+R\d+"

    def is_mine(self, members: dict[str, Member]) -> bool:
        return "pose_lhand" in members or "pose_rhand" in members

    def layout(self, path: Path, members: dict[str, Member]) -> Layout:
        parts = []
        for key, part in _KEYS.items():
            if key in members or part.endswith("hand_pose"):
                member, target = needed(path, members, key), COLUMNS[part]
                columns(path, member, target.stop - target.start)
                parts.append(Part(member, slice(None), target))
        return Layout(tuple(parts), "incl", has_body="pose_body" in members, fps=120.0)

    def place(self, path: Path, root: Path) -> Place:
        place = super().place(path, root)
        group = re.fullmatch(self.recording_folder, path.parent.name)
        return replace(place, subject=f"{group[1]}-{path.stem}") if group else place
