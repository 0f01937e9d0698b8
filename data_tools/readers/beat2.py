"""BEAT2 and EMAGE: npz with ``poses`` (frames, 165), 300 betas and ``expressions``."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from data_tools.readers.amass_smplx import is_whole_smplx, whole_smplx
from data_tools.readers.npz_members import Member
from data_tools.readers.npz_reader import Layout, NpzReader, frame_rate
from data_tools.readers.reader import FormatFacts, Place
from data_tools.sequence import HandMean

_BETAS = (300,)
_SPEAKER = re.compile(r"(\d+_[a-z]+)_\d")


def is_beat2(members: dict[str, Member]) -> bool:
    """Tell BEAT2's arrays from AMASS's and BEDLAM's: a face, the name of a model, or a shape of 300 numbers."""
    if not is_whole_smplx(members) or "surface_model_type" in members or "pose_hand" in members:
        return False
    if "expressions" in members or "model" in members:
        return True
    return "betas" in members and members["betas"].shape[-1:] == _BETAS


class Beat2(NpzReader):
    """BEAT2, and what EMAGE makes: columns as ours, hands relative to the mean hand, as its own renderer shows them.

    The signs contradict each other: ``emage_utils/fast_render.py`` adds the mean hand (smplx's default), but the makers
    say that the poses were fitted with MoSh++ (issue 133), which leaves it inside, and with the mean added to a
    recording no finger in it is ever straight. ``handprior.yaml`` overrides; the audit's pictures show which is right.
    Without ``expressions`` only ``model`` or the number of betas tells these files from others, and the convention is
    "unknown"; without any of the three they are read as :class:`~data_tools.readers.bedlam.Bedlam` says.

    Files are named after their speaker, as in ``2_scott_0_1_1.npz``.
    Source: PantoMatrix/PantoMatrix, ``emage_utils/motion_io.py``.
    """

    format = "beat2"
    facts = FormatFacts(
        "*.npz: poses (frames, 165), betas (300), expressions", "rel", "in the file", "PantoMatrix/PantoMatrix"
    )

    def is_mine(self, members: dict[str, Member]) -> bool:
        return is_beat2(members)

    def place(self, path: Path, root: Path) -> Place:
        place, speaker = super().place(path, root), _SPEAKER.match(path.stem)
        return replace(place, subject=speaker[1]) if speaker else place

    def layout(self, path: Path, members: dict[str, Member]) -> Layout:
        # 300 betas or a model's name are not proof enough to add a mean hand: the user is asked.
        hand_mean: HandMean = "rel" if "expressions" in members else "unknown"
        return whole_smplx(path, members, hand_mean, frame_rate(path, members))
