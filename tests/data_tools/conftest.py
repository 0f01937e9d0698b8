"""Catalogs without files, folders of small files, and a scan cache that is not the user's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import settings

from data_tools.catalog import Catalog

settings.register_profile("without deadline", deadline=None)  # a busy machine is no defect
settings.load_profile("without deadline")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep scans of the tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def catalog_of(
    datasets: Mapping[str, list[int]],
    subjects: Mapping[str, list[str | None]] | None = None,
    fps: float | None = None,
    dead: tuple[str, ...] = (),
) -> Catalog:
    """Make a catalog of whole, usable sequences of given lengths that stand one after another in one file each."""
    rows = []
    for name, lengths in sorted(datasets.items()):
        stop = 0
        for index, length in enumerate(lengths):
            start, stop = stop, stop + length
            usable = 0 if name in dead else length
            rows.append(
                {
                    "dataset": name,
                    "sequence": f"{name}#{index:06d}",
                    "path": f"{name}.npz",
                    "format": "consolidated",
                    "start": start,
                    "stop": stop,
                    "frames": length,
                    "fps": fps,
                    "subject": subjects[name][index] if subjects and name in subjects else None,
                    "hand_mean": "incl",
                    "has_body": True,
                    "usable_frames": usable,
                    "live_left": usable,
                    "live_right": usable,
                    "usable_spans": [start, stop] if usable else [],
                    "content_hash": hashlib.blake2b(f"{name} {index} {length}".encode(), digest_size=12).hexdigest(),
                    "flags": ["dead hands"] if name in dead else [],
                }
            )
    schema = {"fps": pl.Float64, "subject": pl.String, "usable_spans": pl.List(pl.Int64), "flags": pl.List(pl.String)}
    return Catalog(pl.DataFrame(rows, schema_overrides=schema), (), "data")


@pytest.fixture(scope="session")
def make_catalog() -> Callable[..., Catalog]:
    return catalog_of


def smooth_hands(frames: int, seed: int) -> np.ndarray:
    """Both hands moving smoothly, (frames, 90) in radians: slow sines of many phases."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / 30
    waves = rng.uniform(0.2, 0.5, 90) * np.sin(rng.uniform(1, 2, 90) * time + rng.uniform(0, 6, 90))
    return (rng.uniform(-0.5, 0.5, 90) + waves).astype(np.float32)


@pytest.fixture(scope="session")
def moving_hands() -> Callable[[int, int], np.ndarray]:
    return smooth_hands


def write_consolidated(path: Path, hands: np.ndarray, *, body: np.ndarray | None = None, **more: np.ndarray) -> Path:
    """Write a consolidated file; (frames, 90) hands, and a (frames, 63) body if given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if body is not None:
        more = {"body_pose": body, **more}
    np.savez(path, lhand_pose=hands[:, :45], rhand_pose=hands[:, 45:], **more)  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="session")
def consolidated() -> Callable[..., Path]:
    return write_consolidated
