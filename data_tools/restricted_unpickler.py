"""Read pickles that a user was given without letting them run code: an allow-list of arrays and containers.

Licensed SMPL-X and MANO files are python 2 pickles that name classes of ``chumpy``, a library that no longer installs.
Here every class on the list is met by an inert stand-in that only remembers the pickled values; arrays are made from
those afterwards. Anything that is not on the list is refused by name, before it is imported, let alone called.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import IO, Any

import numpy as np

from data_tools.bounded_unpickler import Allowance, BoundedUnpickler, RefusedPickle

__all__ = ["AllowList", "Rebuilt", "RefusedPickle", "StandIn", "load_pickle", "unpickled"]


class StandIn:
    """Keeps what a pickle says of one object: the arguments it was made with and the state it was given."""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> StandIn:
        self = super().__new__(cls)
        self.arguments, self.state = arguments, None
        return self

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def field(self, *names: str) -> Any:
        """The first of these entries of the state, or None."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)  # (dict, slots)
        fields = {key: value for part in parts for key, value in (part or {}).items()}
        return next((fields[name] for name in names if name in fields), None)


class _Array(StandIn):
    """``numpy.ndarray``: state is (version, shape, dtype, whether columns run fastest, bytes or a list of objects)."""


class _DType(StandIn):
    """``numpy.dtype``: made from a code such as ``f8``, its state begins with a version and the byte order."""


class _Scalar(StandIn):
    """``numpy.core.multiarray.scalar``: made from a dtype and bytes."""


class _Buffer(StandIn):
    """``numpy.core.numeric._frombuffer``: made from bytes, a dtype, a shape and an order."""


class _SparseColumns(StandIn):
    """A compressed sparse column matrix of scipy, whose module path and attributes changed over the years."""


class _SparseRows(StandIn):
    """A compressed sparse row matrix of scipy."""


class _Chumpy(StandIn):
    """Any class of chumpy."""


class Rebuilt(StandIn):
    """Something of another library that turns into an array or a plain value by itself."""

    def plain(self) -> Any:
        """Return what it stands for."""
        raise NotImplementedError


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
    "csc_matrix": _SparseColumns,
    "csc_array": _SparseColumns,
    "csr_matrix": _SparseRows,
    "csr_array": _SparseRows,
}

_NUMPY = {"ndarray": _Array, "dtype": _DType, "_reconstruct": _Reconstructed, "scalar": _Scalar, "_frombuffer": _Buffer}

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
            return _Chumpy
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
        value = _plain(unpickler.load(), _Done(unpickler.allowance))
        unpickler.allowance.check(value)
        return value
    except RefusedPickle as error:
        raise RefusedPickle(f"{name}: {error}") from None
    # Damaged pickles raise nearly anything.
    except Exception as error:
        raise ValueError(f"{name}: not a readable pickle ({type(error).__name__}: {error})") from error


class _Done(dict[int, Any]):
    """What is already made plain, by its id, so that shared objects stay shared; and what may still be made."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__()
        self.allowance = allowance


def _plain(value: Any, done: _Done) -> Any:
    """Make arrays and containers of the stand-ins."""
    if not isinstance(value, (dict, list, tuple, set, frozenset, StandIn)):
        return value
    if id(value) not in done:
        if isinstance(value, dict):
            done[id(value)] = {_plain(key, done): _plain(item, done) for key, item in value.items()}
        elif isinstance(value, StandIn):
            made = _from_stand_in(value, done)
            done.allowance.spend(made.nbytes if isinstance(made, np.ndarray) else 0)
            done[id(value)] = made
        else:
            kind = next(k for k in (list, tuple, set, frozenset) if isinstance(value, k))
            done[id(value)] = kind([_plain(item, done) for item in value])
    return done[id(value)]


def _from_stand_in(value: StandIn, done: _Done) -> Any:
    if isinstance(value, Rebuilt):
        return value.plain()
    if isinstance(value, _Array):
        _, shape, dtype, columns_first, content = value.state
        return _array(content, _dtype(dtype), shape, "F" if columns_first else "C", done)
    if isinstance(value, _Buffer):
        content, dtype, shape, order = value.arguments
        return _array(content, _dtype(dtype), shape, order, done)
    if isinstance(value, _Scalar):
        dtype, content = value.arguments
        return _array(content, _dtype(dtype), (), "C", done)[()]
    if isinstance(value, _DType):
        return _dtype(value)
    if isinstance(value, (_SparseColumns, _SparseRows)):
        return _sparse(value, done)
    if isinstance(value, _Chumpy):
        return _chumpy(value, done)
    raise RefusedPickle(f"refused: a bare {type(value).__name__.strip('_')}, which is not plain data")


def _dtype(value: _DType) -> np.dtype:
    code = value.arguments[0]
    if not (isinstance(value, _DType) and isinstance(code, str) and re.fullmatch(r"[<>|=]?[biufcSUO]\d*", code)):
        what = repr(code)[:40] if isinstance(code, str) else type(code).__name__  # the rest may be endless
        raise RefusedPickle(f"refused: an array of type {what}")
    order: Any = value.state[1] if value.state else "="
    return np.dtype(code) if order in "|=" else np.dtype(code).newbyteorder(order)


def _array(content: Any, dtype: np.dtype, shape: tuple[int, ...], order: Any, done: _Done) -> np.ndarray:
    if not all(isinstance(length, int) for length in shape):
        raise ValueError("an array whose shape is not made of numbers")
    if dtype.hasobject:
        if len(content) != math.prod(shape):
            raise ValueError(f"an array of shape {shape} with {len(content)} entries")
        out = np.empty(math.prod(shape), object)
        out[:] = [_plain(item, done) for item in content]
        return out.reshape(shape, order=order)
    # Python 2 wrote bytes as text.
    data = content.encode("latin1") if isinstance(content, str) else bytes(content)
    return np.frombuffer(data, dtype, math.prod(shape)).reshape(shape, order=order)


def _sparse(value: StandIn, done: _Done) -> np.ndarray:
    import scipy.sparse as sp  # 14 MB that few files need

    matrix = sp.csc_matrix if isinstance(value, _SparseColumns) else sp.csr_matrix
    data, indices, indptr = (_plain(value.field(name), done) for name in ("data", "indices", "indptr"))
    rows, columns = (int(length) for length in value.field("_shape", "shape"))
    done.allowance.spend(rows * columns * np.asarray(data).itemsize)
    return matrix((data, indices, indptr), shape=(rows, columns)).toarray()


def _chumpy(value: StandIn, done: _Done) -> np.ndarray:
    """The array of a chumpy node: ``x`` of a plain one; ``a`` of a selection or reshape, picked by its ``idxs``."""
    own = value.field("x")
    if own is not None:
        return np.asarray(_plain(own, done))
    inner = value.field("a")
    if inner is None:
        raise ValueError("a chumpy object without an array inside")
    array = np.asarray(_plain(inner, done))
    picked = value.field("idxs")
    if picked is not None:
        array = array.ravel()[np.asarray(_plain(picked, done))]
    shape = value.field("preferred_shape", "newshape")
    return array if shape is None else array.reshape(_plain(shape, done))
