"""An audit read back from the folder that :meth:`data_tools.dataset_audit.Audit.write` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_tools.auditing.audit_tables import ANGLES, BINS, EDGES, AngleHistograms, DatasetDistances
from data_tools.dataset_audit import ABOUT_FILE, Audit
from data_tools.pose_layout import HAND_NAMES_90
from data_tools.scanning.data_folder import Rejected

_TABLES = ("datasets", "sequences", "joints", "histograms", "distances", "joint_distances", "duplicates",
           "conventions", "examples")  # fmt: skip


def is_audit(folder: Path | str) -> bool:
    """Whether an audit was written here."""
    return (Path(folder) / ABOUT_FILE).is_file()


def read_audit(folder: Path | str) -> Audit:
    """Read an audit back.

    What is not written is not there: the mean hands, and how much of the variance each principal component holds.

    Args:
        folder: The folder of tables beside ``audit.html``.

    Raises:
        FileNotFoundError: No audit there.
        ValueError: It is damaged.
    """
    folder = Path(folder)
    if not is_audit(folder):
        raise FileNotFoundError(
            f"{folder}: no {ABOUT_FILE} in it; make one with `handprior audit DATA --out audit.html`"
        )
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
        tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in _TABLES}
        names = tuple(tables["datasets"]["dataset"].to_list())
        return Audit(
            datasets=tables["datasets"],
            sequences=tables["sequences"],
            joints=tables["joints"],
            histograms=_histograms(tables["histograms"], names),
            distances=_distances(tables["distances"], tables["joint_distances"], names),
            duplicates=tables["duplicates"],
            conventions=tables["conventions"],
            examples=tables["examples"],
            rejected=tuple(Rejected(entry["path"], entry["reason"]) for entry in about["rejected"]),
            root=about["root"],
            synthetic=about["synthetic"],
            hands_mean_source=about["hands_mean_source"],
            definitions=about["definitions"],
            fingerprint=about["fingerprint"],
        )
    except (pl.exceptions.PolarsError, KeyError, TypeError, IndexError, OSError, ValueError) as error:
        text = " ".join(str(error).split())[:120]
        raise ValueError(f"{folder}: a damaged audit ({text}); make it again with `handprior audit`") from error


def _places(column: pl.Series, names: tuple[str, ...]) -> np.ndarray:
    return column.cast(pl.String).replace_strict(list(names), list(range(len(names))), return_dtype=pl.Int64).to_numpy()


def _histograms(table: pl.DataFrame, names: tuple[str, ...]) -> AngleHistograms:
    counts = np.zeros((len(names), len(HAND_NAMES_90), len(ANGLES), BINS), np.int64)
    at = np.searchsorted(EDGES, (table["low"].to_numpy() + table["high"].to_numpy()) / 2) - 1
    index = (_places(table["dataset"], names), _places(table["joint"], HAND_NAMES_90), _places(table["angle"], ANGLES))
    counts[(*index, at)] = table["frames"].to_numpy()
    return AngleHistograms(names, counts)


def _distances(pairs: pl.DataFrame, joints: pl.DataFrame, names: tuple[str, ...]) -> DatasetDistances:
    size = len(names)
    first, second = _places(pairs["dataset_a"], names), _places(pairs["dataset_b"], names)
    square = {}
    for column in ("pca", "covered", "joints"):
        square[column] = np.full((size, size), np.nan)
        square[column][first, second] = pairs[column].fill_null(np.nan).to_numpy()
    per_joint = np.full((size, size, len(HAND_NAMES_90)), np.nan)
    a, b = _places(joints["dataset_a"], names), _places(joints["dataset_b"], names)
    joint, values = _places(joints["joint"], HAND_NAMES_90), joints["divergence"].fill_null(np.nan).to_numpy()
    per_joint[a, b, joint] = values
    per_joint[b, a, joint] = values
    # Only pairs of two datasets are written by joint: a dataset's distance from itself is 0 where it has live hands.
    itself = np.arange(size)
    per_joint[itself, itself] = np.where(np.isfinite(square["joints"][itself, itself]), 0.0, np.nan)[:, None]
    return DatasetDistances(names, per_joint, square["pca"], square["covered"], explained=np.empty(0))
