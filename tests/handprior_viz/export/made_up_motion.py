"""A motion for the tests: from a flat hand to a fist, the two hands not alike."""

from __future__ import annotations

import numpy as np

from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand


def motion(frames: int) -> np.ndarray:
    """Poses (frames, 90), axis-angle in radians, mean hand included; one frame is the end of the motion."""
    fist, spread = (np.asarray(named_poses()[name], np.float32) for name in ("fist", "spread"))
    end = np.concatenate([fist, 0.4 * mirror_hand(fist) + mirror_hand(spread)])
    return (np.linspace(0, 1, frames)[:, None] * end if frames > 1 else end[None]).astype(np.float32)
