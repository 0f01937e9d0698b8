"""PoseSequence: what every reader returns, whatever the file looked like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from data_tools.pose_layout import HANDS_COLUMNS, HANDS_DIM, POSE_DIM

HandMean = Literal["incl", "rel", "unknown"]
"""Whether the mean hand is inside the hand values (``incl``), has to be added (``rel``), or nobody said."""


@dataclass(frozen=True, eq=False)
class PoseSequence:
    """A run of consecutive frames read from one file: values as the file has them, columns as we order them.

    Nothing is corrected here: angles may exceed pi, a ``rel`` hand lacks its mean, a frame may hold NaN. The
    audit judges, :mod:`data_tools.hand_mean` and :mod:`data_tools.rotations` convert.

    Attributes:
        dataset: Name of the source, e.g. ``GRAB``.
        name: Name of this sequence, unique inside its dataset.
        path: File it was read from.
        poses: (frames, 165) axis-angle in radians, SMPL-X order; parts the file lacks are zero. (frames, 90), the last
            columns of these, where the hands alone were asked for.
        frame_index: (frames,) number of each frame in the file, ascending.
        hand_mean: Mean-hand convention of the two hands.
        has_body: Whether the file holds a body pose, or hands only.
        fps: Frames per second, or None where the file does not say.
        subject: Who moved, where known.
        left_valid: (frames,) False where the source itself marks the left hand as not observed; None if it never does.
        right_valid: As ``left_valid``.
        image_id: (frames,) integers or strings that name the picture each frame came from, where present.
        clock: (frames,) when each frame was taken, in frames of the recording; a step other than one is a gap, across
            which nothing is compared. None where no frame is missing.
        recording: (frames,) which recording inside the file each frame belongs to, in a file that holds several and
            says so; a change starts a new sequence of that name. None in all other files.
    """

    dataset: str
    name: str
    path: str
    poses: Float32[np.ndarray, "frames columns"]
    frame_index: Int64[np.ndarray, "frames"]
    hand_mean: HandMean = "unknown"
    has_body: bool = True
    fps: float | None = None
    subject: str | None = None
    left_valid: Bool[np.ndarray, "frames"] | None = None
    right_valid: Bool[np.ndarray, "frames"] | None = None
    image_id: Shaped[np.ndarray, "frames"] | None = None
    clock: Int64[np.ndarray, "frames"] | None = None
    recording: Shaped[np.ndarray, "frames"] | None = None

    def __post_init__(self) -> None:
        if self.poses.ndim != 2 or self.poses.shape[1] not in (POSE_DIM, HANDS_DIM):
            raise ValueError(f"{self.path}: poses must be (frames, 165) or (frames, 90), got {self.poses.shape}")
        if self.hand_mean not in get_args(HandMean):
            raise ValueError(f"{self.path}: hand_mean must be one of {get_args(HandMean)}, got {self.hand_mean!r}")
        for field in ("frame_index", "left_valid", "right_valid", "image_id", "clock", "recording"):
            value = getattr(self, field)
            if value is not None and len(value) != len(self.poses):
                raise ValueError(f"{self.path}: {field} has {len(value)} entries for {len(self.poses)} frames")

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def hands(self) -> Float32[np.ndarray, "frames 90"]:
        """Both hands, left first: a view of ``poses``."""
        return self.poses if self.poses.shape[1] == HANDS_DIM else self.poses[:, HANDS_COLUMNS]
