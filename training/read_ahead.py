"""Asks the disk for rows of a memory map before they are wanted."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped
from torch import Tensor

_PROBES = 32


@dataclass(frozen=True)
class ReadAhead:
    """A mapped file, and where rows lie in it.

    Without it every page that is not in the machine's memory is waited for, one after the other.

    Attributes:
        path: The file.
        offset: First byte of the first row.
        row_bytes: Bytes of a row.
    """

    path: str
    offset: int
    row_bytes: int

    @classmethod
    def of(cls, rows: Shaped[np.ndarray, "rows columns"]) -> ReadAhead | None:
        """For a mapped array, or neighbouring whole rows of one; None for any other array or system."""
        if not isinstance(rows, np.memmap) or not hasattr(os, "posix_fadvise") or not len(rows):
            return None
        whole: np.ndarray = rows
        while isinstance(whole.base, np.memmap):
            whole = whole.base
        assert isinstance(whole, np.memmap)
        skipped = rows.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        return cls(str(whole.filename), int(whole.offset) + skipped, rows.strides[0])

    def fetch(self, starts: Int64[Tensor, "spans"], length: int) -> None:
        """Ask for spans of ``length`` rows each, unless they are in the machine's memory already."""
        places = [self.offset + start * self.row_bytes for start in starts.tolist()]
        with open(self.path, "rb", buffering=0) as file:
            if all(_is_near(file.fileno(), place) for place in places[:: max(1, len(places) // _PROBES)]):
                return
            for place in places:
                os.posix_fadvise(file.fileno(), place, length * self.row_bytes, os.POSIX_FADV_WILLNEED)


def _is_near(file: int, place: int) -> bool:
    """Whether a byte can be read without waiting for the disk."""
    try:
        return os.preadv(file, [bytearray(1)], place, os.RWF_NOWAIT) == 1
    except (OSError, AttributeError):  # it would have to wait, or the system cannot tell
        return False
