"""The files of a data folder: what is worth opening, and what cannot be reached and why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from data_tools.readers import READERS, Reader, reader_named
from data_tools.whole_folder import bring_back


@dataclass(frozen=True)
class Rejected:
    """A file or folder that was set aside.

    Attributes:
        path: Below the data folder.
        reason: In one line.
    """

    path: str
    reason: str


def find_files(data: Path, format: str | None = None) -> tuple[Path, list[Path], list[Rejected]]:
    """List the files that may hold poses, in a fixed order; a folder that is one recording counts as a file.

    What a format is known to keep beside its recordings (body shapes, cameras) is passed over without a word.

    Args:
        data: A folder, or one file.
        format: Look for files of this format only.

    Returns:
        The data folder that names datasets, the files, and what could not be reached. Links are followed, once.

    Raises:
        FileNotFoundError: Nothing there, or nothing that could hold poses.
    """
    readers = READERS if format is None else (reader_named(format),)
    bring_back(data)
    if data.is_file():
        return data.parent, [data], []
    if not data.exists():
        raise FileNotFoundError(f"{data}: no such file or folder; give the folder that holds your motion files")
    if _is_recording(data, sorted(entry.name for entry in os.scandir(data)), readers):
        data = data.resolve()
        return data.parent, [data], []
    walk = _Walk(data, readers)
    walk.descend(data, {})
    if not walk.files:
        unreachable = f" ({walk.rejected[0].path}: {walk.rejected[0].reason})" if walk.rejected else ""
        kinds = " or ".join(walk.suffixes) or "recording"
        raise FileNotFoundError(
            f"{data}: no {kinds} files with motion in this folder or below{unreachable}; "
            "expected NAME.npz per dataset, or the folders of a release (`handprior formats` lists them)"
        )
    return data, walk.files, walk.rejected


def _is_recording(folder: Path, names: Sequence[str], readers: Sequence[Reader]) -> bool:
    return any(reader.claims_folder(folder, names) for reader in readers)


@dataclass
class _Walk:
    """One walk through a data folder: what it found, and what it could not reach."""

    root: Path
    readers: Sequence[Reader]
    files: list[Path] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.suffixes = tuple(sorted({suffix for reader in self.readers for suffix in reader.suffixes}))
        self._no_motion = {pattern for reader in READERS for pattern in reader.no_motion}

    def descend(self, folder: Path, above: dict[tuple[int, int], Path]) -> None:
        """Look at a folder and those below it; ``above`` are the folders on the way, by device and inode."""
        name = folder.relative_to(self.root).as_posix()
        try:
            status = folder.stat()
            names = sorted(entry.name for entry in os.scandir(folder))
        except OSError as error:
            self.rejected.append(Rejected(name, f"cannot be opened ({error.strerror})"))
            return
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            place = above[identity].relative_to(self.root).as_posix()
            self.rejected.append(Rejected(name, f"links back to {place} above it"))
            return
        if above and _is_recording(folder, names, self.readers):
            self.files.append(folder)
            return
        for entry in names:
            path = folder / entry
            if entry.startswith("."):
                continue
            if path.is_dir():
                self.descend(path, {**above, identity: folder})
            elif entry.lower().endswith(self.suffixes) and not self._holds_no_motion(entry):
                self._take(path)

    def _take(self, path: Path) -> None:
        reason = _why_not(path)
        if reason is None:
            self.files.append(path)
        else:
            self.rejected.append(Rejected(ascii(path.relative_to(self.root).as_posix())[1:-1], reason))

    def _holds_no_motion(self, name: str) -> bool:
        """Tell what formats keep beside the motion, such as AMASS's body shapes; only by their whole names."""
        return any(fnmatchcase(name, pattern) for pattern in self._no_motion)


def _why_not(path: Path) -> str | None:
    """Say why a file cannot be listed: pipes would block, and a name that is no text cannot be written down."""
    if not path.name.isprintable():
        return "its name is not printable text; rename it"
    if not path.exists():
        return "links to nothing"
    return None if path.is_file() else "is not a regular file"
