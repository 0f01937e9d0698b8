"""What a conditional prior is conditioned on: the dataset or tier of a pose, or a user's own vector per row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from data_tools.store import PoseStore

COLUMNS = ("dataset", "tier")
"""Columns of a store's rows that name conditions."""


def names_in(store: PoseStore, condition: str) -> tuple[str, ...]:
    """Names that the train split has in a column, in alphabetical order; none where the condition is a file."""
    if condition not in COLUMNS:
        return ()
    return tuple(sorted(store.split_rows("train")[condition].unique().cast(str).to_list()))


def vectors_of(store: PoseStore, file: str) -> Float[np.ndarray, "rows width"]:
    """Open a user's vectors, one for each row of the store.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not an array of one vector per row.
    """
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(
            f"model.condition={file}: no such file; conditions are none, {', '.join(COLUMNS)}, or an .npy of one "
            "vector for each row of the store"
        )
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not an array that can be read ({error})") from error
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or len(vectors) != len(store):
        shape = getattr(vectors, "shape", "no array")
        raise ValueError(f"{path}: expected one vector for each of the store's {len(store)} rows, got {shape}")
    return vectors


def one_hot(chosen: Sequence[str], names: tuple[str, ...]) -> Float[Tensor, "poses names"]:
    """One row per pose with a 1 at its name.

    Raises:
        ValueError: A name that the prior has not learnt.
    """
    for name in chosen:
        if name not in names:
            raise ValueError(f"no condition {name!r}: this prior knows {', '.join(names)}")
    places = torch.tensor([names.index(name) for name in chosen])
    return torch.nn.functional.one_hot(places, len(names)).float()
