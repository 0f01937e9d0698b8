"""A scan of one file finds the same whatever the chunks, and counts what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_tools.dataset_notes import DatasetNotes
from data_tools.readers import reader_for
from data_tools.scanning import file_scan
from data_tools.scanning.file_scan import scan_file, windows

MovingHands = Callable[[int, int], np.ndarray]
Consolidated = Callable[..., Path]


def scanned(path: Path, notes: DatasetNotes | None = None) -> pl.DataFrame:
    return scan_file(path, path.parent, reader_for(path), notes or DatasetNotes())


Part = Callable[[slice], Path]


@pytest.fixture
def part_of_messy(tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated) -> Part:
    """Writes some frames of four clips with a frozen hand, NaN, a dead clip, a copied stretch and image ids."""
    hands = np.concatenate([moving_hands(length, seed) for seed, length in enumerate((300, 95, 4, 250))])
    hands[100:145, :45] = hands[100, :45]
    hands[[10, 200, 299, 300]] = np.nan
    hands[300:395, 45:] = hands[301, 45:]
    hands[500:520, 45:] = hands[500:520, :45]
    body = np.concatenate([moving_hands(length, 50 + length)[:, :63] for length in (300, 95, 4, 250)])
    ids = np.concatenate([np.arange(length) for length in (300, 95, 4, 250)])
    return lambda part: consolidated(tmp_path / "messy.npz", hands[part], body=body[part], image_id=ids[part])


@pytest.fixture
def messy(part_of_messy: Part) -> Path:
    return part_of_messy(slice(None))


@pytest.mark.parametrize("chunk_frames", [1, 7, 31, 64, 100, 128, 649, 5000])
def test_the_result_does_not_depend_on_the_chunks(
    part_of_messy: Part, chunk_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Frame by frame is slow: about the dead clip only.
    path = part_of_messy(slice(285, 410) if chunk_frames == 1 else slice(None))
    expected = scanned(path)
    assert len(expected) == 4
    monkeypatch.setattr(file_scan, "CHUNK_FRAMES", chunk_frames)
    assert scanned(path).equals(expected)


def test_sequences_and_their_usable_frames(messy: Path) -> None:
    table = scanned(messy)
    assert table["start"].to_list() == [0, 300, 395, 399]
    assert table["stop"].to_list() == [300, 395, 399, 649]
    assert table["sequence"].to_list() == [f"messy#{k:06d}" for k in range(4)]
    assert table["usable_spans"].to_list() == [
        [0, 10, 11, 100, 145, 200, 201, 299],
        [],
        [395, 399],
        [399, 500, 520, 649],
    ]
    assert table["usable_frames"].to_list() == [252, 0, 4, 230]
    assert table["live_left"].to_list() == [252, 94, 4, 230]
    assert table["live_right"].to_list() == [297, 0, 4, 230]
    assert table["nan"].to_list() == [3, 1, 0, 0]
    assert table["frozen_left"].to_list() == [45, 0, 0, 0]
    assert table["copied"].to_list() == [0, 0, 0, 20]
    assert table["constant_right"].to_list() == [False, True, False, False]


def test_spans_and_counts_agree(messy: Path) -> None:
    for row in scanned(messy).iter_rows(named=True):
        spans = np.array(row["usable_spans"]).reshape(-1, 2)
        assert (spans[:, 1] - spans[:, 0]).sum() == row["usable_frames"]
        assert row["usable_frames"] <= min(row["live_left"], row["live_right"]) <= row["frames"]


def test_a_short_dead_clip_is_dead(tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated) -> None:
    """Twelve frames are too few to be frozen for a second; a hand that never moves in them is dead all the same."""
    hands = np.concatenate([moving_hands(100, 0), np.tile(moving_hands(1, 1), (12, 1)), moving_hands(100, 2)])
    table = scanned(consolidated(tmp_path / "a.npz", hands, image_id=np.r_[0:100, 0:12, 0:100]))
    assert table["frames"].to_list() == [100, 12, 100]
    assert table["usable_frames"].to_list() == [100, 0, 100]


def test_amass_files_are_one_sequence(tmp_path: Path, moving_hands: MovingHands) -> None:
    hands = np.concatenate([moving_hands(100, 0), moving_hands(100, 1)])
    poses = np.hstack([np.zeros((200, 66)), hands])
    np.savez(tmp_path / "x_poses.npz", poses=poses, mocap_framerate=30.0)
    table = scanned(tmp_path / "x_poses.npz")
    assert table.select("sequence", "start", "stop", "fps", "hand_mean").rows() == [("x_poses", 0, 200, 30.0, "incl")]


def test_nan_in_the_body_counts(tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated) -> None:
    body = moving_hands(50, 1)[:, :63].copy()
    body[20, 5] = np.nan
    table = scanned(consolidated(tmp_path / "a.npz", moving_hands(50, 0), body=body))
    assert table["usable_spans"].to_list() == [[0, 20, 21, 50]]


def test_content_hash_is_of_the_hands(tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated) -> None:
    hands = np.concatenate([moving_hands(100, 0), moving_hands(60, 1), moving_hands(100, 0)])
    table = scanned(consolidated(tmp_path / "a.npz", hands, image_id=np.r_[0:100, 0:60, 0:100]))
    first, second, third = table["content_hash"]
    assert first == third != second
    hands[5, 5] += 1e-6
    again = scanned(consolidated(tmp_path / "b.npz", hands, image_id=np.r_[0:100, 0:60, 0:100]))
    assert again["content_hash"][0] != first


def test_windows_show_the_neighbourhood(tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated) -> None:
    path = consolidated(tmp_path / "a.npz", moving_hands(500, 0))
    judged = []
    for window in windows(reader_for(path).chunks(path, chunk_frames=60), reach=40):
        frames = window.span.frame_index
        low, high = int(frames[window.low]), int(frames[window.high - 1])
        assert frames[0] <= max(0, low - 40)
        assert frames[-1] >= min(499, high + 40)
        judged += frames[window.low : window.high].tolist()
    assert judged == list(range(500))
