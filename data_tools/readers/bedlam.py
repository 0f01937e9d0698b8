"""BEDLAM: npz with ``poses`` (frames, 165) and nothing that names its maker."""

from __future__ import annotations

from pathlib import Path

from data_tools.readers.amass_smplx import is_whole_smplx, whole_smplx
from data_tools.readers.beat2 import is_beat2
from data_tools.readers.npz_members import Member
from data_tools.readers.npz_reader import Layout, NpzReader, frame_rate
from data_tools.readers.reader import FormatFacts
from data_tools.sequence import HandMean


class Bedlam(NpzReader):
    """BEDLAM's body motions: columns as ours, mean hand inside.

    They hold no more than ``poses``, ``betas``, ``trans``, ``gender`` and ``mocap_frame_rate``, so every file of
    165 columns that is neither AMASS's nor BEAT2's is read as this. Poses that somebody has copied out of another
    release look the same: without ``betas`` and ``gender`` beside them the convention is "unknown", and the user is
    asked.
    Source: pixelite1201/BEDLAM.
    """

    format = "bedlam"
    facts = FormatFacts("*.npz: poses (frames, 165), betas, gender", "incl", "in the file", "pixelite1201/BEDLAM")

    def is_mine(self, members: dict[str, Member]) -> bool:
        is_amass = "surface_model_type" in members or "pose_hand" in members
        return is_whole_smplx(members) and not is_amass and not is_beat2(members)

    def layout(self, path: Path, members: dict[str, Member]) -> Layout:
        hand_mean: HandMean = "incl" if {"betas", "gender"} <= members.keys() else "unknown"
        return whole_smplx(path, members, hand_mean, frame_rate(path, members))
