"""TalkSHOW: ``.npy`` (frames, 265), jaw and eyes before everything else."""

from __future__ import annotations

from data_tools.readers.npy_reader import NpyReader
from data_tools.readers.reader import FormatFacts


class TalkShow(NpyReader):
    """TalkSHOW's results: jaw, eyes, root, body, hands, expression; hands relative to the mean hand, 30 a second."""

    format = "talkshow"
    facts = FormatFacts("*.npy (frames, 265)", "rel", "30", "yhw-yhw/TalkSHOW")
    width = 265
    columns = {  # noqa: RUF012
        "jaw_pose": slice(0, 3),
        "leye_pose": slice(3, 6),
        "reye_pose": slice(6, 9),
        "global_orient": slice(9, 12),
        "body_pose": slice(12, 75),
        "left_hand_pose": slice(75, 120),
        "right_hand_pose": slice(120, 165),
    }
