"""Hands stored as PCA coefficients: decoded with the components of the user's SMPL-X or MANO model file.

Coefficients mean nothing without the components that they were made with, and those are licensed: they are read from
the model that ``SMPLX_MODEL_PATH`` names, never from the open hand, whose components are its own.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32

from data_tools.pose_layout import HAND_DIM

Side = Literal["left", "right"]

ENVIRONMENT = "SMPLX_MODEL_PATH"

MISSING = f"hands are stored as PCA coefficients: set {ENVIRONMENT} to the SMPL-X or MANO model file"

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, eq=False)
class HandComponents:
    """Principal components of hand poses, as a model file has them.

    Attributes:
        left: (45, 45) one component per row, axis-angle in radians; index, middle, pinky, ring, thumb.
        right: As ``left``.
        fingerprint: Hash of both.
    """

    left: Float32[np.ndarray, "45 45"]
    right: Float32[np.ndarray, "45 45"]
    fingerprint: str


def decode(
    coefficients: Float[np.ndarray, "frames components"], side: Side, path: Path | str | None = None
) -> Float32[np.ndarray, "frames 45"]:
    """Turn PCA coefficients into the axis-angle pose of one hand, relative to the mean hand.

    This is ``coefficients @ hands_components[:k]``, as in smplx's ``MANO`` with ``use_pca=True``; the mean is not
    added, so that the result is ``rel``.

    Args:
        coefficients: The first 1 to 45 coefficients of each frame.
        side: Which hand.
        path: The file they are from, for errors.

    Raises:
        UnreadableFile: No model file is set, or it cannot be used.
        ValueError: The same, where no ``path`` is given; or more than 45 coefficients.
    """
    # Here and not above: the readers, which say what UnreadableFile is, import this module.
    from data_tools.readers.reader import UnreadableFile

    count = coefficients.shape[-1]
    if not 1 <= count <= HAND_DIM:
        raise ValueError(f"a hand has 1 to {HAND_DIM} PCA coefficients, got {count}")
    try:
        components = hand_components()
    except (ValueError, OSError) as error:
        if path is None:
            raise
        raise UnreadableFile(path, str(error)) from error
    rows = (components.left if side == "left" else components.right)[:count]
    return np.asarray(coefficients, np.float32) @ rows


def hand_components() -> HandComponents:
    """Read the components of the model that ``SMPLX_MODEL_PATH`` names; read again only when the file has changed.

    Raises:
        ValueError: The variable is not set, or the model has no 45 components per hand.
        FileNotFoundError: It names nothing.
    """
    stamp = components_stamp()
    if stamp is None:
        raise ValueError(MISSING)
    return _read(stamp)


def components_fingerprint() -> str | None:
    """A hash of the components in use: data decoded with others are other data. None without a usable model."""
    try:
        return hand_components().fingerprint
    except (ValueError, OSError):
        return None


def components_stamp() -> Stamp | None:
    """Path, size and time of the model files that the components would be read from; None if no model is set.

    Unlike :func:`components_fingerprint` this opens nothing.

    Raises:
        ValueError: ``SMPLX_MODEL_PATH`` names a file that is no model.
        FileNotFoundError: It names nothing.
    """
    from data_tools.hand_mesh.model_files import find_model

    named = os.environ.get(ENVIRONMENT)
    if not named:
        return None
    paths = find_model(Path(named).expanduser()).paths
    return tuple((str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths)


def components_key() -> Stamp | None:
    """:func:`components_stamp`, or None where there is no usable model: what decoded data depend on, for caches."""
    try:
        return components_stamp()
    except (ValueError, OSError):
        return None


def check_components(fingerprint: str | None) -> None:
    """Refuse to go on with data that were decoded with other components.

    Args:
        fingerprint: That of the components used before; None where none were.

    Raises:
        ValueError: The model now in use has other components, or there is none.
    """
    if fingerprint is None:
        return
    now = hand_components().fingerprint
    if now != fingerprint:
        raise ValueError(
            f"some hands were decoded with the components of another model file: set {ENVIRONMENT} to the model that "
            "the data were scanned with, or scan and balance again"
        )


@lru_cache(maxsize=2)
def _read(stamp: Stamp) -> HandComponents:
    from data_tools.hand_mesh.model_files import read_model

    paths = [Path(name) for name, _, _ in stamp]
    if len(paths) == 1:
        model = read_model(paths[0], "smplx")
        found = [model.get(f"hands_components{side}") for side in "lr"]
    else:
        found = [read_model(path, "mano").get("hands_components") for path in paths]
    for path, components in zip((paths * 2)[:2], found, strict=True):
        shape = None if components is None else components.shape
        if shape != (HAND_DIM, HAND_DIM):
            what = "none" if shape is None else f"shape {shape}"
            raise ValueError(
                f"{path}: expected 45 hand components of 45 numbers, found {what}; give another model file"
            )
    left, right = (np.ascontiguousarray(components, np.float32) for components in found)
    digest = hashlib.blake2b(left.tobytes() + right.tobytes(), digest_size=16).hexdigest()
    return HandComponents(left, right, digest)
