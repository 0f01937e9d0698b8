"""``train.npz``, ``val.npz`` and ``test.npz`` of hands, read without pickle and without a second copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from data_tools.packing.moments import Moments
from data_tools.pose_layout import HAND_DIM, HANDS_DIM
from data_tools.readers.npz_members import Member, RowStream, list_members

_KEYS = ("lhand_pose", "rhand_pose")
_CHUNK_FRAMES = 65_536


def split_arrays(
    folder: Path, split: str
) -> tuple[Float[Tensor, "frames 90"], Callable[[Int64[Tensor, "batch"]], dict[str, Any]]]:
    """Read the hands of a split, and what says of each frame where it is from.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is damaged, or holds no hands.
    """
    members = _members(folder, split)
    hands = torch.empty(members[_KEYS[0]].shape[0], HANDS_DIM)
    done = 0
    for chunk in _chunks(members):
        hands[done : done + len(chunk)] = torch.from_numpy(chunk)
        done += len(chunk)
    if not bool(torch.isfinite(hands).all()):
        raise ValueError(f"{folder / f'{split}.npz'}: holds a pose that is not a number; pack it again")
    names, numbers, pictures = (_column(members, key) for key in ("dataset", "frame", "image_id"))

    def origins(index: Int64[Tensor, "batch"]) -> dict[str, Any]:
        chosen = index.cpu().numpy()
        found: dict[str, Any] = {}
        if names is not None:
            found["dataset_name"] = names[chosen].astype(str).tolist()
        if numbers is not None:
            found["frame_idx"] = torch.from_numpy(numbers[chosen].astype(np.int64))
        if pictures is not None:
            found["image_id"] = pictures[chosen].astype(str).tolist()
        return found

    return hands, origins


def train_moments(folder: Path) -> tuple[Float[Tensor, "90"], Float[Tensor, "90"]]:
    """Mean and standard deviation of each column over ``train.npz``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is damaged, or holds no hands.
    """
    moments = Moments.none(HANDS_DIM)
    for chunk in _chunks(_members(folder, "train")):
        moments.add(Moments.of(chunk))
    std = np.sqrt(moments.squares / max(moments.count, 1))
    return torch.from_numpy(moments.mean.astype(np.float32)), torch.from_numpy(std.astype(np.float32))


def _members(folder: Path, split: str) -> dict[str, Member]:
    path = folder / f"{split}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not there; write it with `handprior pack --npz`")
    members = list_members(path)
    for key in _KEYS:
        if key not in members:
            raise ValueError(f"{path}: has no {key}; found {', '.join(list(members)[:8]) or 'no arrays'}")
        shape, kind = members[key].shape, members[key].dtype.kind
        if len(shape) < 2 or int(np.prod(shape[1:])) != HAND_DIM or kind != "f":
            raise ValueError(f"{path}: {key} has shape {shape} {members[key].dtype}, expected floats (frames, 45)")
    counts = [members[key].shape[0] for key in _KEYS]
    if counts[0] != counts[1] or not counts[0]:
        raise ValueError(f"{path}: holds {counts[0]} left and {counts[1]} right hands, expected as many, and some")
    return members


def _chunks(members: dict[str, Member]) -> Iterator[Float[np.ndarray, "chunk 90"]]:
    with RowStream(members[_KEYS[0]]) as left, RowStream(members[_KEYS[1]]) as right:
        for _ in range(0, members[_KEYS[0]].shape[0], _CHUNK_FRAMES):
            sides = [stream.read(_CHUNK_FRAMES) for stream in (left, right)]
            yield np.concatenate([np.asarray(side, np.float32).reshape(-1, HAND_DIM) for side in sides], axis=1)


def _column(members: dict[str, Member], key: str) -> np.ndarray | None:
    """A column beside the hands, if the file has it."""
    if key not in members or members[key].is_object or members[key].shape != members[_KEYS[0]].shape[:1]:
        return None
    with RowStream(members[key], whole=True) as rows:
        return np.array(rows.everything())
