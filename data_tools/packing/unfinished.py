"""A store in the making: ``NAME.partial`` beside its place, which the next packing of the same goes on from."""

from __future__ import annotations

import errno
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_ABOUT = "packing.json"
_SUFFIX = ".partial"

JOURNAL = "finished"
"""Name of the file that says which source files are done; see :mod:`data_tools.packing.journal`."""


@contextmanager
def unfinished_folder(out: Path, key: str, what: str) -> Iterator[Path]:
    """Give the folder that a store is made in: the one that was left behind, if it was for the same ``key``.

    Whatever ends the work early, the folder stays if a file was finished in it; the one of another packing is removed,
    so that no more than one lies beside a store, and what lies beside other stores is said. It goes when the work is
    done.

    Args:
        out: Where the store shall be.
        key: Hash of everything that the store is made from.
        what: What is packed, in words.

    Raises:
        FileExistsError: Something else has the folder's name.
        OSError: The disk is full or may not be written, with what was kept.
    """
    folder = out.with_name(out.name + _SUFFIX)
    try:
        _begin(folder, key, what)
        yield folder
    except BaseException as error:
        kept = (folder / JOURNAL).is_file() and (folder / JOURNAL).stat().st_size > 0
        if not kept and _about(folder) is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename != str(out):
            rest = f"what was packed is kept in {folder.name}; pack again to go on" if kept else "nothing is kept"
            reason = "the disk is full" if error.errno == errno.ENOSPC else f"not written ({error})"
            raise OSError(error.errno, f"{reason}: {rest}", str(out)) from error
        raise
    shutil.rmtree(folder)


def _begin(folder: Path, key: str, what: str) -> None:
    for other in sorted(folder.parent.glob(f"*{_SUFFIX}")):
        about = _about(other)
        if other != folder and about is not None:
            log.warning("%s: %s, begun and not finished; pack them again, or delete it", other, about["what"])
    if folder.exists():
        about = _about(folder)
        if about is None and not _torn(folder):
            raise FileExistsError(f"{folder}: in the way, and not an unfinished store; move it elsewhere")
        if about is not None and about["key"] == key:
            log.warning("%s: begun before; going on from there", folder)
            return
        if about is not None:
            log.warning("%s: %s, begun and not finished; removed for what is packed now", folder, about["what"])
        shutil.rmtree(folder)
    folder.mkdir()
    beside = folder / f".{_ABOUT}"
    beside.write_text(json.dumps({"key": key, "what": what}) + "\n", encoding="utf-8")
    beside.replace(folder / _ABOUT)


def refuse_too_little_space(out: Path, folder: Path, needed: int) -> None:
    """Refuse to begin what the disk has no room for.

    Args:
        out: What is to be written, for the message.
        folder: What lies here already counts as written.
        needed: Bytes in all.

    Raises:
        OSError: Not enough room, with what is missing.
    """
    there = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    missing = needed - there - shutil.disk_usage(folder).free
    if missing > 0:
        raise OSError(errno.ENOSPC, f"needs {_size(needed - there)} and the disk lacks {_size(missing)}", str(out))


def _about(folder: Path) -> dict[str, Any] | None:
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) and {"key", "what"} <= set(about) else None


def _torn(folder: Path) -> bool:
    """Tell whether a kill or a power cut came before it was written what is packed here."""
    about = folder / _ABOUT
    if about.is_file():
        return about.stat().st_size < 1 << 16 and not about.read_bytes().strip(b"\0")
    return {path.name for path in folder.iterdir()} <= {f".{_ABOUT}"}


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{max(count / 1e6, 0.1):.1f} MB"
