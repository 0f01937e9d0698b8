"""UBody: one JSON of SMPL-X poses per scene, by annotation, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_tools.pose_layout import COLUMNS, POSE_DIM
from data_tools.readers.container import container_of
from data_tools.readers.json_stream import listed, members, numbers, outline
from data_tools.readers.reader import FormatFacts, UnreadableFile
from data_tools.readers.streamed_reader import PIECE_FRAMES, StreamedReader
from data_tools.readers.whole_file import Recorded

KEYPOINTS = "keypoint_annotation.json"

_KEYS = {
    "lhand_pose": "left_hand_pose",
    "rhand_pose": "right_hand_pose",
    "root_pose": "global_orient",
    "body_pose": "body_pose",
    "jaw_pose": "jaw_pose",
}


class Seen(NamedTuple):
    """What the other file says of an annotation: whether it is a good one, which hands were seen, in which picture."""

    is_good: bool
    hands: tuple[bool, bool]
    picture: str


_UNSEEN = Seen(False, (False, False), "")


class UBody(StreamedReader):
    """UBody's ``smplx_annotation.json``: annotation -> smplx_param -> lhand_pose, rhand_pose, body_pose ...

    Hands are relative to the mean hand. A missing hand is stored as zeros or not at all; which hands were seen, which
    annotations are no good (``valid_label`` 0), and the pictures by which takes are told apart, stand in
    ``keypoint_annotation.json`` beside it. Source: IDEA-Research/OSX, ``data/UBody/UBody.py`` and
    ``common/utils/preprocessing.py``.
    """

    format = "ubody"
    facts = FormatFacts("smplx_annotation.json", "rel", "not in the file", "IDEA-Research/OSX")
    suffixes = (".json",)
    containers = frozenset({"json"})
    one_recording_per_file = False
    no_motion = (KEYPOINTS,)
    sidecars = (KEYPOINTS,)

    def recognises(self, path: Path) -> bool:
        return container_of(path) in self.containers and any(key[1:] == ("smplx_param",) for key in outline(path))

    def pieces(self, path: Path) -> Iterator[Recorded]:
        seen = _seen(path.with_name(KEYPOINTS))
        names: list[str] = []
        entries: list[dict[str, Any]] = []
        for (name,), entry in members(path, depth=1):
            params = entry.get("smplx_param") if isinstance(entry, dict) else None
            if not isinstance(params, dict):
                raise UnreadableFile(path, f"annotation {name[:20]} has no smplx_param")
            names.append(name)
            entries.append(params)
            if len(names) == PIECE_FRAMES:
                yield _recorded(path, names, entries, seen)
                names, entries = [], []
        if names:
            yield _recorded(path, names, entries, seen)


def _recorded(path: Path, names: list[str], entries: list[dict[str, Any]], seen: dict[str, Seen] | None) -> Recorded:
    poses = np.zeros((len(names), POSE_DIM), np.float32)
    for row, (name, params) in enumerate(zip(names, entries, strict=True)):
        for key, part in _KEYS.items():
            if params.get(key) is not None:
                columns = COLUMNS[part]
                values = numbers(params[key], columns.stop - columns.start)
                if values is None:
                    expected = columns.stop - columns.start
                    raise UnreadableFile(path, f"{key} of annotation {name[:20]} is not {expected} numbers")
                poses[row, columns] = values
    valid = {}
    for index, (side, key) in enumerate((("left", "lhand_valid"), ("right", "rhand_valid"))):
        stored = poses[:, COLUMNS[f"{side}_hand_pose"]].any(axis=1)
        flags = [_flag(params.get(key), name, index, seen) for name, params in zip(names, entries, strict=True)]
        valid[side] = stored & np.array(flags, bool)
    pictures = None if seen is None else np.array([seen.get(name, _UNSEEN).picture for name in names])
    return Recorded(poses, "rel", True, left_valid=valid["left"], right_valid=valid["right"], image_id=pictures)


def _flag(own: Any, name: str, index: int, seen: dict[str, Seen] | None) -> bool:
    """Whether a hand was seen: the annotation's own word, or the other file's, or yes where nobody says."""
    if seen is None:
        return own is None or bool(own)
    said = seen.get(name, _UNSEEN)
    return said.is_good and bool(said.hands[index] if own is None else own)


def _seen(path: Path) -> dict[str, Seen] | None:
    """Read what a COCO-like annotation file says about each annotation; None if there is none."""
    if not path.is_file():
        return None
    pictures = {image["id"]: str(image["file_name"]) for image in _dicts(path, "images", "id", "file_name")}
    return {
        str(entry["id"]): Seen(
            bool(entry.get("valid_label", True)),
            (bool(entry.get("lefthand_valid", True)), bool(entry.get("righthand_valid", True))),
            pictures.get(entry.get("image_id"), ""),
        )
        for entry in _dicts(path, "annotations", "id")
    }


def _dicts(path: Path, key: str, *needed: str) -> Iterator[dict[str, Any]]:
    for entry in listed(path, key):
        if not isinstance(entry, dict) or any(name not in entry for name in needed):
            raise UnreadableFile(path, f"an entry of {key} has no {' or '.join(needed)}")
        yield entry
