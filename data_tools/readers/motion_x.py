"""Motion-X and IDEA400: ``.npy`` (frames, 322), the jaw after the hands."""

from __future__ import annotations

from data_tools.readers.npy_reader import NpyReader
from data_tools.readers.reader import FormatFacts


class MotionX(NpyReader):
    """Motion-X: root, body, hands, jaw, expression, face shape, translation, betas; no eyes.

    Its public loaders contradict each other about the mean hand, so it is "unknown" until the user says. The frame
    rate stands in no file; the release is at 30.
    """

    format = "motion-x"
    facts = FormatFacts("*.npy (frames, 322)", "unknown", "30", "IDEA-Research/Motion-X")
    width = 322
    columns = {  # noqa: RUF012
        "global_orient": slice(0, 3),
        "body_pose": slice(3, 66),
        "left_hand_pose": slice(66, 111),
        "right_hand_pose": slice(111, 156),
        "jaw_pose": slice(156, 159),
    }
