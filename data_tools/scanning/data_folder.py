"""The files of a data folder: what is worth opening, and what cannot be reached and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from data_tools.readers import READERS


def _holds_no_motion(name: str) -> bool:
    """Tell AMASS's body shapes and calibration stage, which lie beside the motion; only by their whole names."""
    return name == "shape.npz" or name.endswith("_stagei.npz")


@dataclass(frozen=True)
class Rejected:
    """A file or folder that was set aside.

    Attributes:
        path: Below the data folder.
        reason: In one line.
    """

    path: str
    reason: str


def find_files(data: Path) -> tuple[Path, list[Path], list[Rejected]]:
    """List the files that may hold poses, in a fixed order.

    Args:
        data: A folder, or one file.

    Returns:
        The data folder that names datasets, the files, and what could not be reached. Links are followed, once.

    Raises:
        FileNotFoundError: Nothing there, or nothing that could hold poses.
    """
    suffixes = sorted({suffix for reader in READERS for suffix in reader.suffixes})
    if data.is_file():
        return data.parent, [data], []
    if not data.exists():
        raise FileNotFoundError(f"{data}: no such file or folder; give the folder that holds your motion files")
    files: list[Path] = []
    rejected: list[Rejected] = []
    _walk(data, data, {}, tuple(suffixes), files, rejected)
    if not files:
        unreachable = f" ({rejected[0].path}: {rejected[0].reason})" if rejected else ""
        raise FileNotFoundError(
            f"{data}: no {' or '.join(suffixes)} files with motion in this folder or below{unreachable}; "
            "expected NAME.npz per dataset, or AMASS's folders"
        )
    return data, files, rejected


def _walk(
    folder: Path,
    root: Path,
    above: dict[tuple[int, int], Path],
    suffixes: tuple[str, ...],
    files: list[Path],
    rejected: list[Rejected],
) -> None:
    name = folder.relative_to(root).as_posix()
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        rejected.append(Rejected(name, f"cannot be opened ({error.strerror})"))
        return
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        rejected.append(Rejected(name, f"links back to {above[identity].relative_to(root).as_posix()} above it"))
        return
    above = {**above, identity: folder}
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if path.is_dir():
            _walk(path, root, above, suffixes, files, rejected)
        elif entry.name.lower().endswith(suffixes) and not _holds_no_motion(entry.name):
            reason = _why_not(path)
            if reason is None:
                files.append(path)
            else:
                rejected.append(Rejected(ascii(path.relative_to(root).as_posix())[1:-1], reason))


def _why_not(path: Path) -> str | None:
    """Say why a file cannot be listed: pipes would block, and a name that is no text cannot be written down."""
    if not path.name.isprintable():
        return "its name is not printable text; rename it"
    if not path.exists():
        return "links to nothing"
    return None if path.is_file() else "is not a regular file"
