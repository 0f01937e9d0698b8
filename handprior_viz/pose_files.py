"""Files of poses for drawing: what ``handprior sample`` writes, and any recording that a reader knows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data_tools.dataset_notes import FILE_NAME, DatasetNotes
from data_tools.hand_mean import to_model_pose
from data_tools.pose_layout import HAND_DIM
from data_tools.readers import reader_for
from data_tools.readers.reader import join

AT_MOST = 64
"""A longer recording is thinned to so many frames, evenly spaced."""


@dataclass(frozen=True, eq=False)
class DrawnPoses:
    """Poses read for drawing.

    Attributes:
        hands: (N, 90) axis-angle in radians, left hand first, mean hand included.
        synthetic: Whether they are made up, or learnt from what is.
    """

    hands: Float[np.ndarray, "N 90"]
    synthetic: bool


def write_poses(path: str | Path, hands: Float[np.ndarray, "N 90"], *, synthetic: bool) -> Path:
    """Write hands as an NPZ under SMPL-X names, beside its place and then renamed there.

    ``flat_hand_mean`` says in ``smplx``'s own words that the mean hand is included.
    """
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.npz")
    left, right = hands[:, :HAND_DIM], hands[:, HAND_DIM:]
    np.savez(beside, left_hand_pose=left, right_hand_pose=right, flat_hand_mean=np.True_, synthetic=np.bool_(synthetic))
    os.replace(beside, path)
    return path


def read_poses(path: str | Path, hands_mean: Float[np.ndarray, "90"] | None = None) -> DrawnPoses:
    """Read hands for drawing; frames that hold NaN are left out.

    A recording's mean-hand convention is what the ``handprior.yaml`` of its data folder says, as for a scan.

    Args:
        path: An NPZ from :func:`write_poses`, or a recording.
        hands_mean: The mean hands of the user's model, for ``rel`` data whose ``handprior.yaml`` does not give them.

    Raises:
        ValueError: No hands or no whole frame in it, or ``rel`` hands without a known mean.
        FileNotFoundError: No such file.
    """
    path = Path(path).absolute()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    reader = reader_for(path)
    count = reader.frames(path)
    if not count:
        raise ValueError(f"{path}: holds no frames")
    frames = np.unique(np.linspace(0, count - 1, min(AT_MOST, count)).round().astype(np.int64))
    root = next((folder for folder in path.parents if (folder / FILE_NAME).is_file()), path.parent)
    sequence = join(list(reader.pick(path, frames, root=root, hands_only=True)))
    notes = DatasetNotes.read(root)
    convention, synthetic = notes.convention(sequence.dataset, sequence.hand_mean), notes.synthetic
    with np.load(path) as own:
        if "flat_hand_mean" in own and "synthetic" in own:
            convention, synthetic = "incl", bool(own["synthetic"])
    whole = np.isfinite(sequence.hands).all(axis=1)
    if not whole.any():
        raise ValueError(f"{path}: every frame looked at holds NaN; there is nothing to draw")
    mean = hands_mean if notes.hands_mean is None else np.array(notes.hands_mean)
    return DrawnPoses(to_model_pose(sequence.hands[whole], convention, mean), synthetic)
