"""The store: the frames of a selection, packed into one memory-mapped array, with the statistics priors need."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float32

from data_tools.catalog import Progress
from data_tools.dataset_notes import mean_hands
from data_tools.packing import ABOUT_FILE, POSES_FILE, ROWS_FILE, Packing, Parts
from data_tools.selection import Selection, balance
from data_tools.whole_folder import whole_folder

__all__ = ["PoseStore", "Selection", "balance", "pack"]


class PoseStore:
    """A packed selection, opened without reading it.

    Rows are grouped by split (train, val, test) and ordered by dataset, sequence and frame. Values are axis-angle
    in radians, float32, with the mean hand included and on the principal branch.

    Args:
        path: The folder that :func:`pack` wrote.

    Attributes:
        path: The folder.
        about: Everything that ``store.json`` says.
        pose: ``hands`` (90 columns) or ``full`` (165).
        dim: Columns.
        hash: Hash of all values.
        synthetic: Whether the data are made up.
        column_names: A name for each column.
        mean: (dim,) mean over the train split.
        std: (dim,) standard deviation over the train split.
        active: (dim,) columns that vary; the others are never modelled.
        constants: (dim,) what the others are; 0 at active columns.

    Raises:
        FileNotFoundError: No store there.
        ValueError: A damaged store.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        about = self.path / ABOUT_FILE
        if not about.is_file():
            raise FileNotFoundError(f"{self.path}: no {ABOUT_FILE} in it; make a store with `handprior pack`")
        try:
            self.about: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
            self.pose: Parts = self.about["pose"]
            self.dim: int = self.about["dim"]
            self.hash: str = self.about["hash"]
            self.synthetic: bool = self.about["source"]["synthetic"]
            self.column_names: tuple[str, ...] = tuple(self.about["column_names"])
            self.mean: Float32[np.ndarray, "dim"] = np.array(self.about["mean"], np.float32)
            self.std: Float32[np.ndarray, "dim"] = np.array(self.about["std"], np.float32)
            self.active: Bool[np.ndarray, "dim"] = np.array(self.about["active"], bool)
            self.constants: Float32[np.ndarray, "dim"] = np.array(self.about["constants"], np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{about}: damaged ({error!r}); pack again") from error

    @cached_property
    def poses(self) -> Float32[np.ndarray, "rows dim"]:
        """All rows, mapped from disk, read-only."""
        path = self.path / POSES_FILE
        try:
            poses = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: damaged or missing ({error}); pack again") from error
        if poses.shape != (self.about["rows"], self.dim) or poses.dtype != np.float32:
            raise ValueError(f"{path}: holds {poses.shape} {poses.dtype}, {ABOUT_FILE} says otherwise; pack again")
        return poses

    @cached_property
    def rows(self) -> pl.DataFrame:
        """One row per pose: dataset, sequence, frame, tier, split, subject."""
        return pl.read_parquet(self.path / ROWS_FILE)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.about["splits"])

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets that gave frames."""
        return list(self.about["datasets"])

    def split(self, name: str) -> Float32[np.ndarray, "rows dim"]:
        """The poses of one split: a view, not a copy."""
        return self.poses[self._span(name)]

    def split_rows(self, name: str) -> pl.DataFrame:
        """The rows that belong to :meth:`split`."""
        span = self._span(name)
        return self.rows[span.start : span.stop]

    def _span(self, name: str) -> slice:
        if name not in self.about["splits"]:
            raise ValueError(f"no split {name!r} in {self.path}; it has {', '.join(self.splits)}")
        return slice(*self.about["splits"][name])

    def __len__(self) -> int:
        return int(self.about["rows"])

    def __repr__(self) -> str:
        made_up = ", synthetic" if self.synthetic else ""
        return f"PoseStore({str(self.path)!r}: {len(self):,} {self.pose} poses of {self.dim} columns{made_up})"


def pack(
    splits: Path | str | Selection,
    data: Path | str,
    out: Path | str,
    *,
    pose: Parts = "hands",
    hands_mean: Float[np.ndarray, "90"] | Sequence[float] | None = None,
    progress: Progress | None = None,
) -> PoseStore:
    """Read the frames of a selection and write them as a store.

    Every file is read once, in order, and memory does not grow with the data.

    Args:
        splits: The selection, or the folder that :func:`balance` wrote.
        data: The data folder it was made from.
        out: Folder to write.
        pose: ``hands`` for both hands (90 columns), ``full`` for the whole body (165).
        hands_mean: The model's mean hands (90, radians), for data stored relative to it, unless the data's
            ``handprior.yaml`` gives them.
        progress: Called after each file.

    Raises:
        ValueError: A file that has changed or lacks a body for ``full``; relative hands without a known mean.
        FileNotFoundError: The selection or a file is not there.
        FileExistsError: ``out`` holds something else.
    """
    selection = splits if isinstance(splits, Selection) else Selection.read(splits)
    if pose not in ("hands", "full"):
        raise ValueError(f"pose must be hands or full, got {pose!r}")
    mean = mean_hands(selection.about["hands_mean"] or hands_mean, "hands_mean")
    _refuse_unknown_mean(selection, mean)
    job = Packing(selection, Path(data), pose, None if mean is None else np.array(mean))
    with whole_folder(Path(out), ABOUT_FILE) as folder:
        job.write(folder, progress)
    return PoseStore(out)


def _refuse_unknown_mean(selection: Selection, mean: tuple[float, ...] | None) -> None:
    relative = sorted(path for path, (_, convention) in selection.about["files"].items() if convention == "rel")
    if relative and mean is None:
        raise ValueError(
            f"{relative[0]}{f' and {len(relative) - 1} more files' if len(relative) > 1 else ''}: hands are stored "
            "relative to a mean hand that is not known; set SMPLX_MODEL_PATH to the model file, or give its 90 numbers "
            "as `hands_mean` in handprior.yaml beside the data"
        )
