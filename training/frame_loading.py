"""Frames of a store in memory, as whoever trains on them wants them, loaded without a second copy."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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
    poses = store.split(split)
    count = len(poses)
    if count == 0:
        raise ValueError(f"the {split} split of {store.path} is empty: give it a share in the mix and pack again")
    if at_most is not None and count > at_most:
        poses = poses[evenly(count, at_most)]
        return _checked(prepare(torch.from_numpy(poses)), store, split)
    beginning = _read(store, split, 0, torch.empty(min(CHUNK_FRAMES, count), store.dim))
    first = _checked(prepare(beginning), store, split)
    frames = torch.empty((count, *first.shape[1:]), dtype=first.dtype)
    frames[: len(first)] = first
    in_place = frames.shape == poses.shape and frames.dtype == torch.float32
    starts = iter(range(CHUNK_FRAMES, count, CHUNK_FRAMES))

    def fill() -> None:
        beside = torch.empty(0 if in_place else CHUNK_FRAMES, store.dim)
        for start in starts:  # each start goes to one of the threads
            room = frames[start : start + CHUNK_FRAMES]
            ready = prepare(_read(store, split, start, room if in_place else beside[: len(room)]))
            if _checked(ready, store, split).data_ptr() != room.data_ptr():
                room.copy_(ready)

    # One thread of torch's in each of ours: on so little work its threads wait for each other most of the time.
    with _one_thread_each(), ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        for job in [pool.submit(fill) for _ in range(_WORKERS)]:
            job.result()
    return frames


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
def _one_thread_each() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _read(store: PoseStore, split: str, start: int, room: Float32[Tensor, "chunk dim"]) -> Float32[Tensor, "chunk dim"]:
    """Read consecutive rows of a split; pages of a map would count as this process's memory."""
    poses = store.poses
    row = store.about["splits"][split][0] + start
    with Path(poses.filename).open("rb") as file:  # type: ignore[attr-defined]
        file.seek(poses.offset + row * store.dim * poses.itemsize)  # type: ignore[attr-defined]
        if file.readinto(room.numpy().data) != room.nbytes:
            raise ValueError(f"{file.name}: has become shorter since it was opened; pack again")
    return room


def _checked(frames: Float[Tensor, "frames columns"], store: PoseStore, split: str) -> Float[Tensor, "frames columns"]:
    """Refuse frames that are not numbers; a sum is quicker than a look at each, and not a number if one is none."""
    if not math.isfinite(frames.sum()) and not bool(torch.isfinite(frames).all()):
        raise ValueError(f"the {split} split of {store.path} holds a pose that is not a number: pack it again")
    return frames
