"""What to say of a file that no reader takes: what was found in it."""

from __future__ import annotations

from pathlib import Path

from data_tools.readers.container import container_of
from data_tools.readers.contents import file_contents
from data_tools.readers.json_stream import outline
from data_tools.readers.npy_reader import npy_member
from data_tools.readers.npz_members import list_members
from data_tools.readers.whole_file import describe

_NO_HANDS = "holds no hand pose in a known format"


def why_unknown(path: Path) -> str:
    """Say in one line why a file is of no known format.

    Raises:
        UnreadableFile: It is damaged, which is the reason then.
    """
    kind = container_of(path)
    if kind in ("npz", "npz of objects") or (path.suffix.lower() == ".npz" and kind in ("pickle", "nothing")):
        return _why_npz(path)
    if kind == "npy":
        array = npy_member(path)
        return f"{_NO_HANDS}; found an array of shape {array.shape} {array.dtype}"
    if kind == "folder":
        return "is a folder that is no recording; scan it as a data folder"
    if kind == "json":
        keys = list(dict.fromkeys(key[0] for key in outline(path)))
        return f"{_NO_HANDS}; found JSON " + (f"with the keys {_short(keys)}" if keys else "without keys")
    return f"{_NO_HANDS}; {describe(file_contents(path))}"


def _why_npz(path: Path) -> str:
    members = list_members(path)
    if "poses" in members:
        poses = members["poses"]
        if poses.is_object:
            return "poses holds Python objects, which are never unpickled"
        return f"poses has shape {poses.shape}, expected (frames, 156) for SMPL-H or (frames, 165) for SMPL-X"
    found = _short(list(members)) or "no arrays"
    return f"holds no hand pose: expected lhand_pose and rhand_pose, or AMASS's poses; found {found}"


def _short(keys: list[str]) -> str:
    return ", ".join(key[:40] for key in keys[:8])
