"""The store: the frames of a selection, packed into one memory-mapped array, with the statistics priors need."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float32

from data_tools.catalog import Progress
from data_tools.dataset_notes import mean_hands
from data_tools.hand_pca import check_components
from data_tools.packing.chosen_frames import ChosenFrames
from data_tools.packing.on_disk import to_disk
from data_tools.packing.one_writer import one_writer
from data_tools.packing.packer import ABOUT_FILE, POSES_FILE, ROWS_FILE, Packing, Parts
from data_tools.packing.plain_npz import write_npz
from data_tools.packing.unfinished import refuse_too_little_space, unfinished_folder
from data_tools.remote import local_folder
from data_tools.selection import Selection, balance
from data_tools.whole_folder import check_place, holds, put_in_place

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
        pose: ``hands`` (90 columns), ``hand`` (45: a right hand, or a left one mirrored) or ``full`` (165).
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
        if not is_store(self.path):
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
        """One row per pose: dataset, sequence, frame, tier, split, subject; image_id where any source has one.

        In a one-hand store each frame has two rows, and ``side`` says whose hand it is: ``left``, then ``right``.
        """
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

    def write_npz(self, folder: Path | str) -> list[Path]:
        """Write train.npz, val.npz and test.npz (one per split) for whoever wants plain arrays.

        Each holds ``lhand_pose`` and ``rhand_pose`` (frames, 45), in a full store also ``global_orient`` (3),
        ``body_pose`` (63) and ``jaw_pose`` (3); ``dataset``, ``sequence`` and ``frame``, and ``image_id`` where there
        is one. Axis-angle in radians, float32, mean hand included; ``handprior.yaml`` beside them says so. They are
        read without pickle, by :func:`numpy.load` or as a data folder. A one-hand store gives ``hand_pose`` (rows, 45)
        with its ``side`` instead, which is no data folder: its left hands are mirrored.

        Args:
            folder: Where to; made if it is not there. Files of these names are replaced.

        Returns:
            The files.
        """
        return write_npz(self, Path(folder))

    def _span(self, name: str) -> slice:
        if name not in self.about["splits"]:
            raise ValueError(f"no split {name!r} in {self.path}; it has {', '.join(self.splits)}")
        return slice(*self.about["splits"][name])

    def __len__(self) -> int:
        return int(self.about["rows"])

    def __repr__(self) -> str:
        made_up = ", synthetic" if self.synthetic else ""
        return f"PoseStore({str(self.path)!r}: {len(self):,} {self.pose} poses of {self.dim} columns{made_up})"


def is_store(folder: Path | str) -> bool:
    """Tell whether a folder is a packed store; one that was hidden while another took its place is brought back."""
    return holds(folder, ABOUT_FILE)


def pack(
    splits: Path | str | Selection,
    data: Path | str,
    out: Path | str,
    *,
    pose: Parts = "hands",
    hands_mean: Float[np.ndarray, "90"] | Sequence[float] | None = None,
    npz: bool = False,
    progress: Progress | None = None,
) -> PoseStore:
    """Read the frames of a selection and write them as a store.

    Every file is read once, in order, and memory does not grow with the data. The store appears when it is whole;
    until then ``OUT.partial`` lies beside it. Whatever ends the work early, the files that were finished stay there,
    and packing the same again goes on from them: they are checked against their hashes, and a file that has changed
    since is read again. The bytes are those of a packing that nothing interrupted.

    Args:
        splits: The selection, or the folder that :func:`balance` wrote.
        data: The data folder it was made from, or its URL.
        out: Folder to write.
        pose: ``hands`` for both hands (90 columns); ``hand`` for one hand a row (45), two rows a frame: the left hand
            mirrored into a right one, then the right hand; ``full`` for the whole body (165).
        hands_mean: The model's mean hands (90, radians), for data stored relative to it, unless the data's
            ``handprior.yaml`` gives them.
        npz: Also write train.npz, val.npz and test.npz into the store's folder, see :meth:`PoseStore.write_npz`.
        progress: Called with frames done, frames in all, and the file they are from.

    Raises:
        ValueError: A file that has changed or lacks a body for ``full``; relative hands without a known mean.
        FileNotFoundError: The selection or a file is not there.
        FileExistsError: ``out`` holds something else.
        RuntimeError: Another process is writing ``out``.
        OSError: The disk is full, or has too little room to begin.
    """
    if pose not in get_args(Parts):
        raise ValueError(f"pose must be hands, hand or full, got {pose!r}")
    chosen = ChosenFrames.of(splits)
    mean = mean_hands(chosen.about["hands_mean"] or hands_mean, "hands_mean")
    _refuse_unknown_mean(chosen.about["files"], mean)
    check_components(chosen.about.get("hand_components"))
    job = Packing(chosen, local_folder(data, progress), pose, None if mean is None else np.array(mean), progress)
    out = Path(os.path.abspath(out))
    check_place(out, ABOUT_FILE)
    with one_writer(out), unfinished_folder(out, job.key, job.what) as work:
        refuse_too_little_space(out, work, job.bytes * (2 if npz else 1))
        folder = job.write(work)
        if npz:
            write_npz(PoseStore(folder), folder)
        to_disk(*folder.iterdir(), folder)
        put_in_place(folder, out)
        to_disk(out.parent)
    return PoseStore(out)


def _refuse_unknown_mean(files: Mapping[str, Sequence[str]], mean: tuple[float, ...] | None) -> None:
    relative = sorted(path for path, (_, convention) in files.items() if convention == "rel")
    if relative and mean is None:
        raise ValueError(
            f"{relative[0]}{f' and {len(relative) - 1} more files' if len(relative) > 1 else ''}: hands are stored "
            "relative to a mean hand that is not known; set SMPLX_MODEL_PATH to the model file, or give its 90 numbers "
            "as `hands_mean` in handprior.yaml beside the data"
        )
