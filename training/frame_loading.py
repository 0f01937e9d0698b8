"""Frames of a store in memory, as whoever trains on them wants them, loaded without a second copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

if TYPE_CHECKING:
    from data_tools.store import PoseStore

Prepare = Callable[[Tensor], Tensor]

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
        prepare: Turns poses (frames, dim) into what the prior works on.
        at_most: Take no more than this many, spread evenly over the split.

    Raises:
        ValueError: The split is empty or holds a value that is not a number.
    """
    poses = store.split(split)
    count = len(poses)
    if count == 0:
        raise ValueError(f"the {split} split of {store.path} is empty: give it a share in the mix and pack again")
    if at_most is not None and count > at_most:
        poses = poses[np.linspace(0, count - 1, at_most).round().astype(np.int64)]
        return _checked(prepare(torch.from_numpy(poses)), store, split)
    starts = range(0, count, CHUNK_FRAMES)
    first = _checked(prepare(_rows(store, split, 0)), store, split)
    frames = torch.empty((count, *first.shape[1:]), dtype=first.dtype)
    frames[: len(first)] = first

    def fill(start: int) -> None:
        ready = _checked(prepare(_rows(store, split, start)), store, split)
        frames[start : start + len(ready)] = ready

    # One thread of torch's in each of ours: on so little work its threads wait for each other most of the time.
    with _one_thread_each(), ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        for job in [pool.submit(fill, start) for start in starts[1:]]:
            job.result()
    return frames


def standardiser(store: PoseStore) -> Prepare:
    """The active columns of poses, with mean 0 and standard deviation 1 over the train split."""
    columns = torch.from_numpy(np.flatnonzero(store.active))
    mean, std = (torch.from_numpy(np.array(numbers, np.float32))[columns] for numbers in (store.mean, store.std))
    return lambda poses: (poses[:, columns] - mean) / std


@contextmanager
def _one_thread_each() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _rows(store: PoseStore, split: str, start: int) -> Float32[Tensor, "chunk dim"]:
    """Consecutive rows of a split, read and not mapped: pages of a map would count as this process's memory."""
    poses = store.poses
    first, stop = store.about["splits"][split]
    rows = min(CHUNK_FRAMES, stop - first - start)
    place = poses.offset + (first + start) * store.dim * poses.itemsize  # type: ignore[attr-defined]
    chunk = np.fromfile(poses.filename, "<f4", rows * store.dim, offset=place)  # type: ignore[attr-defined]
    return torch.from_numpy(chunk.reshape(rows, store.dim))


def _checked(frames: Float[Tensor, "frames columns"], store: PoseStore, split: str) -> Float[Tensor, "frames columns"]:
    """Refuse frames that are not numbers; a sum is quicker than a look at each, and not a number if one is none."""
    if not bool(torch.isfinite(frames.sum())) and not bool(torch.isfinite(frames).all()):
        raise ValueError(f"the {split} split of {store.path} holds a pose that is not a number: pack it again")
    return frames
