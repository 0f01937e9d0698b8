"""Readers: one file per on-disk format. The format is recognised from a file's content, not from its name."""

from __future__ import annotations

from pathlib import Path

from data_tools.readers.amass_smplh import AmassSmplh
from data_tools.readers.amass_smplx import AmassSmplx
from data_tools.readers.consolidated import Consolidated
from data_tools.readers.npz_members import list_members
from data_tools.readers.reader import Reader, UnreadableFile

__all__ = ["READERS", "Reader", "UnreadableFile", "reader_for", "reader_named"]

READERS: tuple[Reader, ...] = (Consolidated(), AmassSmplh(), AmassSmplx())
"""Every known format, in the order in which they are tried."""


def reader_named(format: str) -> Reader:
    """Return the reader of a format by its name.

    Raises:
        ValueError: No such format.
    """
    for reader in READERS:
        if reader.format == format:
            return reader
    raise ValueError(f"unknown format {format!r}; expected one of {', '.join(reader.format for reader in READERS)}")


def reader_for(path: Path, format: str | None = None) -> Reader:
    """Find the reader of a file.

    Args:
        path: The file.
        format: Use this format instead of looking.

    Raises:
        UnreadableFile: The file is damaged, or of no known format.
        ValueError: ``format`` is not one.
    """
    if format is not None:
        return reader_named(format)
    for reader in READERS:
        if reader.recognises(path):
            return reader
    raise UnreadableFile(path, _why_unknown(path))


def _why_unknown(path: Path) -> str:
    members = list_members(path)
    if "poses" in members:
        poses = members["poses"]
        if poses.is_object:
            return "poses holds Python objects, which are never unpickled"
        return f"poses has shape {poses.shape}, expected (frames, 156) for SMPL-H or (frames, 165) for SMPL-X"
    keys = ", ".join(list(members)[:8]) or "no arrays"
    return f"holds no hand pose: expected lhand_pose and rhand_pose, or AMASS's poses; found {keys}"
