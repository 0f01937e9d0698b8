"""The directory of a zip, checked before anything in it is opened: bombs and lies are named in one line."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import IO

from data_tools.readers.reader import UnreadableFile

_LOCAL_HEADER = 30  # bytes of a zip local file header before its name and extra field
_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_END64, _END64_BYTES = b"PK\x06\x06", 56
_MAX_COMMENT = 1 << 16
_MAX_DIRECTORY = 1 << 20  # bytes: some ten thousand names; a recording has a few dozen
_MAX_MEMBERS = 4096
_MAX_EXPANSION = 100  # times the file's size, for what unpacks to more than _MAX_UNPACKED
_MAX_UNPACKED = 1 << 32


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip whose directory is believable.

    Args:
        path: The file.

    Raises:
        UnreadableFile: More members than any recording has, members that lie over one another, that are packed in a
            way that numpy does not write, or that unpack to far more than the file holds.
        zipfile.BadZipFile: Not a zip.
        OSError: It cannot be opened.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        directory = _directory_bytes(stream, size)
    if directory is not None and directory > _MAX_DIRECTORY:
        raise UnreadableFile(
            path, f"its directory has {directory / 2**20:.0f} MiB of names; a zip bomb is not unpacked"
        )
    archive = zipfile.ZipFile(path)
    try:
        _check(path, archive.infolist(), size)
    except BaseException:
        archive.close()
        raise
    return archive


def _check(path: Path, members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > _MAX_MEMBERS:
        raise UnreadableFile(path, f"has {len(members)} members; a recording has a few dozen at most")
    unpacked, end = 0, 0
    for member in sorted(members, key=lambda member: member.header_offset):
        name = ascii(member.filename)[1:-1][:80]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadableFile(path, f"{name} is packed in a way that numpy does not write; save it again with numpy")
        if member.compress_type == zipfile.ZIP_STORED and member.compress_size != member.file_size:
            raise UnreadableFile(path, f"{name} is stored as it is, but in another size than it has; the zip lies")
        if member.header_offset < end:
            raise UnreadableFile(path, f"{name} lies over the member before it; a zip bomb is not unpacked")
        end = member.header_offset + _LOCAL_HEADER + member.compress_size
        unpacked += member.file_size
    if unpacked > max(_MAX_UNPACKED, _MAX_EXPANSION * size):
        raise UnreadableFile(
            path, f"{size / 2**20:.1f} MiB that unpack to {unpacked / 2**30:.0f} GiB; a zip bomb is not unpacked"
        )


def _directory_bytes(stream: IO[bytes], size: int) -> int | None:
    """Length of a zip's directory as its end says; None where there is no end, which :mod:`zipfile` reports."""
    start = max(0, size - _END_BYTES - _MAX_COMMENT - _LOCATOR_BYTES - _END64_BYTES)
    stream.seek(start)
    tail = stream.read()
    end = tail.rfind(_END)
    if end < 0:
        return None
    locator = end - _LOCATOR_BYTES
    record = locator - _END64_BYTES
    if record >= 0 and tail[locator:].startswith(_LOCATOR) and tail[record:].startswith(_END64):
        return int.from_bytes(tail[record + 40 : record + 48], "little")
    return int.from_bytes(tail[end + 12 : end + 16], "little")
