"""What kind of file a file is, from its first bytes: so that a reader opens only what can be of its format."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Literal

from data_tools.readers.npz_members import list_members
from data_tools.readers.reader import UnreadableFile
from data_tools.readers.zip_directory import open_zip

Container = Literal["npz", "npz of objects", "torch", "npy", "npy of objects", "json", "pickle", "folder", "nothing"]

KINDS: dict[str, str] = {
    "npz": "an .npz of plain arrays",
    "npz of objects": "an .npz with Python objects",
    "torch": "a zip written by torch",
    "npy": "a .npy of numbers",
    "npy of objects": "a .npy of Python objects",
    "json": "JSON",
    "pickle": "a pickle",
    "folder": "a folder of files",
    "nothing": "empty, or cannot be opened",
}
"""Containers in words. What is none of the others counts as a pickle, until it turns out not to be one."""

_ZIP, _NPY, _TORCH = b"PK\x03\x04", b"\x93NUMPY", b"/data.pkl"


def container_of(path: Path) -> Container:
    """Tell the kind of a file by its first bytes, or its directory where it is a zip, whatever its name ends in.

    Args:
        path: A file or folder.

    Returns:
        ``"npz"`` for a zip of plain arrays, ``"npz of objects"`` where one is pickled; ``"torch"`` for its zip;
        ``"npy"`` and ``"npy of objects"``; ``"json"`` for what begins like it; ``"pickle"`` for everything else, which
        includes compressed pickles and torch's legacy stream; ``"nothing"`` for what is empty or cannot be opened.
    """
    try:
        status = path.stat()
    except OSError:
        return "nothing"
    if path.is_dir():
        return "folder"
    return _container(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _container(path: Path, size: int, _: int) -> Container:
    try:
        with path.open("rb") as stream:
            head = stream.read(256)
    except OSError:
        return "nothing"
    if head.startswith(_ZIP):
        return _zip(path, head)
    if head.startswith(_NPY):
        return "npy of objects" if b"'|O'" in head else "npy"
    if not head:
        return "nothing"
    return "json" if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") else "pickle"


def _zip(path: Path, head: bytes) -> Container:
    try:
        if _TORCH in head:  # it begins with that member
            with open_zip(path) as archive:
                if any(name.endswith(_TORCH.decode()) for name in archive.namelist()):
                    return "torch"
        members = list_members(path)
    except (UnreadableFile, zipfile.BadZipFile, OSError):
        return "npz"  # damaged, which its reader says better
    return "npz of objects" if any(member.is_object for member in members.values()) else "npz"
