"""Which files of an unfinished store are done, so that packing can go on after a kill."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_tools.packing.moments import Moments

HASH_BYTES = 16


@dataclass(frozen=True, eq=False)
class Finished:
    """What is known of a file whose rows are written.

    Attributes:
        stamp: Hash of the size and time of everything that was read.
        digest: Hash of its rows, in the order of its frames.
        ids_digest: Hash of its image ids as they are kept; zeros if it has none.
        moments: Of those of its rows that are in the train split.
    """

    stamp: bytes
    digest: bytes
    ids_digest: bytes
    moments: Moments


class Journal:
    """One record of fixed size per file, written when the file is done; a torn record counts as none.

    Args:
        path: The file; made if it is not there.
        dim: Columns of a row.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self._dim = dim
        self._bytes = 4 * HASH_BYTES + 8 * (1 + 2 * dim)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def write(self, number: int, finished: Finished) -> None:
        """Note that file ``number`` is done."""
        moments = finished.moments
        numbers = np.concatenate([[moments.count], moments.mean, moments.squares]).astype("<f8").tobytes()
        content = finished.stamp + finished.digest + finished.ids_digest + numbers
        written = os.pwrite(self._file, hash_of(content) + content, number * self._bytes)
        if written != self._bytes:
            raise OSError(28, "No space left on device")

    def read(self, number: int) -> Finished | None:
        """Return what was noted of file ``number``, if it is done."""
        record = os.pread(self._file, self._bytes, number * self._bytes)
        content = record[HASH_BYTES:]
        if len(record) != self._bytes or hash_of(content) != record[:HASH_BYTES]:
            return None
        stamp, digest, ids = (content[k * HASH_BYTES : (k + 1) * HASH_BYTES] for k in range(3))
        numbers = np.frombuffer(content, "<f8", offset=3 * HASH_BYTES)
        mean, squares = numbers[1 : 1 + self._dim], numbers[1 + self._dim :]
        return Finished(stamp, digest, ids, Moments(int(numbers[0]), mean.copy(), squares.copy()))


NO_IDS = bytes(HASH_BYTES)


def hash_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=HASH_BYTES).digest()
