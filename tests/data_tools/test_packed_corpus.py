"""The embedded corpus as a store in one call: made once, opened afterwards, made again when asked for differently."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_tools import demo_corpus


def test_it_is_made_once_and_opened_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = demo_corpus.packed(tmp_path, frames=12_000, total=1_000)
    assert sum(len(store.split(split)) for split in store.splits) == 1_000
    assert store.synthetic
    monkeypatch.setattr("data_tools.demo_corpus.as_store.write", None)  # to write again would fail
    assert demo_corpus.packed(tmp_path, frames=12_000, total=1_000).hash == store.hash


def test_a_store_that_somebody_packed_by_hand_is_kept(tmp_path: Path) -> None:
    store = demo_corpus.packed(tmp_path, frames=12_000, total=1_000)
    (tmp_path / "made_of.json").unlink()
    assert demo_corpus.packed(tmp_path).hash == store.hash


def test_another_size_is_another_store(tmp_path: Path) -> None:
    demo_corpus.packed(tmp_path, frames=12_000, total=1_000)
    store = demo_corpus.packed(tmp_path, frames=12_000, total=800)
    assert sum(len(store.split(split)) for split in store.splits) == 800
