"""HO-3D: a folder of pickles, one per frame, with the right hand of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.readers.contents import file_contents
from data_tools.readers.reader import FormatFacts, Place, UnreadableFile
from data_tools.readers.whole_file import Recorded, WholeFileReader, pose_of

_FRAME = re.compile(r"(\d+)\.pkl")
_KEY = "handPose"
_MARKS = frozenset({_KEY, "rightHandPose", "handJoints3D", "rightHandJoints3D"})
"""Keys of which every frame has one; the evaluation split has the wrist's place (``Joints3D``) and no pose."""


class Ho3d(WholeFileReader):
    """One sequence is the folder ``meta`` of a recording; ``handPose`` (48) is the wrist and 45 with the mean inside.

    HO-3D has right hands only. Frames without an annotation (None) are marked as not seen. H2O-3D, which has both
    hands, keeps them under ``rightHandPose`` and ``leftHandPose``; ``poseValidRight`` and ``poseValidLeft`` (48) say
    which of their numbers are good, and a hand with a joint that is not is marked as not seen.

    Source: shreyashampali/ho3d, ``vis_HO3D.py``; thehumanco/multiview_wilor, ``reformat_h2o3d.py`` on the flags.
    """

    format = "ho3d"
    facts = FormatFacts(
        files="folders meta/0000.pkl of HO-3D: handPose (48), right hands",
        hand_mean="incl",
        fps="not in the files",
        source="shreyashampali/ho3d",
    )
    suffixes = ()
    containers = frozenset({"folder"})

    def claims_folder(self, folder: Path, names: Sequence[str]) -> bool:
        first = next((name for name in sorted(names) if _FRAME.fullmatch(name)), None)
        if first is None or folder.name != "meta":
            return False
        try:
            content = file_contents(folder / first)
        except UnreadableFile:
            return False
        return isinstance(content, dict) and bool(_MARKS & set(content))

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and self.claims_folder(path, [file.name for file in path.iterdir()])

    def read_from(self, path: Path) -> Sequence[Path]:
        return sorted(file for file in path.iterdir() if _FRAME.fullmatch(file.name))

    def place(self, path: Path, root: Path) -> Place:
        recording = path.parent
        if recording == root:
            return Place(root.resolve().name or "data", "meta", None)
        return super().place(recording, root)

    def contents(self, path: Path) -> Any:
        if not path.is_dir():
            raise UnreadableFile(path, "is a file; a recording of HO-3D is the folder that holds its frames")
        return {file: file_contents(file) for file in self.read_from(path)}

    def is_mine(self, content: Any) -> bool:
        return isinstance(content, dict) and bool(content)

    def recorded(self, path: Path, content: Any) -> Recorded:
        hands = {side: np.zeros((len(content), 45), np.float32) for side in ("left", "right")}
        seen = {side: np.zeros(len(content), bool) for side in ("left", "right")}
        for row, (file, frame) in enumerate(content.items()):
            for side, key in (("left", "leftHandPose"), ("right", "rightHandPose"), ("right", _KEY)):
                values = frame.get(key) if isinstance(frame, dict) else None
                if values is None or not np.size(values) or np.asarray(values).dtype.hasobject:
                    continue
                if np.size(values) != 48:
                    raise UnreadableFile(file, f"{key} holds {np.shape(values)} numbers, expected 48")
                hands[side][row], seen[side][row] = np.ravel(values)[3:], _is_good(file, frame, side)
        if not (seen["left"] | seen["right"]).any():
            raise UnreadableFile(path, "holds no hand poses; those of its evaluation split HO-3D keeps to itself")
        numbers = [int(_FRAME.fullmatch(file.name)[1]) for file in content]  # type: ignore[index]
        return Recorded(
            pose_of(len(content), left_hand_pose=hands["left"], right_hand_pose=hands["right"]),
            "incl",
            has_body=False,
            left_valid=seen["left"],
            right_valid=seen["right"],
            clock=np.array(numbers, np.int64),
        )


def _is_good(file: Path, frame: dict[str, Any], side: str) -> bool:
    """Whether all joints of a hand are said to be good, or nothing is said."""
    key = f"poseValid{side.capitalize()}"
    if frame.get(key) is None:
        return True
    if np.size(frame[key]) != 48:
        raise UnreadableFile(file, f"{key} holds {np.shape(frame[key])} flags, expected 48")
    return bool(np.all(np.ravel(frame[key])[3:]))
