"""DexYCB: a folder per recording, its hands as 45 PCA coefficients that look like angles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import Bool, Float32

from data_tools.dataset_notes import FILE_NAME, DatasetNotes, notes_above
from data_tools.hand_pca import decode
from data_tools.pose_layout import HAND_DIM
from data_tools.readers.container import container_of
from data_tools.readers.npz_members import Member, list_members, read_small
from data_tools.readers.reader import FormatFacts, UnreadableFile
from data_tools.readers.whole_file import Recorded, WholeFileReader, pose_of

POSES, META, KEY = "pose.npz", "meta.yml", "pose_m"

_LABELS = re.compile(r"labels_(\d+)\.npz")
_CAMERA = re.compile(r"\d{12}")
_COLUMNS = 3 + HAND_DIM + 3
_SIDES = ("left", "right")
_MOST_META_BYTES = 1 << 16


class DexYcb(WholeFileReader):
    """DexYCB: root (3), 45 MANO PCA coefficients, translation (3) per hand and frame; all zero where there is none.

    A recording is the folder with ``meta.yml``, which says which hand is which. The poses are read from its
    ``pose.npz``, or else from the labels of its first camera, since all cameras see the same hands; a folder of
    labels alone is read with the ``meta.yml`` above it. Without one, ``hand_sides`` in ``handprior.yaml`` says which
    hand it is. Hands are decoded with the model file's components and are relative to the mean hand.
    Source: NVlabs/dex-ycb-toolkit, ``dex_ycb_toolkit/sequence_loader.py``.
    """

    format = "dexycb"
    facts = FormatFacts(
        "folders with meta.yml and pose.npz, or labels_*.npz per frame (PCA 45)", "rel", "30", "NVlabs/dex-ycb-toolkit"
    )
    suffixes = ()
    containers = frozenset({"folder"})
    needs_components = True
    no_motion = (META,)
    subject_folder = r"\d{8}-.+"

    def claims_folder(self, folder: Path, names: Sequence[str]) -> bool:
        cameras = [name for name in names if _CAMERA.fullmatch(name)]
        if META in names and (POSES in names or cameras):
            return True
        if POSES in names and _holds_poses(folder / POSES):
            return True
        if cameras and (folder / cameras[0]).is_dir() and _labels(folder / cameras[0]):
            return True
        return any(_LABELS.fullmatch(name) for name in names)

    def recognises(self, path: Path) -> bool:
        return container_of(path) == "folder" and self.claims_folder(path, [file.name for file in path.iterdir()])

    def read_from(self, path: Path) -> Sequence[Path]:
        notes = notes_above(path)
        metas = [meta for meta in (path / META, path.parent / META) if meta.is_file()] or ([notes] if notes else [])
        if (path / POSES).is_file():
            return [*metas[:1], path / POSES]
        cameras = (folder for folder in sorted(path.iterdir()) if _CAMERA.fullmatch(folder.name))
        labels = _labels(path) or next((found for camera in cameras if (found := _labels(camera))), [])
        return [*metas[:1], *labels]

    def is_mine(self, content: Any) -> bool:
        return isinstance(content, list)

    def contents(self, path: Path) -> list[Path]:
        if not path.is_dir():
            raise UnreadableFile(path, "is one file; a recording of DexYCB is the folder that holds its frames")
        return list(self.read_from(path))

    def recorded(self, path: Path, content: list[Path]) -> Recorded:
        files = [file for file in content if file.name not in (META, FILE_NAME)]
        sides = _hand_sides(path, content[0] if len(files) < len(content) else None)
        rows = _from_one(files[0]) if files and files[0].name == POSES else _from_labels(files)
        if rows.shape[1:] != (len(sides), _COLUMNS):
            raise UnreadableFile(path, f"{KEY} has shape {rows.shape}, expected (frames, {len(sides)}, {_COLUMNS})")
        hands = {side: np.zeros((len(rows), HAND_DIM), np.float32) for side in _SIDES}
        seen: dict[str, Bool[np.ndarray, "frames"]] = {side: np.zeros(len(rows), bool) for side in _SIDES}
        for index, side in enumerate(sides):
            seen[side] = np.asarray(rows[:, index].any(axis=1))
            coefficients = rows[seen[side], index, 3 : 3 + HAND_DIM]
            hands[side][seen[side]] = decode(coefficients, "left" if side == "left" else "right", path)
        numbers = [match[1] for file in files if (match := _LABELS.fullmatch(file.name))]
        return Recorded(
            pose_of(len(rows), left_hand_pose=hands["left"], right_hand_pose=hands["right"]),
            hand_mean="rel",
            has_body=False,
            fps=30.0,
            left_valid=seen["left"],
            right_valid=seen["right"],
            clock=np.array(numbers, np.int64) if numbers else None,
        )


def _labels(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if _LABELS.fullmatch(file.name))


def _holds_poses(file: Path) -> bool:
    try:
        return KEY in list_members(file)
    except UnreadableFile:
        return False


def _member(file: Path) -> Member:
    members = list_members(file)
    if KEY not in members or members[KEY].dtype.kind != "f":
        found = str(members[KEY].dtype) if KEY in members else ", ".join(list(members)[:8]) or "no arrays"
        raise UnreadableFile(file, f"has no {KEY} of floats; found {found}")
    return members[KEY]


def _from_one(file: Path) -> Float32[np.ndarray, "frames hands 51"]:
    return np.asarray(read_small(_member(file)), np.float32)


def _from_labels(files: list[Path]) -> Float32[np.ndarray, "frames hands 51"]:
    rows: list[np.ndarray] = []
    for file in files:
        member = _member(file)
        if (member.shape != rows[0].shape) if rows else (len(member.shape) != 2):
            raise UnreadableFile(file, f"{KEY} has shape {member.shape}, expected (hands, {_COLUMNS})")
        rows.append(np.asarray(read_small(member), np.float32))
    return np.stack(rows) if rows else np.zeros((0, 1, _COLUMNS), np.float32)


def _hand_sides(path: Path, meta: Path | None) -> list[str]:
    if meta is None or meta.name == FILE_NAME:
        return _noted_sides(path, meta)
    try:
        if meta.stat().st_size > _MOST_META_BYTES:
            raise UnreadableFile(meta, f"is larger than {_MOST_META_BYTES} bytes; the release's is a few hundred")
        content = yaml.safe_load(meta.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(meta, f"cannot be read ({' '.join(str(error).split())[:120]})") from error
    sides = content.get("mano_sides") if isinstance(content, dict) else None
    sides = [side for side in sides if isinstance(side, str)] if isinstance(sides, list) else []
    if not sides or not set(sides) <= set(_SIDES) or len(set(sides)) != len(sides):
        found = ", ".join(sides)[:60] or "none"
        raise UnreadableFile(path, f"mano_sides in {META} must be left, right or both, found {found}")
    return sides


def _noted_sides(path: Path, notes: Path | None) -> list[str]:
    place = path.name if notes is None else path.resolve().relative_to(notes.parent.resolve()).as_posix()
    try:
        sides = None if notes is None else DatasetNotes.read(notes.parent).sides(place)
    except ValueError as error:
        raise UnreadableFile(path, str(error)) from error
    if sides is None:
        raise UnreadableFile(
            path,
            f"does not say which hand it shows: put the release's {META} (mano_sides) into it, or write "
            f"`hand_sides: {{{place.split('/')[0]}: right}}` (or left) into {FILE_NAME} in the data folder",
        )
    return list(sides)
