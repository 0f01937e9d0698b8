"""What a file holds, as plain containers and numpy arrays, whatever wrote it; told from its first bytes.

Pickles of any age, torch and joblib streams, ``.npy`` and ``.npz`` with objects inside. Nothing in a file is run:
pickles go through the allow-list of :mod:`data_tools.restricted_unpickler`. JSON, which is ten times as large in memory
as on disk, is never read whole: :mod:`data_tools.readers.json_stream` streams it.
"""

from __future__ import annotations

import io
import threading
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from data_tools.bounded_unpickler import Allowance
from data_tools.readers import joblib_stream, torch_stream
from data_tools.readers.reader import UnreadableFile
from data_tools.readers.zip_directory import open_zip
from data_tools.restricted_unpickler import load_pickle

MOST_BYTES = 1 << 31
"""Largest file that is read whole, and most that one may expand to: 2 GiB."""

_ZIP, _NPY = b"PK\x03\x04", b"\x93NUMPY"
_COMPRESSED = {b"\x1f\x8b": 31, b"\x78\x01": 15, b"\x78\x5e": 15, b"\x78\x9c": 15, b"\x78\xda": 15}
"""First bytes of gzip and zlib, and the window bits by which zlib reads them."""

_DAMAGE = (NotImplementedError, SyntaxError, tokenize.TokenError, TypeError, OverflowError)
"""What else headers that are no headers raise."""

_last = threading.local()


def file_contents(path: Path) -> Any:
    """Read a small file whole.

    The last file of each thread is kept, so that several readers may look at it for the price of one.

    Args:
        path: The file, or a folder that a reader claims, for which there is nothing to read: None.

    Returns:
        Dictionaries, lists, numbers, texts and numpy arrays.

    Raises:
        UnreadableFile: It is damaged, too large, of no known kind, or asks for code to be run.
    """
    if path.is_dir():
        return None
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableFile(path, f"cannot be opened ({error.strerror})") from error
    key = (str(path), status.st_size, status.st_mtime_ns)
    if getattr(_last, "key", None) != key:
        _last.key, _last.contents, _last.error = key, None, None
        try:
            _last.contents = _read(path, status.st_size)
        except UnreadableFile as error:
            _last.error = error
    if _last.error is not None:
        raise UnreadableFile(path, _last.error.reason)
    return _last.contents


def npz_object(path: Path, key: str) -> Any:
    """Read one member of an ``.npz``, which may be a Python object, and leave the others alone.

    Raises:
        UnreadableFile: As :func:`file_contents`.
    """
    with _explained(path), open_zip(path) as archive:
        return _member(archive, archive.getinfo(f"{key}.npy"))


def _read(path: Path, size: int) -> Any:
    if size == 0:
        raise UnreadableFile(path, "is empty")
    if size > MOST_BYTES:
        raise UnreadableFile(path, f"is {size / 2**30:.1f} GiB, more than is read whole ({MOST_BYTES >> 30} GiB)")
    with _explained(path), path.open("rb") as stream:
        return _read_stream(path, stream)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever a damaged or hostile file raises into one line about it."""
    try:
        yield
    except UnreadableFile:
        raise
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror or error})") from error
    except RecursionError as error:
        raise UnreadableFile(path, "is nested too deeply to be data") from error
    except MemoryError as error:
        raise UnreadableFile(path, "asks for more memory than there is") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, *_DAMAGE) as error:
        reason = " ".join(str(error).split()).removeprefix(f"{path}: ")[:200]
        raise UnreadableFile(path, reason or f"damaged ({type(error).__name__})") from error


def _read_stream(path: Path, stream: IO[bytes]) -> Any:
    head = stream.read(16)
    stream.seek(0)
    if head.startswith(_ZIP):
        with open_zip(path) as archive:
            return torch_stream.load_zip(archive, path) if torch_stream.is_torch_zip(archive) else _npz(archive, path)
    if head.startswith(_NPY):
        return _npy(path, stream)
    if head[:2] in _COMPRESSED:
        return _pickled(path, _expanded(stream, _COMPRESSED[head[:2]]))
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        raise UnreadableFile(path, "is JSON, of no format that is known")
    return _pickled(path, stream.read())


def _pickled(path: Path, content: bytes) -> Any:
    stream = io.BytesIO(content)
    if content.startswith(torch_stream.LEGACY_START):
        return torch_stream.load_legacy(stream, path)
    if joblib_stream.MARK in content:
        return joblib_stream.load_joblib(stream, path)
    return torch_stream.load_pickle_with_tensors(stream, path)


def _expanded(stream: IO[bytes], window_bits: int) -> bytes:
    expander = zlib.decompressobj(window_bits)
    content = expander.decompress(stream.read(), MOST_BYTES)
    if expander.unconsumed_tail or len(content) >= MOST_BYTES:
        raise ValueError(f"expands to more than {MOST_BYTES >> 30} GiB")
    if not expander.eof:
        raise ValueError("ends in the middle of its compressed data")
    return content


def _npy(path: Path | str, stream: IO[bytes], allowance: Allowance | None = None) -> Any:
    """One array; a single object is unwrapped."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, column_major, dtype = read(stream)
    if dtype.hasobject:
        array = np.asarray(load_pickle(stream, allowance), object)
        return array.item() if array.shape == () else array
    if isinstance(path, Path):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    content = stream.read(MOST_BYTES)
    order = "F" if column_major else "C"
    return np.frombuffer(content, dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def _npz(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
    if not members:
        raise UnreadableFile(path, "is a zip that holds no arrays")
    size = sum(info.file_size for info in members)
    if size > MOST_BYTES:
        raise UnreadableFile(path, f"expands to more than {MOST_BYTES >> 30} GiB")
    allowance = Allowance(size)
    return {info.filename.removesuffix(".npy"): _member(archive, info, allowance) for info in members}


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, allowance: Allowance | None = None) -> Any:
    if info.file_size > MOST_BYTES:
        raise ValueError(f"{info.filename} expands to more than {MOST_BYTES >> 30} GiB")
    with archive.open(info) as member:
        return _npy(info.filename, io.BytesIO(member.read()), allowance)
