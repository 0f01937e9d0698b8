"""Frame rates as files have them, and frame numbers and time stamps to a clock in frames, so that gaps show."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

log = logging.getLogger(__name__)

FPS_KEYS = ("mocap_frame_rate", "mocap_framerate", "fps", "framerate")
"""Keys under which releases keep their frame rate."""


def usable_rate(path: Path, key: str, value: Any) -> float | None:
    """A frame rate; None, and that is said, where it is not one positive number: the poses are no worse for it."""
    values = np.ravel(value)
    if values.size == 1 and values.dtype.kind in "fiu" and 0 < float(values[0]) < 1e5:
        return float(values[0])
    log.warning("%s: %s left out: expected one positive number, got %.60s", path, key, ascii(value))
    return None


def usual_step(times: Int64[np.ndarray, "frames"]) -> int:
    """The median step forward between frames, in whatever unit the times have; 1 where there is none."""
    steps = np.diff(times)
    forward = steps[steps > 0]
    return int(np.median(forward)) or 1 if len(forward) else 1


def clock_of(times: Int64[np.ndarray, "frames"], step: int) -> Int64[np.ndarray, "frames"]:
    """Count frames of ``step`` each, from 0: neighbours in time are one apart, everything else is a gap.

    A step backward, or one of less than half the usual, is counted as a gap of two: nothing may be compared across it.

    Args:
        times: When each frame was taken, in any unit.
        step: The usual step, in the same unit.
    """
    frames = np.rint(np.diff(times) / step).astype(np.int64)
    return np.concatenate([[0], np.cumsum(np.where(frames < 1, 2, frames))]).astype(np.int64)[: len(times)]
