"""Files of poses: what ``handprior sample`` and the exports write, and any recording that a reader knows."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from data_tools.dataset_notes import FILE_NAME, DatasetNotes
from data_tools.hand_mean import to_model_pose
from data_tools.pose_layout import COLUMNS, HANDS_COLUMNS, HANDS_DIM, POSE_DIM
from data_tools.readers import reader_for
from data_tools.readers.container import container_of
from data_tools.readers.reader import join
from training.run_folder import write_atomically

AT_MOST = 64
"""A longer recording is thinned to so many frames, evenly spaced."""

FORMAT = "handprior poses"
"""What a JSON file of ours calls itself."""

_BETAS = _EXPRESSION = 10


@dataclass(frozen=True, eq=False)
class DrawnPoses:
    """Poses read for drawing.

    Attributes:
        hands: (N, 90) axis-angle in radians, left hand first, mean hand included.
        synthetic: Whether they are made up, or learnt from what is.
        fps: Frames per second of what was read, as the file says; None if it says nothing, or frames were left out.
        body: (N, 75) root, body, jaw and eyes, where they were asked for and any of them moves.
    """

    hands: Float[np.ndarray, "N 90"]
    synthetic: bool
    fps: float | None = None
    body: Float[np.ndarray, "N 75"] | None = None

    @property
    def poses(self) -> Float[np.ndarray, "N columns"]:
        """Whole poses (165 columns) where there is a body, else the hands (90)."""
        return self.hands if self.body is None else np.concatenate([self.body, self.hands], axis=1)


def smplx_parts(poses: Float[np.ndarray, "N columns"]) -> dict[str, Float32[np.ndarray, "N part"]]:
    """Poses as the arguments of ``smplx.SMPLX.forward``, a body that is not among them at rest.

    Args:
        poses: 90 columns (hands) or 165, axis-angle in radians, mean hand included.
    """
    whole = np.zeros((len(poses), POSE_DIM), np.float32)
    whole[:, -poses.shape[1] :] = poses
    parts = {name: whole[:, columns].copy() for name, columns in COLUMNS.items()}
    none = {"betas": (1, _BETAS), "transl": (len(poses), 3), "expression": (len(poses), _EXPRESSION)}
    return parts | {name: np.zeros(shape, np.float32) for name, shape in none.items()}


def poses_npz(poses: Float[np.ndarray, "N columns"], *, synthetic: bool, fps: float | None = None) -> bytes:
    """Poses as an NPZ that SMPL-X tools read.

    The keys are the arguments of ``smplx.SMPLX.forward``, and those of AMASS beside them (``poses``, ``trans``,
    ``mocap_frame_rate``). ``flat_hand_mean`` says in ``smplx``'s own words that the mean hand is included: make the
    model with ``flat_hand_mean=True, use_pca=False``. The shape is the model's mean shape.

    Args:
        poses: 90 columns (hands, the body at rest) or 165, axis-angle in radians, mean hand included.
        synthetic: Whether they are made up, or learnt from what is.
        fps: Frames per second, if they are a motion.
    """
    parts = smplx_parts(poses)
    arrays: dict[str, Any] = parts | {
        "poses": np.concatenate([parts[name] for name in COLUMNS], axis=1),
        "trans": parts["transl"],
        "gender": np.array("neutral"),
        "surface_model_type": np.array("smplx"),
        "flat_hand_mean": np.True_,
        "synthetic": np.bool_(synthetic),
    }
    if fps is not None:
        arrays["mocap_frame_rate"] = np.float64(fps)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def write_poses(path: str | Path, poses: Float[np.ndarray, "N columns"], *, synthetic: bool) -> Path:
    """Write :func:`poses_npz` beside its place and rename it there; the path gets ``.npz`` if it does not end so."""
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    content = poses_npz(poses, synthetic=synthetic)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return path


def poses_json(poses: Float[np.ndarray, "N columns"], *, synthetic: bool, fps: float | None = None) -> str:
    """Poses as JSON under the names of ``smplx.SMPLX.forward``; :func:`read_poses` reads the same numbers back.

    Args:
        poses: 90 columns (hands, the body at rest) or 165, axis-angle in radians, mean hand included.
        synthetic: Whether they are made up, or learnt from what is.
        fps: Frames per second, if they are a motion.
    """
    about = {
        "format": FORMAT,
        "units": "axis-angle, radians, one row per frame; betas, transl (metres) and expression are neutral",
        "flat_hand_mean": True,
        "synthetic": synthetic,
        "fps": fps,
        "frames": len(poses),
    }
    # Nine digits give every float32 back exactly; a row to a line keeps the file readable.
    rows = {
        name: ",\n    ".join("[" + ", ".join(f"{value:.9g}" for value in row) + "]" for row in part)
        for name, part in smplx_parts(poses).items()
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    lines += [f'  "{name}": [\n    {text}\n  ]' for name, text in rows.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_poses(
    path: str | Path,
    hands_mean: Float[np.ndarray, "90"] | None = None,
    *,
    at_most: int | None = AT_MOST,
    body: bool = False,
) -> DrawnPoses:
    """Read hands for drawing; frames that hold NaN are left out.

    A recording's mean-hand convention is what the ``handprior.yaml`` of its data folder says, as for a scan.

    Args:
        path: An NPZ from :func:`write_poses`, JSON from :func:`poses_json`, or a recording.
        hands_mean: The mean hands of the user's model, for ``rel`` data whose ``handprior.yaml`` does not give them.
        at_most: Thin a longer recording to so many frames, evenly spaced; None for all.
        body: Read the body as well, where the file has one.

    Raises:
        ValueError: No hands or no whole frame in it, or ``rel`` hands without a known mean.
        FileNotFoundError: No such file.
    """
    path = Path(path).absolute()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    own = _own_json(path)
    if own is not None:
        return _whole_frames(path, *_of_json(path, own), at_most=at_most, body=body)
    reader = reader_for(path)
    count = reader.frames(path)
    if not count:
        raise ValueError(f"{path}: holds no frames")
    frames = _evenly(count, at_most)
    root = next((folder for folder in path.parents if (folder / FILE_NAME).is_file()), path.parent)
    sequence = join(list(reader.pick(path, frames, root=root, hands_only=not body)))
    notes = DatasetNotes.read(root)
    convention, synthetic = notes.convention(sequence.dataset, sequence.hand_mean), notes.synthetic
    poses = sequence.poses
    if container_of(path) == "npz":
        with np.load(path) as arrays:
            if "flat_hand_mean" in arrays and "synthetic" in arrays:
                convention, synthetic = "incl", bool(arrays["synthetic"])
                if body and "poses" in arrays:  # with the eyes, which consolidated files have not
                    poses = arrays["poses"][frames]
    mean = hands_mean if notes.hands_mean is None else np.array(notes.hands_mean)
    fps = sequence.fps if len(frames) == count else None
    whole = np.isfinite(poses).all(axis=1)
    poses = np.where(whole[:, None], poses, 0)
    poses = np.where(whole[:, None], to_model_pose(poses, convention, mean), np.nan)
    return _whole_frames(path, poses.astype(np.float32), synthetic, fps, at_most=None, body=body)


def _whole_frames(
    path: Path,
    poses: Float[np.ndarray, "N columns"],
    synthetic: bool,
    fps: float | None,
    *,
    at_most: int | None,
    body: bool,
) -> DrawnPoses:
    kept = poses[_evenly(len(poses), at_most)]
    whole = np.isfinite(kept).all(axis=1)
    if not whole.any():
        raise ValueError(f"{path}: every frame looked at holds NaN; there is nothing to draw")
    steady = len(kept) == len(poses) and bool(whole.all())
    kept = kept[whole]
    rest = kept[:, : HANDS_COLUMNS.start] if kept.shape[1] == POSE_DIM else None
    moves = body and rest is not None and bool(rest.any())
    return DrawnPoses(kept[:, -HANDS_DIM:], synthetic, fps if steady else None, rest if moves else None)


def _evenly(count: int, at_most: int | None) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(at_most or count, count)).round().astype(np.int64))


def _own_json(path: Path) -> dict[str, Any] | None:
    """What :func:`poses_json` wrote, or None for every other file."""
    if container_of(path) != "json":
        return None
    with path.open(encoding="utf-8", errors="replace") as stream:
        if f'"format": "{FORMAT}"' not in stream.read(256):
            return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is damaged: {error}") from None
    return content


def _of_json(path: Path, content: dict[str, Any]) -> tuple[Float32[np.ndarray, "N 165"], bool, float | None]:
    try:
        parts = [np.asarray(content[name], np.float32) for name in COLUMNS]
        poses = np.concatenate(parts, axis=1)
        if poses.shape[1:] != (POSE_DIM,) or not len(poses):
            raise ValueError(f"its parts make up {poses.shape}")
        rate = content.get("fps")
        return poses, bool(content["synthetic"]), None if rate is None else float(rate)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: is not a whole file of poses ({error}): write it again") from None
