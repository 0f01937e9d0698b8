"""Small stores written by hand: few datasets, dead ones, short sequences, any layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_tools.store import PoseStore


class Piece(NamedTuple):
    """Frames of one sequence."""

    dataset: str
    tier: str
    sequence: str
    split: str
    poses: np.ndarray


def write_store(folder: Path, pieces: Sequence[Piece]) -> PoseStore:
    """Write pieces, grouped by split as they come, as a store; nothing but what explorers read is true."""
    folder.mkdir(parents=True)
    poses = np.concatenate([piece.poses for piece in pieces]).astype(np.float32)
    splits: dict[str, list[int]] = {}
    rows, start = [], 0
    for piece in pieces:
        end = start + len(piece.poses)
        splits[piece.split] = [splits.get(piece.split, [start])[0], end]
        about = {"dataset": piece.dataset, "sequence": piece.sequence, "tier": piece.tier, "split": piece.split}
        rows += [about | {"frame": frame, "subject": None} for frame in range(len(piece.poses))]
        start = end
    categories = dict.fromkeys(("dataset", "sequence", "tier", "split"), pl.Categorical)
    pl.DataFrame(rows, schema_overrides=categories).write_parquet(folder / "rows.parquet")
    np.save(folder / "poses.npy", poses)
    dim = poses.shape[1]
    about = {
        "version": 2,
        "pose": {45: "hand", 90: "hands", 165: "full"}[dim],
        "dim": dim,
        "rows": len(poses),
        "splits": splits,
        "datasets": sorted({piece.dataset for piece in pieces}),
        "column_names": [f"column_{k}" for k in range(dim)],
        "mean": poses.mean(0).tolist(),
        "std": poses.std(0).tolist(),
        "active": (poses.std(0) > 1e-4).tolist(),
        "constants": [0.0] * dim,
        "source": {"synthetic": True},
        "hash": "none",
    }
    (folder / "store.json").write_text(json.dumps(about))
    return PoseStore(folder)


def wandering(random: np.random.Generator, frames: int, dim: int = 90) -> np.ndarray:
    """Poses (radians) that change smoothly, as recordings do."""
    return 0.4 * random.standard_normal(dim) + np.cumsum(0.02 * random.standard_normal((frames, dim)), axis=0)
