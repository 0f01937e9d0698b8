"""An unpickler that stays within bounds: a small pickle can otherwise fill any memory, run for years, or crash Python.

The bytes of a pickle are instructions. A few of them make lists within lists, copy one long text ten thousand times,
or hash a tuple that is nested a million deep, which ends the process. Data need none of this.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import IO, Any, ClassVar

import numpy as np

MOST_STEPS, _BYTES_A_STEP = 1 << 23, 16
"""Instructions of one file: each makes one object at most, of 216 bytes at most. An array takes some twenty, a tensor
thirty; a large file may have one more for every 16 bytes, up to twice as many in all."""

_MOST_BYTES, _FREE_BYTES, _TIMES = 1 << 32, 1 << 28, 4
"""What a file may be made into: 4 times its size, for arrays kept as text or shared; and 256 MiB; 4 GiB in all."""

_MOST_IN_KEY = 1_000
_OBJECT_BYTES, _NUMBER_BYTES = 64, 32
_SIZED = (str, bytes, bytearray, list, tuple, dict, set, frozenset)


class RefusedPickle(ValueError):
    """A pickle asked for something that is not plain data, or for more than data need."""


class Allowance:
    """What reading one file may still cost; pickles within pickles share it.

    Args:
        size: Bytes of the file, or of what it expands to.
    """

    def __init__(self, size: int) -> None:
        self.most_steps = self.steps = MOST_STEPS + min(size // _BYTES_A_STEP, MOST_STEPS)
        self.most_bytes = min(_FREE_BYTES + _TIMES * size, _MOST_BYTES)
        self.bytes = self.most_bytes

    def spend(self, count: int) -> None:
        """Take bytes off.

        Raises:
            RefusedPickle: There are not so many left.
        """
        self.bytes -= count
        if self.bytes < 0:
            raise RefusedPickle(f"refused: it would expand to more than {self.most_bytes >> 20} MiB")

    def check(self, value: Any) -> None:
        """See that a value is not too large when what it holds several times is written out each time, as numpy does.

        Raises:
            RefusedPickle: It is.
        """
        if _extent(value, {}) > self.most_bytes:
            raise RefusedPickle(f"refused: it repeats itself to more than {self.most_bytes >> 20} MiB")


def _refused_extension(unpickler: BoundedUnpickler) -> None:
    raise RefusedPickle("refused: it names a class by a number")


def _checked(step: Callable[[Any], None], check: Callable[[Any], None] | None) -> Callable[[Any], None]:
    """Count an instruction, and look at what it is about to do."""

    def counted(unpickler: BoundedUnpickler) -> None:
        allowance = unpickler.allowance
        allowance.steps -= 1
        if allowance.steps < 0:
            raise RefusedPickle(f"refused: it holds more than {allowance.most_steps:,} objects; save arrays, not lists")
        if check is not None:
            check(unpickler)
        step(unpickler)

    return counted


class BoundedUnpickler(pickle._Unpickler):  # type: ignore[name-defined,misc]
    """The unpickler in Python, whose every instruction can be looked at before it is carried out."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]]
    stack: list[Any]
    read: Callable[[int], bytes]
    append: Callable[[Any], None]

    def __init__(self, stream: IO[bytes], allowance: Allowance | None = None) -> None:
        super().__init__(stream, encoding="latin1")
        size = stream.getbuffer().nbytes if isinstance(stream, io.BytesIO) else _MOST_BYTES
        self.allowance = Allowance(size) if allowance is None else allowance

    def load_bytearray8(self) -> None:
        """Read bytes without making room first for as many as the pickle says."""
        self.append(self.read(int.from_bytes(self.read(8), "little")))

    def _instantiate(self, kind: Any, arguments: Any) -> None:
        self._check_call(kind, tuple(arguments))
        super()._instantiate(kind, arguments)  # type: ignore[misc]

    def _check_call(self, function: Any, arguments: Any) -> None:
        """Count what a call may copy; what it hashes must be hashable in little time and space."""
        copies = isinstance(function, type) and issubclass(function, (dict, list, set, frozenset, tuple))
        for argument in arguments:
            if isinstance(argument, _SIZED):
                self.allowance.spend(len(argument) * (_OBJECT_BYTES if copies else 1))
            if copies and issubclass(function, (set, frozenset)):
                _check_keys(argument)
            elif copies and issubclass(function, dict) and not isinstance(argument, dict):
                _check_keys([pair[0] for pair in argument])

    def _check_reduce(self) -> None:
        self._check_call(self.stack[-2], self.stack[-1])

    def _check_new(self) -> None:
        self._check_class(self.stack[-2], self.stack[-1])

    def _check_new_with_names(self) -> None:
        self._check_class(self.stack[-3], self.stack[-2])

    def _check_class(self, kind: Any, arguments: Any) -> None:
        if not isinstance(kind, type):
            raise RefusedPickle("refused: it makes an object of what is not a class")
        self._check_call(kind, arguments)

    def _check_build(self) -> None:
        # Setting attributes of a class or function would change how every later file is read.
        if not hasattr(type(self.stack[-2]), "__setstate__"):
            raise RefusedPickle("refused: it changes something that is not plain data")


_CHECKS: dict[bytes, Callable[[BoundedUnpickler], None]] = {
    pickle.SETITEM: lambda unpickler: _check_keys(unpickler.stack[-2:-1]),
    pickle.SETITEMS: lambda unpickler: _check_keys(unpickler.stack[::2]),
    pickle.DICT: lambda unpickler: _check_keys(unpickler.stack[::2]),
    pickle.ADDITEMS: lambda unpickler: _check_keys(unpickler.stack),
    pickle.FROZENSET: lambda unpickler: _check_keys(unpickler.stack),
    pickle.REDUCE: BoundedUnpickler._check_reduce,
    pickle.NEWOBJ: BoundedUnpickler._check_new,
    pickle.NEWOBJ_EX: BoundedUnpickler._check_new_with_names,
    pickle.BUILD: BoundedUnpickler._check_build,
    **dict.fromkeys((pickle.EXT1, pickle.EXT2, pickle.EXT4), _refused_extension),
}

_STEPS: dict[int, Callable[[Any], None]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]
_STEPS[pickle.BYTEARRAY8[0]] = BoundedUnpickler.load_bytearray8
BoundedUnpickler.dispatch = {code: _checked(step, _CHECKS.get(bytes([code]))) for code, step in _STEPS.items()}


def _check_keys(keys: Any) -> None:
    """See that keys of dictionaries and members of sets are small: a tuple is hashed anew every time, to its bottom."""
    for key in keys:
        waiting, seen = ([key], 0) if isinstance(key, tuple) else ([], 0)
        while waiting:
            item = waiting.pop()
            if isinstance(item, tuple):
                seen += 1 + len(item)
                if seen > _MOST_IN_KEY:
                    raise RefusedPickle("refused: it has a key that is nested too deeply to be data")
                waiting.extend(item)


def _extent(value: Any, known: dict[int, int]) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.nbytes
    if not isinstance(value, (dict, list, tuple, set, frozenset, np.ndarray)):
        return _NUMBER_BYTES
    if id(value) not in known:
        items = value.ravel() if isinstance(value, np.ndarray) else value
        known[id(value)] = _NUMBER_BYTES + sum(_extent(item, known) for item in items)
        if isinstance(value, dict):
            known[id(value)] += sum(_extent(item, known) for item in value.values())
    return known[id(value)]
