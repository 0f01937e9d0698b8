"""Folders that are either complete or not there: written beside, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def check_place(out: Path, marker: str) -> None:
    """Refuse to write where something of another kind lies; see :func:`whole_folder`."""
    if out.exists() and not ((out / marker).is_file() or (out.is_dir() and not any(out.iterdir()))):
        raise FileExistsError(f"{out}: exists and holds no {marker}; give another place, or remove it first")


def put_in_place(beside: Path, out: Path) -> None:
    """Let a whole folder take the place of ``out``, on the same disk; what lay there goes."""
    if not out.exists():
        os.rename(beside, out)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    os.rename(out, aside / out.name)
    try:
        os.rename(beside, out)
    except OSError:
        os.rename(aside / out.name, out)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
