"""A store's splits as plain .npz files, written a piece at a time."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from data_tools.packing.packer import ROWS_FILE
from data_tools.pose_layout import COLUMNS, HAND_DIM, HANDS_COLUMNS

if TYPE_CHECKING:
    from data_tools.store import PoseStore

KEYS = {
    "lhand_pose": "left_hand_pose",
    "rhand_pose": "right_hand_pose",
    "global_orient": "global_orient",
    "body_pose": "body_pose",
    "jaw_pose": "jaw_pose",
}
"""Keys of the consolidated format and the parts of a pose that stand under them; the eyes have none."""

NOTES = "hand_mean: {default: incl}\n"
_ROWS = 16_384
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever they are written


def write_npz(store: PoseStore, folder: Path) -> list[Path]:
    """Write one .npz per split; see :meth:`data_tools.store.PoseStore.write_npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for split, (start, stop) in store.about["splits"].items():
        path = folder / f"{split}.npz"
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                _write_split(store, archive, start, stop)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        files.append(path)
    notes = folder / "handprior.yaml"
    if not notes.exists():
        notes.write_text(NOTES + ("synthetic: true\n" if store.synthetic else ""), encoding="utf-8")
    return files


def _write_split(store: PoseStore, archive: zipfile.ZipFile, start: int, stop: int) -> None:
    for key, columns in _columns_of(store.pose).items():
        with _member(archive, key, np.dtype("<f4"), (stop - start, columns.stop - columns.start)) as member:
            for low in range(start, stop, _ROWS):
                member.write(np.ascontiguousarray(store.poses[low : min(low + _ROWS, stop), columns]).data)
    rows = pl.scan_parquet(store.path / ROWS_FILE).slice(start, stop - start)
    for key in ("dataset", "sequence", "frame", "side", "image_id"):
        if key in rows.collect_schema():
            _write_column(archive, key, rows.select(key), stop - start)


def _columns_of(pose: str) -> dict[str, slice]:
    """Where each array of an archive stands in the rows of a store."""
    if pose == "hand":
        return {"hand_pose": slice(0, HAND_DIM)}
    first = HANDS_COLUMNS.start if pose == "hands" else 0
    places = {key: slice(COLUMNS[part].start - first, COLUMNS[part].stop - first) for key, part in KEYS.items()}
    return {key: columns for key, columns in places.items() if columns.start >= 0}


def _write_column(archive: zipfile.ZipFile, key: str, column: pl.LazyFrame, rows: int) -> None:
    """Write numbers as they are, text in the width of its longest; an image id that is not known is -1 or empty."""
    if column.collect_schema()[key] == pl.Int64:
        dtype, missing = np.dtype("<i8"), pl.lit(-1, pl.Int64)
    else:
        column, missing = column.select(pl.col(key).cast(pl.String)), pl.lit("")
        lengths = (part[key].str.len_chars().fill_null(0).to_numpy() for part in _slices(column, rows))
        dtype = np.dtype(f"<U{max((int(length.max()) for length in lengths), default=1) or 1}")
    with _member(archive, key, dtype, (rows,)) as member:
        for part in _slices(column.select(pl.col(key).fill_null(missing)), rows):
            member.write(part[key].to_numpy().astype(dtype).data)


def _slices(column: pl.LazyFrame, rows: int) -> Iterator[pl.DataFrame]:
    for low in range(0, rows, 4 * _ROWS):
        yield column.slice(low, 4 * _ROWS).collect()


@contextmanager
def _member(archive: zipfile.ZipFile, key: str, dtype: np.dtype, shape: tuple[int, ...]) -> Iterator[Any]:
    """Write an array of the archive: its header is written, its data are what the caller writes."""
    with archive.open(zipfile.ZipInfo(f"{key}.npy", _LONG_AGO), "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        yield member
