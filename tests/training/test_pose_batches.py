"""Batches: every frame once an epoch, whole batches, in an order that can be taken up again."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch

from training import pose_batches
from training.pose_batches import BLOCK_FRAMES, FrameBatches, MappedBatches, PoseBatches


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.arange(103.0)[:, None]


def values(batches: PoseBatches) -> list[list[float]]:
    return [batch.flatten().tolist() for batch in batches]


def test_every_frame_once_in_even_batches(frames: torch.Tensor) -> None:
    batches = FrameBatches(frames, 25, seed=0)
    got = values(batches)
    assert len(got) == len(batches) == 5
    assert sorted(map(len, got)) == [20, 20, 21, 21, 21]
    assert sorted(chain(*got)) == list(range(103))


def test_order_depends_on_seed_and_epoch_only(frames: torch.Tensor) -> None:
    epoch = [0]
    batches = FrameBatches(frames, 25, seed=3, epoch=lambda: epoch[0])
    first = values(batches)
    epoch[0] = 1
    assert values(batches) != first
    epoch[0] = 0
    torch.manual_seed(99)
    assert values(batches) == first
    assert values(FrameBatches(frames, 25, seed=4)) != first
    assert list(chain(*values(FrameBatches(frames, 25)))) == list(range(103))


def test_interrupted_epoch_is_completed(frames: torch.Tensor) -> None:
    whole = values(FrameBatches(frames, 25, seed=0))
    batches = FrameBatches(frames, 25, seed=0)
    iterator = iter(batches)
    begun = [next(iterator).flatten().tolist() for _ in range(2)]
    resumed = FrameBatches(frames, 25, seed=0)
    resumed.load_state_dict(batches.state_dict())
    assert begun + values(resumed) == whole
    assert values(resumed) == whole  # only the first epoch after a resume is a part of one


def test_finished_epoch_leaves_nothing_to_skip(frames: torch.Tensor) -> None:
    batches = FrameBatches(frames, 25, seed=0)
    values(batches)
    assert batches.state_dict() == {"given": 0}


def test_processes_share_an_epoch(frames: torch.Tensor) -> None:
    shares = [FrameBatches(frames, 10, seed=0, rank=rank, world=2) for rank in (0, 1)]
    assert len(shares[0]) == len(shares[1])
    seen = [list(chain(*values(share))) for share in shares]
    assert len(seen[0]) == len(seen[1]) == 51
    assert not set(seen[0]) & set(seen[1])


def mapped(count: int, batch_size: int, **options: Any) -> MappedBatches:
    numbers = np.arange(count, dtype=np.float32)
    return MappedBatches(np.stack([numbers, -numbers], axis=1), batch_size, columns=slice(0, 1), **options)


COUNTS = [1, 63, 64, 1000, 4 * BLOCK_FRAMES]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("seed", [None, 0])
def test_mapped_frames_come_once_each(count: int, seed: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pose_batches, "WINDOW_BLOCKS", 3)
    batches = mapped(count, 100, seed=seed)
    got = values(batches)
    assert len(got) == len(batches)
    assert max(map(len, got)) <= 100
    together = list(chain(*got))
    assert sorted(together) == list(range(count))
    if seed is None:
        assert together == sorted(together)
    elif count > 100:
        assert together != sorted(together)


def test_mapped_batches_hold_frames_from_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pose_batches, "WINDOW_BLOCKS", 32)
    first = values(mapped(64_000, 512, seed=0))[0]
    assert min(first) < 8_000
    assert max(first) > 56_000
    assert len({int(number) // BLOCK_FRAMES for number in first}) == 32


def test_mapped_frames_are_scaled_and_know_their_places() -> None:
    made = mapped(
        500,
        100,
        seed=1,
        mean=torch.tensor([3.0]),
        std=torch.tensor([0.5]),
        make=lambda frames, index: (frames, index),
    )
    for frames, index in made:
        torch.testing.assert_close(frames[:, 0], 2.0 * (index - 3.0))


def test_an_interrupted_epoch_from_disk_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pose_batches, "WINDOW_BLOCKS", 3)
    whole = values(mapped(1000, 50, seed=0))
    for begun in (1, 5, len(whole) - 1):
        resumed = mapped(1000, 50, seed=0)
        resumed.load_state_dict({"given": begun})
        assert values(resumed) == whole[begun:]
        assert values(resumed) == whole


def test_processes_share_an_epoch_from_disk() -> None:
    shares = [mapped(1000, 100, seed=0, rank=rank, world=3) for rank in range(3)]
    seen = [list(chain(*values(share))) for share in shares]
    assert len({len(share) for share in shares}) == 1
    assert {len(part) for part in seen} == {5 * BLOCK_FRAMES}
    assert len(set(chain(*seen))) == 15 * BLOCK_FRAMES


def test_a_batch_size_of_nothing_is_refused(frames: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        FrameBatches(frames, 0)
