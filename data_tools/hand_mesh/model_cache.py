"""Where model files that ``smplx`` can be given are kept on this machine, and how they are written."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

CACHE_VARIABLE = "HANDPRIOR_CACHE"


def cache_root() -> Path:
    """Where expanded files are kept: ``$HANDPRIOR_CACHE``, else ``$XDG_CACHE_HOME/handprior``, else ``~/.cache``."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "handprior"


def write_model(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as an .npz at zlib's fastest level: the default takes eight times as long for the same zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
