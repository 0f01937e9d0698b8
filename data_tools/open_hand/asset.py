"""The built open hand as it lies in the repository: one small compressed file, and the named poses beside it.

Arrays are stored as integers with one step size each (``NAME`` and ``NAME.step``); zlib then makes the many zeros of
skinning weights and correctives free. The left hand only is stored, the right one is its mirror image.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from data_tools.pose_layout import mirror_hand

ASSET = Path(__file__).with_name("open_hand.npz")
POSES = Path(__file__).with_name("named_poses.json")

_STEP = ".step"


def quantise(values: Float[np.ndarray, "..."], step: float, dtype: type[np.integer]) -> dict[str, np.ndarray]:
    """Round to multiples of ``step`` and store those as integers; returns the integers and the step.

    Raises:
        ValueError: A value does not fit the integer type.
    """
    steps = np.rint(np.asarray(values) / step)
    limits = np.iinfo(dtype)
    if steps.size and (steps.max() > limits.max or steps.min() < limits.min):
        raise ValueError(f"values up to {np.abs(values).max():g} do not fit {np.dtype(dtype)} at a step of {step:g}")
    return {"": steps.astype(dtype), _STEP: np.array(step)}


def write_asset(
    path: Path, exact: Mapping[str, np.ndarray], rounded: Mapping[str, tuple[np.ndarray, float, type[np.integer]]]
) -> None:
    """Write ``exact`` arrays as they are and ``rounded`` ones (values, step, integer type) as integers.

    The same arrays give the same bytes, whenever they are written: zip members carry a fixed date.
    """
    members = dict(exact)
    for name, (values, step, dtype) in rounded.items():
        members |= {name + suffix: array for suffix, array in quantise(values, step, dtype).items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in members.items():
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def read_asset(path: Path = ASSET) -> dict[str, np.ndarray]:
    """Read every array of the asset; those stored as integers with a step come back as float32."""
    with np.load(path, allow_pickle=False) as archive:
        names = [name for name in archive.files if not name.endswith(_STEP)]
        return {
            name: (archive[name] * archive[name + _STEP]).astype(np.float32)
            if name + _STEP in archive.files
            else archive[name]
            for name in names
        }


def hands_mean() -> Float32[np.ndarray, "90"]:
    """The open hand's mean pose, left then right, axis-angle in radians: what ``flat_hand_mean=False`` adds."""
    with np.load(ASSET, allow_pickle=False) as archive:
        left = archive["hand_mean"]
    return np.concatenate([left, mirror_hand(left)])


def named_poses() -> dict[str, Float32[np.ndarray, "45"]]:
    """Poses of the left open hand by name (``flat``, ``relaxed``, ``fist``, ``pinch``, ...), axis-angle in radians.

    Mirror one with :func:`data_tools.pose_layout.mirror_hand` to get the right hand's.
    """
    return {name: np.array(pose, np.float32) for name, pose in json.loads(POSES.read_text()).items()}
