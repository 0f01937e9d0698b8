"""The synthetic corpus as a user's folder: one NPZ per dataset and a ``handprior.yaml``, always the same bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from jaxtyping import Float32, Int

from data_tools.dataset_notes import FILE_NAME, DatasetNotes
from data_tools.demo_corpus.datasets import DATASETS, DemoDataset
from data_tools.demo_corpus.recording import Recorder, SequenceTruth
from data_tools.mixing.apportion import largest_remainder
from data_tools.open_hand import hands_mean
from data_tools.whole_folder import whole_folder

_WIDTHS = {"global_orient": 3, "body_pose": 63, "jaw_pose": 3, "lhand_pose": 45, "rhand_pose": 45}
_FLOOR = 300  # frames that even the smallest dataset gets, where there are enough
_LEAST_SEQUENCES = 5
_SHORTEST = 24  # frames of a sequence, where there are enough

Progress = Callable[[str, int, int], None]
"""Told after each sequence: the dataset's name, frames written so far, frames to write."""


@dataclass(frozen=True)
class DemoCorpus:
    """A written corpus. Use it wherever a path is wanted.

    Attributes:
        path: The folder.
        truth: What was put where, in the order of the files: the oracle that real data do not have.
    """

    path: Path
    truth: tuple[SequenceTruth, ...] = field(repr=False)

    def __fspath__(self) -> str:
        return str(self.path)


def write(
    out: str | os.PathLike[str], *, frames: int = 60_000, seed: int = 0, progress: Progress | None = None
) -> DemoCorpus:
    """Write the synthetic corpus into a folder, in the users' own on-disk format.

    Nothing in it was recorded: the motion is made up from hand-designed shapes (see the package's documentation), and
    the sidecar says ``synthetic: true``, which shows wherever the data show. The same seed and number of frames give
    the same bytes; another number changes sizes only.

    Args:
        out: Folder to write; an earlier synthetic corpus in it is replaced.
        frames: Frames in all.
        seed: Which of all possible corpora.
        progress: Called after each sequence.

    Returns:
        The folder, and what was really put into it.

    Raises:
        ValueError: Too few frames, a negative seed, or a folder that holds something else than a synthetic corpus.
    """
    folder = Path(out)
    sizes = apportion(frames)
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")
    _refuse_other_data(folder)
    mean = hands_mean().astype(np.float32)
    truth: list[SequenceTruth] = []
    with whole_folder(folder, FILE_NAME) as beside:
        (beside / FILE_NAME).write_text(_sidecar(mean), encoding="utf-8")
        for dataset in DATASETS:
            truth += _write_dataset(beside, dataset, sizes[dataset.name], seed, mean, progress)
    return DemoCorpus(folder, tuple(truth))


def apportion(frames: int) -> dict[str, int]:
    """Frames of each dataset: in proportion to the published sizes, none under a small floor, exact in sum.

    Raises:
        ValueError: Not even 20 frames per dataset.
    """
    least = 20 * len(DATASETS)
    if frames < least:
        raise ValueError(f"frames must be at least {least} (20 for each of {len(DATASETS)} datasets), got {frames}")
    floor = min(_FLOOR, frames // (2 * len(DATASETS)))
    shares = np.array([dataset.millions for dataset in DATASETS])
    given = largest_remainder(frames - floor * len(DATASETS), shares) + floor
    return {dataset.name: int(count) for dataset, count in zip(DATASETS, given, strict=True)}


def _sequence_lengths(dataset: DemoDataset, frames: int, seed: int) -> Int[np.ndarray, "sequences"]:
    """Cut a dataset into at least five sequences of unequal length, where it is long enough for five."""
    usual = dataset.seconds * dataset.fps
    count = max(min(_LEAST_SEQUENCES, frames // _SHORTEST), round(frames / usual), 1)
    rng = np.random.default_rng([seed, zlib.crc32(dataset.name.encode()), 3])
    shortest = min(_SHORTEST, frames // count)
    weights = rng.lognormal(0.0, 0.35, count)
    return shortest + largest_remainder(frames - shortest * count, weights)


def _write_dataset(
    folder: Path,
    dataset: DemoDataset,
    frames: int,
    seed: int,
    mean: Float32[np.ndarray, "90"],
    progress: Progress | None,
) -> list[SequenceTruth]:
    """Record a dataset sequence by sequence, so that memory holds one of them, and zip it up."""
    lengths = _sequence_lengths(dataset, frames, seed)
    recorder = Recorder(dataset, seed, len(lengths), mean)
    truth: list[SequenceTruth] = []
    with tempfile.TemporaryDirectory(dir=folder) as raw:
        members = {key: Path(raw) / f"{key}.npy" for key in _WIDTHS}
        with ExitStack() as opened:
            files = {key: opened.enter_context(path.open("wb")) for key, path in members.items()}
            for key, file in files.items():
                header = {"descr": "<f4", "fortran_order": False, "shape": (frames, _WIDTHS[key])}
                np.lib.format.write_array_header_1_0(file, header)
            for index, (length, stop) in enumerate(zip(lengths, np.cumsum(lengths), strict=True)):
                parts, sequence = recorder.record(index, int(length), int(stop - length))
                for key, values in parts.items():
                    files[key].write(values.astype("<f4", order="C").tobytes())
                truth.append(sequence)
                if progress is not None:
                    progress(dataset.name, int(stop), frames)
        if dataset.image_ids:
            members["image_id"] = Path(raw) / "image_id.npy"
            np.save(members["image_id"], _image_ids(lengths))
        _zip(folder / f"{dataset.name}.npz", members, deflate=dataset.deflated)
    return truth


def _image_ids(lengths: Int[np.ndarray, "sequences"]) -> Int[np.ndarray, "frames"]:
    """Numbers of pictures: they count up inside a sequence and start anew, far away, in the next."""
    return np.concatenate([100_000 * (k + 1) + np.arange(n) for k, n in enumerate(lengths)]).astype("<i8")


def _zip(path: Path, members: dict[str, Path], *, deflate: bool) -> None:
    """Pack .npy files as ``numpy.savez`` does, but with a fixed date, so that equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
            with member.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 1 << 20)


def _sidecar(mean: Float32[np.ndarray, "90"]) -> str:
    notes = {
        "synthetic": True,
        "hand_mean": {"default": "incl"} | {d.name: d.hand_mean for d in DATASETS if d.hand_mean != "incl"},
        "fps": {"default": 30} | {d.name: d.fps for d in DATASETS if d.fps != 30},
        "hands_mean": [float(value) for value in mean],
    }
    return "# Synthetic motion: nothing in this folder was recorded.\n" + yaml.safe_dump(notes, sort_keys=False)


def _refuse_other_data(folder: Path) -> None:
    """Never write over, or in between, data that somebody recorded."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file: give a folder to write the synthetic corpus to")
    known = {FILE_NAME, *(f"{dataset.name}.npz" for dataset in DATASETS)}
    found = {entry.name for entry in folder.iterdir()}
    others = sorted(found - known)
    if others:
        raise ValueError(f"{folder} holds other files ({', '.join(others[:3])}): give an empty or a new folder")
    if found and not _is_synthetic(folder):
        raise ValueError(f"{folder} holds data not marked as synthetic: give an empty or a new folder")


def _is_synthetic(folder: Path) -> bool:
    try:
        return DatasetNotes.read(folder).synthetic
    except ValueError:
        return False
