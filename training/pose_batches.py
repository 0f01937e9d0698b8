"""Whole batches by index, from memory or from the memory map of a store, with no per-frame Python.

A DataLoader fetches 8192 frames one by one and stacks them; one gather does the same some 80 times faster. Lightning
takes these iterables in place of a DataLoader.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from training.frame_loading import ArrivingFrames, standardise_
from training.read_ahead import ReadAhead

Make = Callable[[Tensor, Tensor], Any]
"""Makes a batch of its frames (batch, columns) and of their places in the split (batch,)."""

BLOCK_FRAMES = 64
"""Neighbours that are read together from a memory map: 23 KB of hands, several pages of a disk."""

WINDOW_BLOCKS = 2_048
"""Blocks from all over the split among whose frames batches are drawn: 131,072 frames, 47 MB of hands."""

_MIXER = 1_000_003
_SEEDS = 2**64
"""How many seeds a generator of torch takes."""


class PoseBatches(ABC):
    """An epoch of batches of poses.

    Batches of an epoch differ in size by one frame at most, none is larger than ``batch_size``, and every frame is
    seen once. The order depends on ``seed`` and the epoch only, so a resumed run sees the orders it would have seen.

    Args:
        frames: How many there are.
        batch_size: Largest batch.
        seed: Of the orders; None keeps the order of the frames.
        epoch: Says which epoch begins.
        rank: Which share of each epoch this process takes, of ``world``.
        world: Number of processes that share each epoch.
        make: Turns the frames and their places into a batch; the frames alone if None.
    """

    def __init__(
        self,
        frames: int,
        batch_size: int,
        *,
        seed: int | None = None,
        epoch: Callable[[], int] = lambda: 0,
        rank: int = 0,
        world: int = 1,
        make: Make | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.count = frames
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch
        self.rank = rank
        self.world = world
        self.make = make
        self._given = 0
        self._skip = 0

    @property
    def share(self) -> int:
        """Frames of an epoch that this process sees."""
        return self.count // self.world

    def __len__(self) -> int:
        return math.ceil(self.share / self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        self._given, self._skip = self._skip, 0
        for frames, index in self._gathered(self._given):
            self._given += 1
            yield frames if self.make is None else self.make(frames, index)

    def state_dict(self) -> dict[str, int]:
        """How far into its epoch this is; Lightning keeps it in checkpoints."""
        return {"given": self._given % max(len(self), 1)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next epoch where ``state_dict`` was taken, so that an interrupted one is completed."""
        self._skip = state["given"]

    def _permutation(self, count: int, salt: int = 0) -> Int64[Tensor, "count"]:
        """The order of an epoch, or what is to be shuffled inside it."""
        if self.seed is None:
            return torch.arange(count)
        mixed = (self.seed * _MIXER + self.epoch()) * _MIXER + salt
        generator = torch.Generator().manual_seed(mixed % _SEEDS)  # unchanged for seeds below 18 million
        return torch.randperm(count, generator=generator)

    @abstractmethod
    def _gathered(self, skip: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the frames of each batch and their places, after the first ``skip`` batches."""


class FrameBatches(PoseBatches):
    """Batches of frames that lie in memory, on whichever device; shuffled over the whole split.

    Args:
        frames: (frames, columns) prepared poses, which may still be on their way into memory.
        batch_size: Largest batch.
        **options: As for :class:`PoseBatches`.
    """

    def __init__(
        self, frames: Float[Tensor, "frames columns"] | ArrivingFrames, batch_size: int, **options: Any
    ) -> None:
        super().__init__(len(frames), batch_size, **options)
        self.frames = frames

    def _gathered(self, skip: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = self._permutation(self.count)[: self.share * self.world][self.rank :: self.world]
        if isinstance(self.frames, Tensor):
            order = order.to(self.frames.device)
        for index in order.tensor_split(max(len(self), 1))[skip:]:
            yield self._rows(index), index

    def _rows(self, index: Int64[Tensor, "batch"]) -> Float[Tensor, "batch columns"]:
        return self.frames.index_select(0, index) if isinstance(self.frames, Tensor) else self.frames.rows(index)


class MappedBatches(PoseBatches):
    """Batches of frames that stay on disk, for stores larger than memory.

    The split is cut into blocks of :data:`BLOCK_FRAMES` neighbours, which come in random order; frames are mixed freely
    within each window of :data:`WINDOW_BLOCKS` blocks. So a batch holds frames of some two thousand places, a few
    neighbours among them; a disk reads pages, and a perfect shuffle would read eleven times as much. The disk is asked
    for a window when it begins. The batches of one window differ in size by one frame at most. Processes that share
    an epoch leave out what does not divide.

    Args:
        poses: (frames, dim) a memory map.
        batch_size: Largest batch.
        columns: Which columns are wanted.
        mean: (columns,) subtracted from each frame; without ``std`` the frames are left as they are.
        std: (columns,) what they are then divided by; likewise.
        **options: As for :class:`PoseBatches`.
    """

    def __init__(
        self,
        poses: Float32[np.ndarray, "frames dim"],
        batch_size: int,
        *,
        columns: slice = slice(None),
        mean: Float[Tensor, "columns"] | None = None,
        std: Float[Tensor, "columns"] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(len(poses), batch_size, **options)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*not writable.*")  # nothing here writes to it
            self.frames = torch.from_numpy(np.asarray(poses))[:, columns]
        self.mean, self.std = mean, std
        self._ahead = ReadAhead.of(poses)
        self._blocks = self.count // BLOCK_FRAMES // self.world
        self._tail = self.count % BLOCK_FRAMES if self.world == 1 else 0

    @property
    def share(self) -> int:
        return self._blocks * BLOCK_FRAMES + self._tail

    def __len__(self) -> int:
        return sum(math.ceil(size / self.batch_size) for size in self._window_sizes())

    def _window_sizes(self) -> list[int]:
        """Frames of each window; the tail that fills no block is in the last."""
        blocks = max(WINDOW_BLOCKS, math.ceil(self.batch_size / BLOCK_FRAMES))
        windows = max(math.ceil(self._blocks / blocks), 1)
        share, more = divmod(self._blocks, windows)
        sizes = [(share + (window < more)) * BLOCK_FRAMES for window in range(windows)]
        return [*sizes[:-1], sizes[-1] + self._tail]

    def _gathered(self, skip: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = self._permutation(self._blocks * self.world)[self.rank :: self.world]
        sizes = self._window_sizes()
        for window, (size, blocks) in enumerate(zip(sizes, order.tensor_split(len(sizes)), strict=True)):
            batches = math.ceil(size / self.batch_size)
            if skip >= batches:
                skip -= batches
                continue
            places = self._places(blocks, with_tail=window == len(sizes) - 1)
            if self._ahead is not None:
                self._ahead.fetch(blocks * BLOCK_FRAMES, BLOCK_FRAMES)
            for index in places.index_select(0, self._permutation(size, salt=window + 1)).tensor_split(batches)[skip:]:
                # A gather straight from the map: pages are looked up, not copied into a buffer first.
                batch = self.frames.index_select(0, index)
                if self.mean is not None and self.std is not None:
                    standardise_(batch, self.mean, self.std)
                yield batch, index
            skip = 0

    def _places(self, blocks: Int64[Tensor, "blocks"], *, with_tail: bool) -> Int64[Tensor, "frames"]:
        """Which frames stand in blocks, and in what fills no block."""
        places = (blocks[:, None] * BLOCK_FRAMES + torch.arange(BLOCK_FRAMES)).flatten()
        whole = self.count // BLOCK_FRAMES * BLOCK_FRAMES
        return torch.cat([places, torch.arange(whole, whole + self._tail)]) if with_tail else places
