"""GRAB: an NPZ per sequence whose values are Python objects, with the hands fitted in MANO and in SMPL-X."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data_tools.readers.contents import npz_object
from data_tools.readers.npz_members import list_members, read_small
from data_tools.readers.reader import FormatFacts, UnreadableFile
from data_tools.readers.whole_file import Recorded, WholeFileReader, columns_of, pose_of

_BODY = {"global_orient": 3, "body_pose": 63, "jaw_pose": 3, "leye_pose": 3, "reye_pose": 3}
_FPS = 120.0


class Grab(WholeFileReader):
    """Whole bodies grasping objects. The hands are read from MANO's ``fullpose`` (45), which has the mean inside.

    The SMPL-X body's own hands are PCA coefficients relative to the mean; they are not used.

    Source: otaheri/GRAB; its issue 12 on the two conventions.
    """

    format = "grab"
    facts = FormatFacts(
        files="sN/*.npz of GRAB: objects lhand, rhand with params.fullpose (frames, 45), and body",
        hand_mean="incl",
        fps="in the file (120)",
        source="otaheri/GRAB",
    )
    suffixes = (".npz",)
    containers = frozenset({"npz of objects"})

    def is_mine(self, content: Any) -> bool:
        return isinstance(content, dict) and {"lhand", "rhand"} <= set(content)

    def contents(self, path: Path) -> Any:
        """Read the hands, the body and the rate; the contact maps beside them are large and not for us."""
        members = list_members(path)
        if not {"lhand", "rhand"} <= set(members):
            return dict.fromkeys(members)
        content: dict[str, Any] = {key: npz_object(path, key) for key in ("lhand", "rhand", "body") if key in members}
        for key in ("framerate", "sbj_id"):
            if key in members:
                is_object = members[key].is_object
                content[key] = npz_object(path, key) if is_object else read_small(members[key])
        return content

    def recorded(self, path: Path, content: Any) -> Recorded:
        hands = {side: _params(path, content, f"{side[0]}hand") for side in ("left", "right")}
        left, right = (columns_of(path, hands[side], "fullpose", 45) for side in ("left", "right"))
        if len(left) != len(right):
            raise UnreadableFile(path, f"the left hand has {len(left)} frames, the right {len(right)}")
        frames = len(left)
        body = _params(path, content, "body") if content.get("body") is not None else {}
        parts = {key: columns_of(path, body, key, width, frames=frames) for key, width in _BODY.items() if key in body}
        rate = np.ravel(content.get("framerate", _FPS))
        fps = float(rate[0]) if rate.size == 1 and rate.dtype.kind in "fiu" and rate[0] > 0 else _FPS
        return Recorded(
            pose_of(len(left), left_hand_pose=left, right_hand_pose=right, **parts),
            "incl",
            has_body="body_pose" in parts,
            fps=fps,
            subject=str(np.ravel(content["sbj_id"])[0]) if "sbj_id" in content else None,
        )


def _params(path: Path, content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content[key]
    params = value.get("params") if isinstance(value, dict) else None
    if not isinstance(params, dict):
        raise UnreadableFile(path, f"{key} holds no params; expected GRAB's objects with params.fullpose")
    return params
