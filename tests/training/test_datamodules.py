"""Batches: every frame once an epoch, whole batches, standardised once."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from data_tools.store import PoseStore
from training.datamodules import FrameBatches, HandVAEDataModule, prepared_frames


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.arange(103.0)[:, None]


def values(batches: FrameBatches) -> list[list[float]]:
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


def test_store_comes_standardised_once_and_whole(demo_store: Path) -> None:
    store = PoseStore(demo_store)
    data = HandVAEDataModule(store, batch_size=128, val_frames=50)
    data.setup()
    train = torch.cat(list(data.train_dataloader()))
    assert train.shape == (len(store.split("train")), int(store.active.sum()))
    torch.testing.assert_close(train.mean(0), torch.zeros(train.shape[1]), rtol=0, atol=1e-3)
    torch.testing.assert_close(train.std(0, correction=0), torch.ones(train.shape[1]), rtol=0, atol=1e-3)
    val = torch.cat(list(data.val_dataloader()))
    assert len(val) == 50
    expected = (store.split("val")[[0, -1]] - store.mean) / store.std
    np.testing.assert_allclose(val[[0, -1]].numpy(), expected[:, store.active], rtol=1e-4, atol=1e-5)


def test_frames_that_are_not_numbers_are_refused(demo_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PoseStore(demo_store)
    poses = np.array(store.split("val"))
    poses[3, 3] = np.nan
    monkeypatch.setattr(PoseStore, "split", lambda self, name: poses if name == "val" else poses[:0])
    with pytest.raises(ValueError, match=r"val split of .* holds a pose that is not a number"):
        prepared_frames(store, "val", lambda pose: pose)
    with pytest.raises(ValueError, match=r"train split of .* is empty"):
        prepared_frames(store, "train", lambda pose: pose)
