"""Turning points on disk: all of them come back, and whatever is alike is found as if each were compared with each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from data_tools.auditing import point_file
from data_tools.auditing.alike_points import alike_points
from data_tools.auditing.point_file import PointFile, reach
from data_tools.auditing.turning_points import KINDS, NUMBERS, POINT_FIELDS, TurningPoints

COUNT = 600
HALF = NUMBERS // 2


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and pieces of a size that a few points fill many of."""
    monkeypatch.setattr(point_file, "_RUN", 100)
    monkeypatch.setattr(point_file, "BLOCK", 30)


def points_of(rng: np.random.Generator) -> TurningPoints:
    """Points of all sizes in 40 sequences; the last half are the first half again, a little moved or mirrored."""
    change = rng.normal(size=(COUNT // 2, NUMBERS)) * np.exp(rng.uniform(-2, 1, (COUNT // 2, 1))) / 3
    size = np.linalg.norm(change, axis=1, keepdims=True)
    away = rng.normal(size=change.shape)
    moved = change + away / np.linalg.norm(away, axis=1, keepdims=True) * size * rng.uniform(0, 0.5, size.shape)
    moved[::2, HALF:] *= -1
    kind = rng.integers(KINDS, size=COUNT // 2)
    frame = np.arange(COUNT, dtype=np.int32)
    return TurningPoints(
        np.repeat(np.arange(40, dtype=np.int32), COUNT // 40),
        frame,
        frame - 7,
        np.tile(kind, 2).astype(np.int8),
        np.concatenate([change, moved]).astype(np.float16),
    )


@pytest.fixture
def points() -> TurningPoints:
    return points_of(np.random.default_rng(0))


@pytest.fixture
def kept(points: TurningPoints, small_pieces: None) -> Iterator[PointFile]:
    with PointFile() as file:
        for part in np.array_split(np.arange(COUNT), 17):
            file.add(TurningPoints(*(getattr(points, name)[part] for name in POINT_FIELDS)))
        yield file


def test_every_point_comes_back_once(kept: PointFile, points: TurningPoints) -> None:
    assert len(kept) == COUNT
    numbers = []
    for piece, others in kept.pieces():
        assert 0 < len(piece) <= 30
        np.testing.assert_array_equal(piece.sequence, points.sequence[piece.number])
        np.testing.assert_array_equal(piece.change, points.change[piece.number].astype(np.float32))
        assert len(np.unique(points.kind[piece.number])) == 1
        assert all(len(other) <= 30 for other in others)
        numbers.append(piece.number)
    assert sorted(np.concatenate(numbers).tolist()) == list(range(COUNT))
    for name in ("sequence", "frame", "before"):
        np.testing.assert_array_equal(kept.column(name), getattr(points, name))


def test_what_is_alike_is_what_comparing_each_with_each_finds(kept: PointFile, points: TurningPoints) -> None:
    change = points.change.astype(np.float64)
    far = reach(np.linalg.norm(change, axis=1))
    half = np.linalg.norm(change[:, None, :HALF] - change[None, :, :HALF], axis=2)
    near = (half <= 0.8 * far[:, None]) | (half <= 0.8 * far)
    may = near & (points.kind[:, None] == points.kind) & (points.sequence[:, None] != points.sequence)
    may &= np.arange(COUNT)[:, None] < np.arange(COUNT)
    for found, sign in zip(alike_points(kept), (1, -1), strict=True):
        skew = np.linalg.norm(change[:, None, HALF:] - sign * change[None, :, HALF:], axis=2)
        apart = np.hypot(half, skew)
        first, second = np.nonzero(may & (apart <= far[:, None]))
        assert len(first) > 60
        expected = set(zip(first.tolist(), second.tolist(), strict=True))
        assert list(zip(found[0].tolist(), found[1].tolist(), strict=True)) == sorted(expected)
        np.testing.assert_allclose(found[2], apart[found[0], found[1]], atol=1e-4)


def test_without_points_nothing_is_alike() -> None:
    with PointFile() as file:
        assert [len(column) for pairs in alike_points(file) for column in pairs] == [0] * 6
        assert len(file.column("frame")) == 0


def test_the_end_leaves_nothing_on_disk(points: TurningPoints) -> None:
    with PointFile() as file:
        file.add(points)
        file.column("frame")
        place = file._runs.parent
        assert place.is_dir()
    assert not place.exists()
