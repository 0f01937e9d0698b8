"""Reading ahead asks for the bytes of the rows that come next."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from training.read_ahead import ReadAhead

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system cannot be asked")


@pytest.fixture
def rows(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "rows.npy", np.arange(9000, dtype=np.float32).reshape(1000, 9))
    return np.load(tmp_path / "rows.npy", mmap_mode="r")


@pytest.mark.parametrize("start", [0, 300])
def test_spans_are_asked_for_by_their_bytes(rows: np.ndarray, start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr("training.read_ahead._is_near", lambda file, place: False)
    monkeypatch.setattr(os, "posix_fadvise", lambda file, place, size, advice: asked.append((place, size)))
    part = rows[start:]
    ahead = ReadAhead.of(part)
    assert ahead is not None
    ahead.fetch(torch.tensor([200, 7]), 5)
    content = Path(ahead.path).read_bytes()
    found = [np.frombuffer(content[place : place + size], np.float32).reshape(-1, 9) for place, size in asked]
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate([part[200:205], part[7:12]]))


def test_rows_in_memory_are_not_asked_for(rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ReadAhead.of(np.array(rows)) is None
    ahead = ReadAhead.of(rows)
    assert ahead is not None
    monkeypatch.setattr("training.read_ahead._is_near", lambda file, place: True)
    monkeypatch.setattr(os, "posix_fadvise", lambda *_: pytest.fail("asked"))
    ahead.fetch(torch.tensor([0]), 5)
