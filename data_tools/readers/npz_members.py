"""The arrays inside an .npz, header by header and row by row, without loading a file or running anything in it.

``np.load(..., mmap_mode="r")`` maps nothing inside an .npz. Here a *stored* member is mapped at its offset, one
window of rows at a time, and a *deflated* one is streamed, so that memory does not grow with the file. Object
arrays are pickles and are never opened.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tokenize import TokenError
from typing import IO, Literal

import numpy as np
from jaxtyping import Shaped

from data_tools.readers.reader import UnreadableFile
from data_tools.readers.zip_directory import open_zip

_LOCAL_HEADER = 30  # bytes of a zip local file header before its name and extra field
_MAX_HEADER_BYTES = 1 << 16  # of an .npy; numpy itself reads no more than 10,000 characters
_MAX_SMALL_BYTES = 1 << 20
_SKIPPED_BYTES = 1 << 20  # of a stream that is passed over, at a time
_MAX_WHOLE_BYTES = 1 << 29
_MAX_MEMBER_BYTES = 1 << 36  # 64 GiB: 180 million pairs of hands; more in one file is a zip bomb


@dataclass(frozen=True)
class Member:
    """One array of an .npz, known by its header only.

    Attributes:
        path: The .npz.
        name: Its key, without ``.npy``.
        shape: As its header says.
        dtype: As its header says.
        column_major: Whether the array lies in Fortran order.
        data_start: Bytes of header before the data, inside the member.
        offset: Where the data lies in the .npz if the member is stored uncompressed, else None.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    column_major: bool
    data_start: int
    offset: int | None

    @property
    def is_object(self) -> bool:
        """Whether the array holds pickled Python objects, which are never read."""
        return self.dtype.hasobject

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever a damaged zip raises into one line about the file."""
    try:
        yield
    except UnreadableFile:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UnreadableFile(path, f"damaged or incomplete .npz ({error}); copy it again from its source") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UnreadableFile(path, f"cannot be opened ({error.strerror})") from error
    except (OSError, ValueError, TypeError, RuntimeError, SyntaxError, OverflowError, MemoryError, TokenError) as error:
        text = " ".join(str(error).split())[:200]
        raise UnreadableFile(path, f"cannot be read as .npz ({text})") from error


def list_members(path: Path) -> dict[str, Member]:
    """Read the headers of every array in an .npz.

    Args:
        path: The .npz.

    Returns:
        The members by key, in file order.

    Raises:
        UnreadableFile: Not a zip, truncated, or a header that promises more or less than the file holds.
    """
    with _explained(path):
        status = path.stat()
        return _list_members(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)  # every reader that is asked whether a file is its own looks at the same headers
def _list_members(path: Path, size: int, _: int) -> dict[str, Member]:
    with _explained(path), open_zip(path) as archive, path.open("rb") as raw:
        members = (
            _member(path, archive, info, raw, size) for info in archive.infolist() if info.filename.endswith(".npy")
        )
        return {member.name: member for member in members}


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, raw: IO[bytes], size: int) -> Member:
    with archive.open(info) as stream:
        shape, column_major, dtype, data_start = _header(path, info.filename, stream)
    promised = data_start + math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and (promised != info.file_size or any(length < 0 for length in shape)):
        raise UnreadableFile(
            path, f"the header of {info.filename} promises {shape} {dtype}, but the file holds {info.file_size} bytes"
        )
    if promised > _MAX_MEMBER_BYTES:
        raise UnreadableFile(path, f"{info.filename} promises {promised / 2**30:.0f} GiB; a zip bomb is not unpacked")
    offset = None
    if info.compress_type == zipfile.ZIP_STORED:
        raw.seek(info.header_offset)
        local = raw.read(_LOCAL_HEADER)
        name_bytes, extra_bytes = int.from_bytes(local[26:28], "little"), int.from_bytes(local[28:30], "little")
        offset = info.header_offset + _LOCAL_HEADER + name_bytes + extra_bytes + data_start
        if offset + info.file_size - data_start > size:
            raise UnreadableFile(path, f"{info.filename} ends beyond the end of the file: it is truncated")
    return Member(path, info.filename.removesuffix(".npy"), tuple(shape), dtype, bool(column_major), data_start, offset)


def _header(
    path: Path, name: str, stream: IO[bytes] | zipfile.ZipExtFile
) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Read the header of an .npy: shape, whether column-major, type, and where the data begin."""
    head = stream.read(12)
    version = np.lib.format.read_magic(io.BytesIO(head))
    if version == (1, 0):
        length, start, read = int.from_bytes(head[8:10], "little"), 10, np.lib.format.read_array_header_1_0
    elif version == (2, 0):
        length, start, read = int.from_bytes(head[8:12], "little"), 12, np.lib.format.read_array_header_2_0
    else:
        raise UnreadableFile(path, f"{name} is in .npy format {version}, expected 1.0 or 2.0")
    if length > _MAX_HEADER_BYTES:
        raise UnreadableFile(path, f"{name} has a header of {length} bytes; that of an array has a few hundred")
    text = io.BytesIO(head[8:] + stream.read(start + length - len(head)))
    shape, column_major, dtype = read(text)
    if not dtype.itemsize and math.prod(shape) > _MAX_SMALL_BYTES:
        raise UnreadableFile(path, f"the header of {name} promises {shape} of nothing; it lies")
    return shape, column_major, dtype, start + length


def read_small(member: Member) -> Shaped[np.ndarray, "..."]:
    """Read a whole small array, such as a frame rate or a gender; refuses objects and anything above 1 MiB."""
    if member.is_object:
        raise UnreadableFile(member.path, f"{member.name} holds Python objects, which are never unpickled")
    if member.bytes > _MAX_SMALL_BYTES:
        raise UnreadableFile(member.path, f"{member.name} is {member.bytes} bytes, expected a small array")
    with RowStream(member, whole=True) as rows:
        return rows.everything()


class RowStream:
    """Reads an array's rows from first to last, a window at a time; a context manager.

    Args:
        member: The array; its first axis is the rows.
        whole: Read the array as one block instead of by rows (scalars, column-major data).

    Raises:
        UnreadableFile: Objects, or damage found on the way.
    """

    def __init__(self, member: Member, *, whole: bool = False) -> None:
        if member.is_object:
            raise UnreadableFile(member.path, f"{member.name} holds Python objects, which are never unpickled")
        self.member = member
        self.position = 0
        self._whole = whole
        self._archive: zipfile.ZipFile | None = None
        self._block: np.ndarray | None = None

    def __enter__(self) -> RowStream:
        with _explained(self.member.path):
            if self.member.offset is None:
                self._archive = open_zip(self.member.path)
                self._file: IO[bytes] = self._archive.open(f"{self.member.name}.npy")
                self._exactly(self.member.data_start)
            else:
                self._file = self.member.path.open("rb")
        if self.member.column_major and len(self.member.shape) > 1 and not self._whole:
            self._block = self.everything()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._archive is not None:
            self._archive.close()

    def read(self, rows: int) -> Shaped[np.ndarray, "rows ..."]:
        """Return the next rows. The array may be a read-only map of the file: copy what you keep."""
        rows = min(rows, self.member.shape[0] - self.position)
        start, self.position = self.position, self.position + rows
        if self._block is not None:
            return self._block[start : start + rows]
        shape = (rows, *self.member.shape[1:])
        if rows == 0 or self.member.row_bytes == 0:
            return np.empty(shape, self.member.dtype)
        with _explained(self.member.path):
            if self.member.offset is not None:
                offset = self.member.offset + start * self.member.row_bytes
                return np.asarray(np.memmap(self._file, self.member.dtype, "r", offset, shape))
            return np.frombuffer(self._exactly(rows * self.member.row_bytes), self.member.dtype).reshape(shape)

    def skip(self, rows: int) -> None:
        """Pass over the next rows; free of charge where the member is stored."""
        rows = min(rows, self.member.shape[0] - self.position)
        if self.member.offset is None and self._block is None:
            left = rows * self.member.row_bytes
            with _explained(self.member.path):
                while left:
                    left -= len(self._exactly(min(left, _SKIPPED_BYTES)))
        self.position += rows

    def everything(self) -> Shaped[np.ndarray, "..."]:
        """Return the whole array as one block."""
        member = self.member
        order: Literal["F", "C"] = "F" if member.column_major else "C"
        with _explained(member.path):
            if member.bytes == 0:
                return np.empty(member.shape, member.dtype)
            if member.offset is not None:
                return np.asarray(np.memmap(member.path, member.dtype, "r", member.offset, member.shape, order))
            if member.bytes > _MAX_WHOLE_BYTES:
                raise UnreadableFile(
                    member.path, f"{member.name} is compressed column by column; save it again in C order"
                )
            return np.frombuffer(self._exactly(member.bytes), member.dtype).reshape(member.shape, order=order)

    def _exactly(self, count: int) -> bytearray:
        """Read ``count`` bytes of the stream, or say that it ended early."""
        buffer = bytearray(count)
        view, filled = memoryview(buffer), 0
        while filled < count:
            got = self._file.readinto(view[filled:])  # type: ignore[attr-defined]
            if not got:
                raise EOFError(f"{self.member.name} ends {count - filled} bytes early")
            filled += got
        return buffer
