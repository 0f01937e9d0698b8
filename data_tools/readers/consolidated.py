"""Consolidated files: one NPZ per dataset, hands and body under their own keys, no sequence boundaries."""

from __future__ import annotations

import logging
from pathlib import Path

from data_tools.pose_layout import COLUMNS
from data_tools.readers.npz_members import Member
from data_tools.readers.npz_reader import Layout, NpzReader, Part, columns, frame_rate, needed
from data_tools.readers.reader import FormatFacts, Place

log = logging.getLogger(__name__)

_KEYS = {
    "left_hand_pose": ("lhand_pose", "left_hand_pose"),
    "right_hand_pose": ("rhand_pose", "right_hand_pose"),
    "global_orient": ("global_orient",),
    "body_pose": ("body_pose",),
    "jaw_pose": ("jaw_pose",),
}
"""Keys that hold each part of the pose, the usual one first (keniel123/smplx-pose-priors)."""

_IMAGE_ID_KEYS = ("image_id", "image_ids")


class Consolidated(NpzReader):
    """``NAME.npz`` with ``lhand_pose`` and ``rhand_pose`` (frames, 45), and optionally body, root, jaw, image ids.

    The values are axis-angle in radians. The file does not say whether the mean hand is inside ("unknown"), nor,
    as a rule, its frame rate; ``handprior.yaml`` beside the data can.
    """

    format = "consolidated"
    facts = FormatFacts("NAME.npz: lhand_pose, rhand_pose", "unknown", "not in the file", "keniel123/smplx-pose-priors")
    one_recording_per_file = False

    def is_mine(self, members: dict[str, Member]) -> bool:
        found = [_find(members, part) for part in ("left_hand_pose", "right_hand_pose")]
        # Matrices are of another format.
        return any(found) and not any(
            member and len(member.shape) > 2 and member.shape[-2:] == (3, 3) for member in found
        )

    def layout(self, path: Path, members: dict[str, Member]) -> Layout:
        parts = []
        for part, keys in _KEYS.items():
            member = _find(members, part)
            if member is None:
                if part.endswith("hand_pose"):
                    needed(path, members, keys[0])
                continue
            target = COLUMNS[part]
            columns(path, member, target.stop - target.start)
            parts.append(Part(member, slice(None), target))
        return Layout(
            parts=tuple(parts),
            hand_mean="unknown",
            has_body="body_pose" in members,
            fps=frame_rate(path, members),
            image_id=_image_id(path, members, parts[0].member.shape[0]),
        )

    def place(self, path: Path, root: Path) -> Place:
        place = super().place(path, root)
        return Place(path.stem, path.stem, None) if path.parent == root else place


def _find(members: dict[str, Member], part: str) -> Member | None:
    return next((members[key] for key in _KEYS[part] if key in members), None)


def _image_id(path: Path, members: dict[str, Member], frames: int) -> Member | None:
    """Find the image ids. They only help to find sequences, so unusable ones are left out, and that is said."""
    member = next((members[key] for key in _IMAGE_ID_KEYS if key in members), None)
    if member is None:
        return None
    if member.dtype.kind not in "iuUS" or member.shape not in ((frames,), (frames, 1)):
        kind = "Python objects, which are never unpickled" if member.is_object else f"{member.shape} {member.dtype}"
        log.warning("%s: %s left out: expected %d integers or strings, got %s", path, member.name, frames, kind)
        return None
    return member
