"""Waiting until files are on the disk, so that a power cut takes nothing of a store that stands in its place."""

from __future__ import annotations

import os
from pathlib import Path


def to_disk(*paths: Path) -> None:
    """Wait until files are on the disk; of a folder, the names of what is in it."""
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
