"""Folders that are either complete or not there: written beside, then renamed."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TURNS = 3
_DIGITS = 20  # of a time in nanoseconds


@contextmanager
def whole_folder(out: Path, marker: str) -> Iterator[Path]:
    """Give a new folder to write into, which takes the place of ``out`` if all goes well and vanishes if not.

    Args:
        out: Where the folder shall be. What lies there is replaced if it is of the same kind.
        marker: A file that every folder of this kind holds.

    Raises:
        FileExistsError: Something else lies there.
        OSError: The disk is full, or may not be written; nothing is left behind.
    """
    out = Path(os.path.abspath(out))
    check_place(out, marker)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        beside.chmod(0o777 & ~_umask())
        yield beside
        put_in_place(beside, out)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, f"{out}: not written, nothing was changed ({error.strerror})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def holds(folder: Path | str, marker: str) -> bool:
    """Tell whether a whole folder of this kind lies here; one that a kill left hidden is brought back first."""
    bring_back(folder)
    return (Path(folder) / marker).is_file()


def check_place(out: Path, marker: str) -> None:
    """Refuse to write where something of another kind lies; see :func:`whole_folder`."""
    if not holds(out, marker) and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"{out}: exists and holds no {marker}; give another place, or remove it first")


def put_in_place(beside: Path, out: Path) -> None:
    """Let a whole folder take the place of ``out``, on the same disk; what lay there goes.

    What lay there is hidden for a moment: whoever is killed then leaves it to :func:`bring_back`.
    """
    for turns_left in reversed(range(_TURNS)):
        with suppress(FileNotFoundError):
            os.rename(out, out.with_name(f"{_hidden(out)}{time.time_ns():0{_DIGITS}d}"))
        try:
            os.rename(beside, out)
            break
        except OSError as error:
            bring_back(out)
            # Not empty: whoever looked for it at that moment has brought back what lay there.
            if not turns_left or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    # Moved away before it is deleted, so that what is brought back is never half of a folder.
    for old in _hidden_ones(out):
        with suppress(OSError):
            os.rename(old, beside)
        shutil.rmtree(beside, ignore_errors=True)


def bring_back(out: Path | str) -> None:
    """Give a folder its place again that is missing because a process was killed while it put another there.

    Call it before a folder of this kind is opened. Where nothing is hidden, or the disk may not be written, it does
    nothing.
    """
    out = Path(os.path.abspath(out))
    if not out.exists():
        for old in _hidden_ones(out)[-1:]:
            with suppress(OSError):  # another process was quicker
                os.rename(old, out)


def _hidden(out: Path) -> str:
    return f".{out.name}.replaced."


def _hidden_ones(out: Path) -> list[Path]:
    """What lay in the place of ``out`` and was not deleted, the latest last."""
    return sorted(out.parent.glob(glob.escape(_hidden(out)) + "[0-9]" * _DIGITS))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
