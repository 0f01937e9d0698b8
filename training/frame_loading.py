"""Frames of a store in memory, as whoever trains on them wants them, loaded without a second copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

if TYPE_CHECKING:
    from data_tools.store import PoseStore

Prepare = Callable[[Tensor], Tensor]

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
        chunks: Iterator[np.ndarray] = iter([poses])
    else:
        chunks = _chunks(store, split)
    frames, done = torch.empty(0, 0), 0
    for chunk in _on_one_thread(chunks):
        ready = prepare(torch.from_numpy(chunk))
        if not done:
            frames = torch.empty((len(poses), *ready.shape[1:]), dtype=ready.dtype)
        # A sum is quicker than looking at each value, and not a number if one of them is none.
        if not bool(torch.isfinite(ready.sum())) and not bool(torch.isfinite(ready).all()):
            raise ValueError(f"the {split} split of {store.path} holds a pose that is not a number: pack it again")
        frames[done : done + len(ready)] = ready
        done += len(ready)
    return frames


def standardiser(store: PoseStore) -> Prepare:
    """The active columns of poses, with mean 0 and standard deviation 1 over the train split."""
    columns = torch.from_numpy(np.flatnonzero(store.active))
    mean, std = (torch.from_numpy(np.array(numbers, np.float32))[columns] for numbers in (store.mean, store.std))
    return lambda poses: (poses[:, columns] - mean) / std


def _on_one_thread(chunks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Pass chunks on while torch uses one thread: on so little work, threads wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from chunks
    finally:
        torch.set_num_threads(threads)


def _chunks(store: PoseStore, split: str) -> Iterator[Float32[np.ndarray, "chunk dim"]]:
    """Copies of consecutive rows, read and not mapped: pages of a map would count as this process's memory."""
    poses = store.poses
    start, stop = store.about["splits"][split]
    for low in range(start, stop, CHUNK_FRAMES):
        rows = min(CHUNK_FRAMES, stop - low)
        place = poses.offset + low * store.dim * poses.itemsize  # type: ignore[attr-defined]
        yield np.fromfile(poses.filename, "<f4", rows * store.dim, offset=place).reshape(rows, store.dim)  # type: ignore[attr-defined]
