"""SignAvatars: a pickle per clip with ``smplx`` (frames, 182), masks of the hands that were seen, and gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from data_tools.readers.reader import FormatFacts, UnreadableFile
from data_tools.readers.whole_file import Recorded, WholeFileReader, columns_of, pose_of

_COLUMNS = {"smplx": 182, "unsmooth_smplx": 169}
_JAW = slice(156, 159)


class SignAvatars(WholeFileReader):
    """Whole bodies estimated from sign-language videos, hands relative to the mean hand.

    A hand that was not seen is filled in and moves all the same; only ``left_valid`` and ``right_valid`` tell.
    ``total_valid_index`` numbers the frames of the video that were kept. The smoothed ``smplx`` is read, or
    ``unsmooth_smplx`` (frames, 169), which has no jaw, where it is missing. The files hold no frame rate.

    Source: ZhengdiYu/SignAvatars.
    """

    format = "signavatars"
    facts = FormatFacts(
        files="*.pkl of SignAvatars: smplx (frames, 182) or unsmooth_smplx (frames, 169), left_valid, right_valid",
        hand_mean="rel",
        fps="not in the file",
        source="ZhengdiYu/SignAvatars",
    )

    def is_mine(self, content: Any) -> bool:
        widths = [(width,) for width in _COLUMNS.values()]
        return isinstance(content, dict) and any(np.shape(content.get(key, ()))[1:] in widths for key in _COLUMNS)

    def recorded(self, path: Path, content: Any) -> Recorded:
        key = "smplx" if "smplx" in content else "unsmooth_smplx"
        width = np.shape(content[key])[-1]
        values = columns_of(path, content, key, width if width in _COLUMNS.values() else _COLUMNS[key])
        poses = pose_of(
            len(values),
            global_orient=values[:, :3],
            body_pose=values[:, 3:66],
            left_hand_pose=values[:, 66:111],
            right_hand_pose=values[:, 111:156],
            jaw_pose=values[:, _JAW] if width == _COLUMNS["smplx"] else None,
        )
        clock = _clock(path, content, len(values))
        return Recorded(
            poses,
            "rel",
            has_body=True,
            left_valid=_mask(path, content, "left_valid", len(values), clock),
            right_valid=_mask(path, content, "right_valid", len(values), clock),
            clock=clock,
        )


def _clock(path: Path, content: dict[str, Any], frames: int) -> Int64[np.ndarray, "frames"] | None:
    """Numbers of the frames in the video; None where the file has none."""
    if content.get("total_valid_index") is None:
        return None
    index = np.ravel(content["total_valid_index"])
    if index.dtype.kind not in "iu" or len(index) != frames:
        raise UnreadableFile(path, f"total_valid_index holds {index.shape} {index.dtype}, expected {frames} integers")
    return index.astype(np.int64)


def _mask(
    path: Path, content: dict[str, Any], key: str, frames: int, clock: Int64[np.ndarray, "frames"] | None
) -> Bool[np.ndarray, "frames"] | None:
    """Whether a hand was seen in each frame; a mask over the whole video is looked up by the frames' numbers."""
    if content.get(key) is None:
        return None
    mask = np.ravel(content[key])
    if mask.dtype.kind in "biuf":
        mask = mask.astype(bool)
        if len(mask) == frames:
            return mask
        if clock is not None and clock.min() >= 0 and clock.max() < len(mask):
            return mask[clock]
    raise UnreadableFile(path, f"{key} holds {mask.shape} {mask.dtype}, expected one truth value for {frames} frames")
