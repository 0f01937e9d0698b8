"""The common part of readers of .npy files that hold one wide array of poses: mapped, a window of rows at a time."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tokenize import TokenError
from typing import ClassVar

import numpy as np

from data_tools.pose_layout import COLUMNS
from data_tools.readers.npz_members import Member
from data_tools.readers.npz_reader import Layout, NpzReader, Part, needed
from data_tools.readers.reader import UnreadableFile

_ARRAY = "the array"
_MOST_HEADER_BYTES = 1 << 16


class NpyReader(NpzReader):
    """Base of the readers of one (frames, columns) array with a body: subclasses say which columns hold what.

    Attributes:
        width: Columns of the array.
        columns: Where each part of the pose stands, by its name in :data:`data_tools.pose_layout.COLUMNS`.
        fps: Frame rate of the release, which the files do not hold.
    """

    suffixes = (".npy",)
    containers = frozenset({"npy"})
    width: ClassVar[int]
    columns: ClassVar[dict[str, slice]]
    fps: ClassVar[float] = 30.0

    def members(self, path: Path) -> dict[str, Member]:
        return {_ARRAY: npy_member(path)}

    def is_mine(self, members: dict[str, Member]) -> bool:
        return members[_ARRAY].shape[1:] == (self.width,)

    def layout(self, path: Path, members: dict[str, Member]) -> Layout:
        array = needed(path, members, _ARRAY)
        if array.shape[1:] != (self.width,) or array.is_object:
            raise UnreadableFile(path, f"has shape {array.shape} {array.dtype}, expected (frames, {self.width}) floats")
        parts = tuple(Part(array, source, COLUMNS[part]) for part, source in self.columns.items())
        return Layout(parts, self.facts.hand_mean, has_body=True, fps=self.fps)


def npy_member(path: Path) -> Member:
    """Read the header of an .npy.

    Raises:
        UnreadableFile: It is damaged, or promises more or less than the file holds.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableFile(path, f"cannot be opened ({error.strerror})") from error
    return _header(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _header(path: Path, size: int, _: int) -> Member:
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0) and int.from_bytes(stream.read(4), "little") > _MOST_HEADER_BYTES:
                raise UnreadableFile(path, "has a header that is no array's; it lies")
            stream.seek(np.lib.format.MAGIC_LEN)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, column_major, dtype = read(stream)
            start = stream.tell()
    except UnreadableFile:
        raise
    except OSError as error:
        raise UnreadableFile(path, f"cannot be opened ({error.strerror})") from error
    except (ValueError, TypeError, SyntaxError, TokenError, EOFError, OverflowError) as error:
        raise UnreadableFile(path, f"cannot be read as .npy ({' '.join(str(error).split())[:200]})") from error
    member = Member(path, _ARRAY, tuple(shape), dtype, bool(column_major), start, start)
    if not dtype.hasobject and (member.bytes != size - start or any(length < 0 for length in shape)):
        raise UnreadableFile(path, f"its header promises {shape} {dtype}, but it holds {size - start} bytes of data")
    return member
