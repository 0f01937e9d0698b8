"""Frames of a store in memory, as whoever trains on them wants them, loaded without a second copy."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

if TYPE_CHECKING:
    from data_tools.store import PoseStore

Prepare = Callable[[Tensor], Tensor]
"""Turns poses (frames, dim) into what is wanted of them. It may overwrite the poses, which nobody else holds."""

_WORKERS = min(4, os.cpu_count() or 1)

CHUNK_FRAMES = 4096
"""Rows that are read and prepared together: 1.5 MB of hands, which stays in a core's cache."""


def prepared_frames(
    store: PoseStore, split: str, prepare: Prepare, *, at_most: int | None = None
) -> Float[Tensor, "frames columns"]:
    """Frames of a split, in order, as a prior wants them.

    Args:
        store: A packed store.
        split: ``train``, ``val`` or ``test``.
        prepare: Turns poses (frames, dim) into what the prior works on; quickest if it works in place.
        at_most: Take no more than this many, spread evenly over the split.

    Raises:
        ValueError: The split is empty or holds a value that is not a number.
    """
    if at_most is None or len(store.split(split)) <= at_most:
        return ArrivingFrames(store, split, prepare).all()
    poses = store.split(split)
    return _checked(prepare(torch.from_numpy(poses[evenly(len(poses), at_most)])), store, split)


class ArrivingFrames:
    """Frames of a split on their way into memory.

    The first batch does not wait until the last frame has been read: it is fetched by itself, and while it is worked
    on, threads read and prepare all frames into one tensor, piece by piece. Who wants more then waits for them. There
    is never a second copy.

    Args:
        store: A packed store.
        split: ``train``, ``val`` or ``test``.
        prepare: Turns poses (frames, dim) into what is wanted of them; called in several threads.

    Raises:
        ValueError: The split is empty, or one of its first frames holds a value that is not a number.
    """

    def __init__(self, store: PoseStore, split: str, prepare: Prepare) -> None:
        self._store, self._split, self._prepare = store, split, prepare
        count = len(store.split(split))
        if count == 0:
            raise ValueError(f"the {split} split of {store.path} is empty: give it a share in the mix and pack again")
        first = self._ready(torch.empty(min(CHUNK_FRAMES, count), store.dim), 0)
        self._frames = torch.empty((count, *first.shape[1:]), dtype=first.dtype)
        self._frames[: len(first)] = first
        self._in_place = self._frames.shape == (count, store.dim) and first.dtype == torch.float32
        self._starts = iter(range(CHUNK_FRAMES, count, CHUNK_FRAMES))
        self._jobs: list[Future[None]] | None = None if count > CHUNK_FRAMES else []

    def __len__(self) -> int:
        return len(self._frames)

    def all(self) -> Float[Tensor, "frames columns"]:
        """All frames, when they are there.

        Raises:
            ValueError: One holds a value that is not a number, or the store has become shorter.
        """
        self._jobs = self._begin() if self._jobs is None else self._jobs
        for job in self._jobs:
            job.result()
        return self._frames

    def rows(self, index: Int64[Tensor, "rows"]) -> Float[Tensor, "rows columns"]:
        """Some of the frames, by their places in the split; see :meth:`all` for errors."""
        if self._jobs is not None:
            return self.all().index_select(0, index)
        room = torch.empty(len(index), self._store.dim)
        with _rows_of(self._store, self._split) as (file, offset):
            for row, place in zip(room.numpy(), index.tolist(), strict=True):
                _fill(file, row, offset + place * room[0].nbytes)
        self._jobs = self._begin()
        return _checked(self._prepare(room), self._store, self._split)

    def _begin(self) -> list[Future[None]]:
        """Start the threads that fill the frames."""
        begun = threading.Barrier(_WORKERS + 1)

        def fill() -> None:
            # One thread of torch's in each of ours: on so little work its threads wait for each other most of the time.
            torch.set_num_threads(1)
            begun.wait()
            beside = torch.empty(0 if self._in_place else CHUNK_FRAMES, self._store.dim)
            for start in self._starts:  # each start goes to one of the threads
                room = self._frames[start : start + CHUNK_FRAMES]
                ready = self._ready(room if self._in_place else beside[: len(room)], start)
                if ready.data_ptr() != room.data_ptr():
                    room.copy_(ready)

        threads = torch.get_num_threads()
        pool = ThreadPoolExecutor(max_workers=_WORKERS)
        jobs = [pool.submit(fill) for _ in range(_WORKERS)]
        begun.wait()
        torch.set_num_threads(threads)  # torch keeps the last number set, in whichever thread, for all threads to come
        pool.shutdown(wait=False)
        return jobs

    def _ready(self, room: Float32[Tensor, "chunk dim"], start: int) -> Float[Tensor, "chunk columns"]:
        """Consecutive frames, read into ``room`` and prepared."""
        with _rows_of(self._store, self._split) as (file, offset):
            _fill(file, room.numpy(), offset + start * room[0].nbytes)
        return _checked(self._prepare(room), self._store, self._split)


def evenly(count: int, at_most: int | None) -> Int64[np.ndarray, "taken"]:
    """Which of ``count`` frames are taken where no more than ``at_most`` are wanted, in order."""
    if at_most is None or count <= at_most:
        return np.arange(count)
    return np.linspace(0, count - 1, at_most).round().astype(np.int64)


def standardiser(store: PoseStore) -> Prepare:
    """The active columns of poses, with mean 0 and standard deviation 1 over the train split."""
    columns = torch.from_numpy(np.flatnonzero(store.active))
    mean, std = (torch.from_numpy(np.array(numbers, np.float32))[columns] for numbers in (store.mean, store.std))
    return lambda poses: standardise_(poses[:, columns], mean, std)


def standardise_(
    frames: Float[Tensor, "frames columns"], mean: Float[Tensor, "columns"], std: Float[Tensor, "columns"]
) -> Float[Tensor, "frames columns"]:
    """Subtract the mean and divide by the standard deviation, in place.

    As ``frames * (1 / std) - mean / std`` that is one pass; memory is what it waits for. The difference is a few
    roundings of ``mean / std``, of the size of those that the frames have as float32.
    """
    return torch.addcmul(-mean / std, frames, 1 / std, out=frames)


@contextmanager
def _rows_of(store: PoseStore, split: str) -> Iterator[tuple[BinaryIO, int]]:
    """The file of a store's poses, and where a split begins in it; pages of a map would count as this process's."""
    poses = store.poses
    with Path(poses.filename).open("rb", buffering=0) as file:  # type: ignore[attr-defined]
        yield file, poses.offset + store.about["splits"][split][0] * store.dim * poses.itemsize  # type: ignore[attr-defined]


def _fill(file: BinaryIO, room: Float32[np.ndarray, "..."], offset: int) -> None:
    file.seek(offset)
    if file.readinto(room.data) != room.nbytes:  # type: ignore[attr-defined]
        raise ValueError(f"{file.name}: has become shorter since it was opened; pack again")


def _checked(frames: Float[Tensor, "frames columns"], store: PoseStore, split: str) -> Float[Tensor, "frames columns"]:
    """Refuse frames that are not numbers; a sum is quicker than a look at each, and not a number if one is none."""
    if not math.isfinite(frames.sum()) and not bool(torch.isfinite(frames).all()):
        raise ValueError(f"the {split} split of {store.path} holds a pose that is not a number: pack it again")
    return frames
