"""Find and read a SMPL-X or MANO model file, licensed or open, without running anything it contains."""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from data_tools.hand_mesh.model_cache import cache_root, write_model
from data_tools.restricted_unpickler import RefusedPickle, load_pickle

ENVIRONMENT = "SMPLX_MODEL_PATH"

Kind = Literal["smplx", "mano"]

_SMPLX_NAMES = ("SMPLX_NEUTRAL", "SMPLX_NEUTRAL_2020", "SMPLX_MALE", "SMPLX_FEMALE")
_MANO_NAMES = ("MANO_LEFT", "MANO_RIGHT")
_SUFFIXES = (".npz", ".pkl")
_FOLDERS = {"smplx": ("", "smplx", "models/smplx", "models"), "mano": ("", "mano", "models/mano", "models")}

_TITLES = {"smplx": "SMPL-X", "mano": "MANO"}
_JOINTS = {"smplx": 55, "mano": 16}
_NEEDED = ("v_template", "f", "weights", "J_regressor", "shapedirs", "posedirs", "kintree_table")
_NEEDED_BY = {"smplx": (*_NEEDED, "hands_meanl", "hands_meanr"), "mano": (*_NEEDED, "hands_mean")}


@dataclass(frozen=True)
class ModelFiles:
    """Which files make up a model: one for SMPL-X, left and right for MANO."""

    kind: Kind
    paths: tuple[Path, ...]


def find_model(path: str | Path) -> ModelFiles:
    """Find the model that a file or folder holds: SMPL-X before MANO, neutral before male and female.

    A folder may be the one with the files, the one above it (``smplx/``, ``mano/``) or the unpacked download
    (``models/...``). For a single MANO file the other hand's is looked for beside it.

    Raises:
        FileNotFoundError: Nothing there, or no model in it.
        ValueError: A file whose name does not start with SMPLX or MANO.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return _from_file(path)
    if not path.is_dir():
        raise FileNotFoundError(
            f"{path}: no such file or folder; give the SMPL-X or MANO model (or unset {ENVIRONMENT} for the open hand)"
        )
    found = _in_folder(path, "smplx", _SMPLX_NAMES)
    if found:
        return ModelFiles("smplx", found[:1])
    found = _in_folder(path, "mano", _MANO_NAMES)
    if len(found) == 2:
        return ModelFiles("mano", found)
    if found:
        raise FileNotFoundError(f"{path}: has only {found[0].name}; both MANO_LEFT and MANO_RIGHT are needed")
    raise FileNotFoundError(
        f"{path}: no model in it or in its smplx, mano or models folder; "
        "needed: SMPLX_NEUTRAL, _MALE or _FEMALE, or MANO_LEFT and MANO_RIGHT, .npz or .pkl"
    )


def _from_file(path: Path) -> ModelFiles:
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{path}: a model file ends in .npz or .pkl")
    name = path.stem.upper()
    if name.startswith("SMPLX"):
        return ModelFiles("smplx", (path,))
    if name.startswith("MANO"):
        found = _in_folder(path.parent, "mano", _MANO_NAMES)
        if len(found) != 2:
            raise FileNotFoundError(f"{path.parent}: both MANO_LEFT and MANO_RIGHT are needed beside each other")
        return ModelFiles("mano", found)
    raise ValueError(f"{path}: the name of a model file starts with SMPLX or MANO (as smplx wants it too)")


def _in_folder(folder: Path, kind: Kind, names: tuple[str, ...]) -> tuple[Path, ...]:
    for below in _FOLDERS[kind]:
        here = folder / below
        by_name = {file.name.upper(): file for file in here.iterdir()} if here.is_dir() else {}
        found = []
        for name in names:
            hits = [by_name[(name + suffix).upper()] for suffix in _SUFFIXES if (name + suffix).upper() in by_name]
            found += hits[:1]
        if found:
            return tuple(found)
    return ()


def read_model(path: Path, kind: Kind) -> dict[str, np.ndarray]:
    """Read the arrays of one model file, ``.npz`` or ``.pkl``, chumpy or not, without running anything in it.

    Returns:
        Arrays by their names in the file; floating-point ones as float32, in which ``smplx`` computes.

    Raises:
        ValueError: Damaged, refused, or not a model of this kind.
    """
    raw = _read_npz(path) if path.suffix.lower() == ".npz" else load_pickle(path)
    if not isinstance(raw, dict):
        raise ValueError(f"{path}: a model file holds a dictionary of arrays, this one a {type(raw).__name__}")
    arrays = {}
    for name, value in raw.items():
        array = np.asarray(value) if isinstance(value, (np.ndarray, list, tuple)) else None
        if array is not None and array.dtype.kind in "biuf":
            arrays[str(name)] = array.astype(np.float32) if array.dtype.kind == "f" else array
    _check(path, kind, arrays)
    return arrays


def _check(path: Path, kind: Kind, arrays: dict[str, np.ndarray]) -> None:
    missing = [name for name in _NEEDED_BY[kind] if name not in arrays]
    if missing:
        raise ValueError(f"{path}: not a {_TITLES[kind]} model file, it lacks {', '.join(missing)}")
    vertices, joints = len(arrays["v_template"]), _JOINTS[kind]
    wanted = {
        "weights": (vertices, joints),
        "J_regressor": (joints, vertices),
        "posedirs": (vertices, 3, 9 * (joints - 1)),
    }
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{path}: {name} of a {_TITLES[kind]} model is {shape}, here it is {arrays[name].shape}")


def _read_npz(path: Path) -> dict[str, object]:
    """Members of an .npz; object arrays (``part2num``, sparse matrices) go through the allow-list."""
    out: dict[str, object] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                with archive.open(info) as member:
                    out[info.filename.removesuffix(".npy")] = _read_member(member)
    except RefusedPickle as error:
        raise RefusedPickle(f"{path}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise ValueError(f"{path}: damaged .npz ({error})") from error
    return out


def _read_member(member: IO[bytes]) -> object:
    version = np.lib.format.read_magic(member)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(member)
    if dtype.hasobject:
        return load_pickle(member)
    count = math.prod(shape)
    data = np.frombuffer(member.read(count * dtype.itemsize), dtype, count)
    return data.reshape(shape, order="F" if fortran else "C")


def safe_copy(path: Path, kind: Kind) -> Path:
    """A copy of a model file that ``smplx`` can be trusted with: plain arrays only, kept in the cache folder.

    ``smplx`` opens what it is given with ``pickle.load`` or ``allow_pickle=True``, which would run code in the file.
    """
    stat = path.stat()
    key = hashlib.sha256(f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|1".encode()).hexdigest()[:16]
    side = path.stem.upper().split("_")[1] if kind == "mano" else "NEUTRAL"
    copy = cache_root() / f"licensed-{key}" / f"{kind.upper()}_{side}.npz"
    if not copy.is_file():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.parent.chmod(0o700)  # a licensed file stays with its licensee
        beside = copy.with_suffix(f".{os.getpid()}.tmp")
        write_model(beside, read_model(path, kind))
        beside.replace(copy)
    return copy
