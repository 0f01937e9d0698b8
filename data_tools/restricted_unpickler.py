"""Read pickles that a user was given without letting them run code: an allow-list of arrays and containers.

Licensed SMPL-X and MANO files are python 2 pickles that name classes of ``chumpy``, a library that no longer installs.
Here every class on the list is met by an inert stand-in (:mod:`data_tools.stand_ins`) that only remembers the pickled
values; arrays are made from those afterwards. Anything that is not on the list is refused by name, before it is
imported, let alone called.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any

from data_tools.bounded_unpickler import Allowance, BoundedUnpickler, RefusedPickle
from data_tools.stand_ins import (
    Array,
    Buffer,
    Chumpy,
    Done,
    DType,
    Scalar,
    SparseColumns,
    SparseRows,
    StandIn,
    plain,
)

__all__ = ["AllowList", "RefusedPickle", "load_pickle", "unpickled"]


class _SubDict(dict):  # type: ignore[type-arg]
    """A class derived from ``dict`` that adds behaviour, which is dropped: ARCTIC's ``common.xdict.xdict``."""

    def __setstate__(self, state: Any) -> None:
        """Whatever else the object held is of no use without its class."""


class _PlainObject(StandIn):
    """``object``, which old protocols name as the base of what they rebuild."""


class _Reconstructed:
    """``numpy.core.multiarray._reconstruct`` and ``copyreg._reconstructor``: an empty object of a stand-in's class."""

    def __new__(cls, kind: Any, *_: Any) -> Any:
        if not (isinstance(kind, type) and issubclass(kind, StandIn)):
            raise RefusedPickle("refused: it rebuilds an object that is not plain data")
        return kind()


def _encode(text: str, encoding: str = "latin1", *_: Any) -> bytes:
    """``_codecs.encode``, by which protocol 2 pickles carry bytes; text codecs only."""
    if encoding.lower().replace("-", "") not in {"latin1", "utf8", "ascii"}:
        raise RefusedPickle(f"refused: bytes in the codec {encoding!r}")
    return text.encode(encoding)


def _bytes(content: bytes | str = b"", encoding: str = "latin1") -> bytes:
    """``bytes``, which as a pickle's callable would also allocate any number of zeros."""
    if not isinstance(content, bytes | bytearray | str):
        raise RefusedPickle("refused: bytes made from what is neither bytes nor text")
    return _encode(content, encoding) if isinstance(content, str) else bytes(content)


def _defaultdict(*_: Any) -> dict[Any, Any]:
    """``collections.defaultdict``, whose default is of no use to data that are complete."""
    return {}


def _path(*parts: Any) -> str:
    """Any class of ``pathlib``: what a file says of where it once lay is a text here."""
    if not all(isinstance(part, str) for part in parts):
        raise RefusedPickle("refused: a path that is not made of texts")
    return "/".join(parts).replace("//", "/")


_SPARSE = {
    "csc_matrix": SparseColumns,
    "csc_array": SparseColumns,
    "csr_matrix": SparseRows,
    "csr_array": SparseRows,
}

_NUMPY = {"ndarray": Array, "dtype": DType, "_reconstruct": _Reconstructed, "scalar": Scalar, "_frombuffer": Buffer}

_OTHERS: dict[tuple[str, str], Any] = {
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "complex"): complex,
    ("builtins", "bytearray"): _bytes,
    ("builtins", "bytes"): _bytes,
    ("builtins", "object"): _PlainObject,
    ("builtins", "list"): list,
    ("builtins", "dict"): dict,
    ("builtins", "int"): int,
    ("builtins", "float"): float,
    ("collections", "OrderedDict"): dict,
    ("collections", "defaultdict"): _defaultdict,
    **{("pathlib", name): _path for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")},
    ("common.xdict", "xdict"): _SubDict,
    ("_codecs", "encode"): _encode,
    ("copyreg", "_reconstructor"): _Reconstructed,
}

_MODERN_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class AllowList:
    """The part of an unpickler that decides what a pickle may name; put before :class:`BoundedUnpickler`."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a class on the list.

        Raises:
            RefusedPickle: It is not on the list.
        """
        root = module.split(".")[0]
        if root == "numpy" and name in _NUMPY:
            return _NUMPY[name]
        if module.startswith("scipy.sparse") and name in _SPARSE:
            return _SPARSE[name]
        if root == "chumpy":
            return Chumpy
        known = _OTHERS.get((_MODERN_NAMES.get(module, module), name))
        if known is None:
            raise RefusedPickle(f"refused: it asks for {module}.{name}, which is not plain data")
        return known

    def persistent_load(self, _: Any) -> Any:
        """Refuse references to what lies outside the pickle."""
        raise RefusedPickle("refused: it refers to data outside itself")


class _Unpickler(AllowList, BoundedUnpickler):
    pass


def load_pickle(source: Path | IO[bytes], allowance: Allowance | None = None) -> Any:
    """Read a pickle of arrays, numbers, texts and containers; chumpy and scipy objects come back as numpy arrays.

    Args:
        source: A file, or an open binary stream that stands at the pickle.
        allowance: What reading may still cost, for one of several pickles in a file.

    Raises:
        RefusedPickle: It names anything else, or makes more than data need; nothing of that was run.
        ValueError: It is not a readable pickle.
    """
    name = source if isinstance(source, Path) else getattr(source, "name", "this pickle")
    stream = io.BytesIO(source.read_bytes()) if isinstance(source, Path) else source
    return unpickled(_Unpickler(stream, allowance), name)


def unpickled(unpickler: Any, name: object) -> Any:
    """Run an unpickler that is an :class:`AllowList` and make plain values of what it gives.

    Args:
        unpickler: With the method ``load``, and ``allowance`` for what may be made of it.
        name: Of the source, for messages.

    Raises:
        RefusedPickle: As :func:`load_pickle`.
        ValueError: As :func:`load_pickle`.
    """
    try:
        value = plain(unpickler.load(), Done(unpickler.allowance))
        unpickler.allowance.check(value)
        return value
    except RefusedPickle as error:
        raise RefusedPickle(f"{name}: {error}") from None
    # Damaged pickles raise nearly anything.
    except Exception as error:
        raise ValueError(f"{name}: not a readable pickle ({type(error).__name__}: {error})") from error
