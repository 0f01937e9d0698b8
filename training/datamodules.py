"""Lightning data modules over packed poses: whole batches, statistics always from the train split.

Below all of them stand :mod:`training.pose_batches` (whole batches from memory, a memory map or a GPU) and
:mod:`training.split_stores` (splits are packed into a store once). They differ in what a batch is:

- :class:`HandPriorDataModule`: dictionaries with both hands and where each frame is from.
- :class:`HandVAEDataModule`: (batch, 90) tensors, standardised, or dictionaries.
- :class:`ConsolidatedHandDataModule`: the same from ``train.npz``, ``val.npz`` and ``test.npz``.
- :class:`ComprehensivePoseDataModule`: the whole body, (batch, 55, 3).
- :class:`PriorDataModule`: what a prior of this project is trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor

from data_tools.pose_layout import COLUMNS, HAND_DIM, HANDS_DIM, JOINT_NAMES
from training.consolidated_splits import split_arrays, train_moments
from training.frame_loading import prepared_frames
from training.pose_batches import FrameBatches, Make, MappedBatches, PoseBatches
from training.prior_datamodule import PriorDataModule
from training.split_modules import PoseDataModule, SplitsDataModule, on_device

__all__ = [
    "ComprehensivePoseDataModule",
    "ConsolidatedHandDataModule",
    "HandPriorDataModule",
    "HandVAEDataModule",
    "PriorDataModule",
    "prepared_frames",
]

Transform = Callable[[dict[str, Any]], dict[str, Any]]


class HandPriorDataModule(SplitsDataModule):
    """Both hands of each frame and where it is from, as dictionaries.

    A batch holds ``lhand_pose`` and ``rhand_pose`` (batch, 45), axis-angle in radians, mean hand included;
    ``dataset_name`` (a list of texts); ``frame_idx`` (batch,); and ``image_id`` (a list of texts, None where a source
    has none) if any source has picture ids.

    Args:
        data_dir: The folder of motion files.
        splits_dir: Splits or a store, see :func:`training.split_stores.store_of`.
        batch_size: Largest batch.
        num_workers: Taken and not used, see :class:`~training.split_modules.PoseDataModule`.
        pin_memory: Likewise.
        transform: Called with each batch (not with each frame) and returns what is used in its place.
        seed: Of the order of train.
    """

    def __init__(
        self,
        data_dir: Path | str,
        splits_dir: Path | str,
        batch_size: int = 32,
        num_workers: int = 0,
        pin_memory: bool = True,
        transform: Transform | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data_dir, splits_dir, batch_size, seed)
        self.transform = transform

    def _load_split(self, split: str) -> Callable[..., PoseBatches]:
        origins = self._origins(split)

        def make(hands: Float[Tensor, "batch 90"], index: Int64[Tensor, "batch"]) -> dict[str, Any]:
            batch = {"lhand_pose": hands[:, :HAND_DIM], "rhand_pose": hands[:, HAND_DIM:], **origins(index)}
            return batch if self.transform is None else self.transform(batch)

        return partial(FrameBatches, self._frames(split, standardize=False), make=make)


class HandVAEDataModule(SplitsDataModule):
    """Both hands of each frame as one vector of 90, standardised with the statistics of the train split.

    A batch is a tensor (batch, 90); or, with ``return_dict``, a dictionary of ``x90`` (the same), ``lhand_pose`` and
    ``rhand_pose`` (batch, 45) in radians as they are, ``dataset_name``, ``frame_idx`` and, if standardised, ``mean``
    and ``std`` (batch, 90): ``x90 * std + mean`` are the angles.

    Args:
        data_dir: The folder of motion files.
        splits_dir: Splits or a store, see :func:`training.split_stores.store_of`.
        batch_size: Largest batch.
        return_dict: Dictionaries instead of tensors.
        standardize: Subtract the mean and divide by the standard deviation, once; else angles in radians.
        mmap: Leave the frames on disk and read them batch by batch, for stores larger than memory; see
            :class:`~training.pose_batches.MappedBatches` for how they are shuffled then.
        val_batch_size: Largest batch of val and test.
        num_workers: Taken and not used, see :class:`~training.split_modules.PoseDataModule`.
        pin_memory: Likewise.
        wrap_angles: Likewise: each joint's norm is at most pi in a store, so its numbers are within [-pi, pi].
        seed: Of the order of train.
    """

    def __init__(
        self,
        data_dir: Path | str,
        splits_dir: Path | str,
        batch_size: int = 8192,
        return_dict: bool = False,
        standardize: bool = True,
        mmap: bool = False,
        val_batch_size: int = 131_072,
        num_workers: int = 0,
        pin_memory: bool = True,
        wrap_angles: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(data_dir, splits_dir, batch_size, seed, val_batch_size)
        self.return_dict = return_dict
        self.standardize = standardize
        self.mmap = mmap

    def _load_split(self, split: str) -> Callable[..., PoseBatches]:
        make = _hand_dicts(self.mean, self.std, self.standardize, self._origins(split)) if self.return_dict else None
        at_once = self.standardize and not self.return_dict
        if self.mmap:
            poses, columns = self.store.split(split), self._columns
            if len(poses) == 0:
                raise ValueError(f"the {split} split of {self.store.path} is empty: give it a share in the mix")
            scale: dict[str, Any] = {"mean": self.mean, "std": self.std} if at_once else {}
            return partial(MappedBatches, poses, columns=columns, make=make, **scale)
        return partial(FrameBatches, self._frames(split, standardize=at_once), make=make)


class ConsolidatedHandDataModule(PoseDataModule):
    """Hands from ``train.npz``, ``val.npz`` and ``test.npz``, as ``handprior pack --npz`` and others write them.

    Batches are those of :class:`HandVAEDataModule`; in a dictionary ``dataset_name`` and ``frame_idx`` stand only where
    the files hold ``dataset`` and ``frame``. The values are taken as the files have them.

    Args:
        consolidated_dir: The folder of the three files, with ``lhand_pose`` and ``rhand_pose`` (frames, 45) each.
        batch_size: Largest batch.
        return_dict: Dictionaries instead of tensors.
        standardize: Standardise with the statistics of train.npz.
        num_workers: Taken and not used, see :class:`~training.split_modules.PoseDataModule`.
        pin_memory: Likewise.
        seed: Of the order of train.
    """

    def __init__(
        self,
        consolidated_dir: Path | str,
        batch_size: int = 8192,
        return_dict: bool = False,
        standardize: bool = True,
        num_workers: int = 0,
        pin_memory: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        self.consolidated_dir = Path(consolidated_dir)
        self.return_dict = return_dict
        self.standardize = standardize

    def _train_moments(self) -> tuple[Float[Tensor, "90"], Float[Tensor, "90"]]:
        return train_moments(self.consolidated_dir)

    def _load_split(self, split: str) -> Callable[..., PoseBatches]:
        hands, origins = split_arrays(self.consolidated_dir, split)
        if self.standardize and not self.return_dict:
            hands.sub_(self.mean).div_(self.std)
        make = _hand_dicts(self.mean, self.std, self.standardize, origins) if self.return_dict else None
        return partial(FrameBatches, on_device(hands, self.trainer), make=make)


class ComprehensivePoseDataModule(SplitsDataModule):
    """The whole pose of each frame: (batch, 55, 3), the eyes (which 53-joint files lack) as zeros.

    With ``return_dict`` a batch holds ``full_pose`` (batch, 55, 3) and its parts ``global_orient`` (batch, 1, 3),
    ``body_pose`` (21), ``jaw_pose`` (1), ``eye_pose`` (2), ``lhand_pose`` and ``rhand_pose`` (15).

    Args:
        data_dir: The folder of motion files, with bodies.
        splits_dir: Splits or a full store, see :func:`training.split_stores.store_of`.
        batch_size: Largest batch.
        num_workers: Taken and not used, see :class:`~training.split_modules.PoseDataModule`.
        return_dict: Dictionaries instead of tensors.
        standardize: Standardise with the statistics of the train split; columns that never change become zero.
        pin_memory: Taken and not used.
        seed: Of the order of train.
    """

    pose = "full"

    def __init__(
        self,
        data_dir: Path | str,
        splits_dir: Path | str,
        batch_size: int = 64,
        num_workers: int = 0,
        return_dict: bool = False,
        standardize: bool = True,
        pin_memory: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(data_dir, splits_dir, batch_size, seed)
        self.return_dict = return_dict
        self.standardize = standardize

    def _load_split(self, split: str) -> Callable[..., PoseBatches]:
        def make(poses: Float[Tensor, "batch 165"], _: Int64[Tensor, "batch"]) -> Any:
            joints = poses.reshape(len(poses), len(JOINT_NAMES), 3)
            return _body_parts(joints) if self.return_dict else joints

        return partial(FrameBatches, self._frames(split, standardize=self.standardize), make=make)


def _hand_dicts(
    mean: Float[Tensor, "90"],
    std: Float[Tensor, "90"],
    standardize: bool,
    origins: Callable[[Int64[Tensor, "batch"]], dict[str, Any]],
) -> Make:
    """Make dictionaries of hands in radians."""

    def make(hands: Float[Tensor, "batch 90"], index: Int64[Tensor, "batch"]) -> dict[str, Any]:
        shift, spread = mean.to(hands.device), std.to(hands.device)
        batch: dict[str, Any] = {"x90": (hands - shift) / spread if standardize else hands}
        batch |= {"lhand_pose": hands[:, :HAND_DIM], "rhand_pose": hands[:, HAND_DIM:], **origins(index)}
        if standardize:
            batch |= {"mean": shift.expand(len(hands), HANDS_DIM), "std": spread.expand(len(hands), HANDS_DIM)}
        return batch

    return make


def _body_parts(joints: Float[Tensor, "batch 55 3"]) -> dict[str, Float[Tensor, "batch _ 3"]]:
    parts = {name: joints[:, columns.start // 3 : columns.stop // 3] for name, columns in COLUMNS.items()}
    eyes = joints[:, COLUMNS["leye_pose"].start // 3 : COLUMNS["reye_pose"].stop // 3]
    return {
        **{name: parts[name] for name in ("global_orient", "body_pose", "jaw_pose")},
        "eye_pose": eyes,
        "lhand_pose": parts["left_hand_pose"],
        "rhand_pose": parts["right_hand_pose"],
        "full_pose": joints,
    }
