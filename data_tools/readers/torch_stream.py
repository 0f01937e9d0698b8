"""Tensors that ``torch.save`` wrote, as numpy arrays, without torch and without running anything.

``torch.load(weights_only=True)`` refuses files in which numpy arrays stand beside tensors, as SignAvatars' do, and
importing torch takes seconds. Both containers are read: the zip of torch 1.6 and later, and the older stream.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from jaxtyping import Shaped

from data_tools.bounded_unpickler import Allowance, BoundedUnpickler
from data_tools.restricted_unpickler import AllowList, RefusedPickle, unpickled
from data_tools.stand_ins import Rebuilt

LEGACY_START = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
"""The first bytes of a legacy stream: its magic number, pickled."""

_MOST_BYTES = 1 << 31

_LONE_STORAGE = re.compile(
    re.escape(LEGACY_START) + rb"\x80\x02M\xe9\x03\.\x80\x02\}q\x00\(.{0,150}?u\."  # the version, 1001, and the system
    rb"\x80\x02\(X\x07\0\0\0storageq\x00ctorch(?:\.cuda)?\n(?P<kind>\w+)\nq\x01X.\0\0\0(?P<key>\d+)q\x02"
    rb"X.\0\0\0[a-z0-9:]+q\x03(?:K.|M..|J....)Ntq\x04Q\."  # device, numbers
    rb"\x80\x02\]q\x00X.\0\0\0(?P=key)q\x01a\.(?P<count>.{8})",
    re.DOTALL,
)
"""A legacy stream of one storage and nothing else, as ``torch.save`` has always written it (torch/serialization.py)."""

_TYPES = {
    **{"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "bfloat16"},
    **{"LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1"},
    "BoolStorage": "|b1",
}


class _StorageType:
    """A class of storage, named inside a reference to its data; never called."""

    def __init__(self, code: str) -> None:
        self.code = code

    @property
    def item_bytes(self) -> int:
        return 2 if self.code == "bfloat16" else np.dtype(self.code).itemsize

    def array(self, content: bytes) -> Shaped[np.ndarray, "items"]:
        if self.code == "bfloat16":  # the upper half of a float32
            return (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4")
        return np.frombuffer(content, self.code)


class _Storage(Rebuilt):
    """The numbers of one storage, flat."""

    def plain(self) -> Any:
        return self.arguments[0]()


class _Tensor(Rebuilt):
    """``torch._utils._rebuild_tensor_v2``: storage, offset, size, stride, and what only training needs."""

    def plain(self) -> Shaped[np.ndarray, "..."]:
        storage, offset, size, stride = self.arguments[:4]
        if not isinstance(storage, Rebuilt):
            raise RefusedPickle("refused: a tensor without a storage")
        flat = np.asarray(storage.plain())
        numbers = (offset, *size, *stride)
        if not all(isinstance(number, int) for number in numbers):
            raise ValueError("a tensor whose size is not made of numbers")
        if min(numbers) < 0 or len(size) != len(stride):
            raise ValueError(f"a tensor of size {size}, stride {stride} and offset {offset}")
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if math.prod(size) and last >= len(flat):
            raise ValueError(f"a tensor of size {size} in a storage of {len(flat)} numbers")
        if math.prod(size) * flat.itemsize > _MOST_BYTES:
            raise ValueError(f"a tensor of size {size} is larger than {_MOST_BYTES >> 30} GiB")
        if not math.prod(size):
            return np.empty(size, flat.dtype)
        steps = [step * flat.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(flat[offset:], size, steps).copy()


class _Parameter(Rebuilt):
    """``torch._utils._rebuild_parameter``: a tensor, and whether it is trained."""

    def plain(self) -> Any:
        return self.arguments[0].plain()


class NestedStorage(Rebuilt):
    """``torch.storage._load_from_bytes``: how a tensor stands in an ordinary pickle."""

    def plain(self) -> Any:
        content, allowance = self.arguments
        numbers = _lone_storage(content)
        return load_legacy(io.BytesIO(content), "a tensor", allowance) if numbers is None else numbers


def _lone_storage(content: Any) -> Shaped[np.ndarray, "items"] | None:
    """The numbers of a stream that holds one storage, without unpickling it; None where it looks different.

    OakInk2 has sixteen tensors in each frame: unpickled one by one they take ten times as long, and more steps than a
    file may cost.
    """
    found = _LONE_STORAGE.match(content) if isinstance(content, bytes) else None
    kind = None if found is None else _TYPES.get(found["kind"].decode())
    if found is None or kind is None:
        return None
    stored, count = _StorageType(kind), int.from_bytes(found["count"], "little")
    data = content[found.end() :]
    return stored.array(data) if len(data) == count * stored.item_bytes else None


_NAMES: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor"): _Tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _Parameter,
    ("torch", "Size"): tuple,
}


class TensorList(AllowList, BoundedUnpickler):
    """What torch's pickles call, beside what every pickle of arrays does."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NAMES:
            return _NAMES[module, name]
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return lambda content: NestedStorage(content, self.allowance)
        return super().find_class(module, name)


class _Unpickler(TensorList):
    def __init__(
        self, stream: IO[bytes], storage: Callable[[str, _StorageType, int], Any], allowance: Allowance | None = None
    ) -> None:
        super().__init__(stream, allowance)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.cuda") and name in _TYPES:
            return _StorageType(_TYPES[name])
        return super().find_class(module, name)

    def persistent_load(self, reference: Any) -> _Storage:
        known = isinstance(reference, tuple) and len(reference) >= 5 and reference[0] == "storage"
        kinds = (_StorageType, str | int, object, int)  # type, key, device, numbers
        if not (known and all(map(isinstance, reference[1:5], kinds))):
            raise RefusedPickle("refused: it refers to data that is not a storage of numbers")
        kind, key, count = reference[1], str(reference[2]), reference[4]
        return _Storage(lambda: self._storage(key, kind, count))  # type: ignore[return-value]


def load_pickle_with_tensors(stream: IO[bytes], name: object) -> Any:
    """Read an ordinary pickle in which tensors may stand; otherwise as :func:`restricted_unpickler.load_pickle`.

    Args:
        stream: Stands at the pickle.
        name: Of the file, for messages.

    Raises:
        RefusedPickle: It holds something other than data.
        ValueError: It is damaged.
    """
    return unpickled(_Unpickler(stream, _no_storage), name)


def _no_storage(key: str, kind: _StorageType, count: int) -> Any:
    raise ValueError("a tensor whose numbers are not in the file")


def is_torch_zip(archive: zipfile.ZipFile) -> bool:
    """Tell whether a zip is one that ``torch.save`` wrote."""
    return any(name.endswith("/data.pkl") for name in archive.namelist())


def load_zip(archive: zipfile.ZipFile, name: object) -> Any:
    """Read a zip of ``torch.save`` into plain values and numpy arrays.

    Args:
        archive: The open zip.
        name: Of the file, for messages.

    Raises:
        RefusedPickle: It holds something other than data.
        ValueError: It is damaged.
    """
    entry = next(entry for entry in archive.namelist() if entry.endswith("/data.pkl"))
    folder = entry.removesuffix("data.pkl")
    kept: dict[str, Any] = {}
    allowance = Allowance(sum(info.file_size for info in archive.infolist()))

    def storage(key: str, kind: _StorageType, count: int) -> Any:
        if key not in kept:
            info = archive.getinfo(f"{folder}data/{key}")
            if info.file_size > _MOST_BYTES or info.file_size < count * kind.item_bytes:
                raise ValueError(f"storage {key} holds {info.file_size} bytes for {count} numbers")
            allowance.spend(info.file_size)
            kept[key] = kind.array(archive.read(info)[: count * kind.item_bytes])
        return kept[key]

    if archive.getinfo(entry).file_size > _MOST_BYTES:
        raise ValueError(f"{name}: data.pkl is larger than {_MOST_BYTES >> 30} GiB")
    return unpickled(_Unpickler(io.BytesIO(archive.read(entry)), storage, allowance), name)


def load_legacy(stream: io.BytesIO, name: object, allowance: Allowance | None = None) -> Any:
    """Read a legacy stream: magic number, version, system, object, keys of the storages, and their numbers.

    Args:
        stream: Stands at its first byte.
        name: Of the file, for messages.
        allowance: What reading may still cost, for a tensor inside a pickle.

    Raises:
        RefusedPickle: It holds something other than data.
        ValueError: It is damaged.
    """
    kinds: dict[str, _StorageType] = {}
    kept: dict[str, Any] = {}

    def storage(key: str, kind: _StorageType, count: int) -> Any:
        return kept[key][:count]

    class Noting(_Unpickler):
        def persistent_load(self, reference: Any) -> _Storage:
            found = super().persistent_load(reference)
            kinds[str(reference[2])] = reference[1]
            return found

    allowance = Allowance(stream.getbuffer().nbytes) if allowance is None else allowance
    for _ in range(3):
        unpickled(Noting(stream, storage, allowance), name)
    waiting = _Loaded(Noting(stream, storage, allowance))
    keys = unpickled(Noting(stream, storage, allowance), name)
    if not (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
        raise ValueError(f"{name}: the list of its storages is damaged")
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        if key not in kinds or not 0 <= count * kinds[key].item_bytes <= _MOST_BYTES:
            raise ValueError(f"{name}: storage {key} holds {count} numbers")
        content = stream.read(count * kinds[key].item_bytes)
        if len(content) < count * kinds[key].item_bytes:
            raise ValueError(f"{name}: ends in the middle of storage {key}")
        kept[key] = kinds[key].array(content)
    return unpickled(waiting, name)


class _Loaded:
    """An object whose storages are read only after it: unpickled now, made plain later."""

    def __init__(self, unpickler: _Unpickler) -> None:
        self.allowance = unpickler.allowance
        self._value = unpickler.load()

    def load(self) -> Any:
        return self._value
