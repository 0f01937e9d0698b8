"""What tells whether a recording is still the one that was read: sizes and times of every file it is read from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_tools.readers import READERS, reader_for
from data_tools.scanning.data_folder import Rejected
from data_tools.scanning.scan_cache import VERSION, hash_of

Stamp = tuple[int, int, int]
"""The version of the rules, bytes in all, and the time of the last change (of several files: a hash of all times)."""

_SIDECARS = tuple(sorted({name for reader in READERS for name in reader.sidecars}))


def stamps_of(root: Path, files: Sequence[Path]) -> tuple[dict[str, Stamp], list[Rejected]]:
    """Stamp each file or recording folder, by its place below ``root``; and list those that are gone."""
    stamps: dict[str, Stamp] = {}
    lost: list[Rejected] = []
    sidecars: dict[Path, tuple[Path, ...]] = {}
    for path in files:
        name = path.relative_to(root).as_posix()
        if path.parent not in sidecars:
            sidecars[path.parent] = tuple(beside for each in _SIDECARS if (beside := path.parent / each).is_file())
        try:
            stamps[name] = _stamp(path, sidecars[path.parent])
        except OSError as error:
            lost.append(Rejected(name, f"cannot be opened ({error.strerror})"))
    return stamps, lost


def _stamp(path: Path, sidecars: tuple[Path, ...]) -> Stamp:
    parts = [*reader_for(path).read_from(path)] if path.is_dir() else [path, *sidecars]
    found = [part.stat() for part in parts]
    if len(found) == 1 and parts == [path]:
        return VERSION, found[0].st_size, found[0].st_mtime_ns
    times = hash_of(
        [(part.name, status.st_size, status.st_mtime_ns) for part, status in zip(parts, found, strict=True)]
    )
    return VERSION, sum(status.st_size for status in found), int(times[:15], 16)
