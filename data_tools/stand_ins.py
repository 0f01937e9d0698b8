"""What a pickle says of arrays and of other libraries' objects, kept by inert stand-ins and made into plain values.

An unpickler meets these classes in place of those that the pickle names; none of them does anything while it reads.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from data_tools.bounded_unpickler import Allowance, RefusedPickle


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


class Array(StandIn):
    """``numpy.ndarray``: state is (version, shape, dtype, whether columns run fastest, bytes or a list of objects)."""


class DType(StandIn):
    """``numpy.dtype``: made from a code such as ``f8``, its state begins with a version and the byte order."""


class Scalar(StandIn):
    """``numpy.core.multiarray.scalar``: made from a dtype and bytes."""


class Buffer(StandIn):
    """``numpy.core.numeric._frombuffer``: made from bytes, a dtype, a shape and an order."""


class SparseColumns(StandIn):
    """A compressed sparse column matrix of scipy, whose module path and attributes changed over the years."""


class SparseRows(StandIn):
    """A compressed sparse row matrix of scipy."""


class Chumpy(StandIn):
    """Any class of chumpy."""


class Rebuilt(StandIn):
    """Something of another library that turns into an array or a plain value by itself."""

    def plain(self) -> Any:
        """Return what it stands for."""
        raise NotImplementedError


class Done(dict[int, Any]):
    """What is already made plain, by its id, so that shared objects stay shared; and what may still be made."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__()
        self.allowance = allowance


def plain(value: Any, done: Done) -> Any:
    """Make arrays and containers of the stand-ins."""
    if not isinstance(value, (dict, list, tuple, set, frozenset, StandIn)):
        return value
    if id(value) not in done:
        if isinstance(value, dict):
            done[id(value)] = {plain(key, done): plain(item, done) for key, item in value.items()}
        elif isinstance(value, StandIn):
            made = _from_stand_in(value, done)
            done.allowance.spend(made.nbytes if isinstance(made, np.ndarray) else 0)
            done[id(value)] = made
        else:
            kind = next(k for k in (list, tuple, set, frozenset) if isinstance(value, k))
            done[id(value)] = kind([plain(item, done) for item in value])
    return done[id(value)]


def _from_stand_in(value: StandIn, done: Done) -> Any:
    if isinstance(value, Rebuilt):
        return value.plain()
    if isinstance(value, Array):
        _, shape, dtype, columns_first, content = value.state
        return _array(content, _dtype(dtype), shape, "F" if columns_first else "C", done)
    if isinstance(value, Buffer):
        content, dtype, shape, order = value.arguments
        return _array(content, _dtype(dtype), shape, order, done)
    if isinstance(value, Scalar):
        dtype, content = value.arguments
        return _array(content, _dtype(dtype), (), "C", done)[()]
    if isinstance(value, DType):
        return _dtype(value)
    if isinstance(value, (SparseColumns, SparseRows)):
        return _sparse(value, done)
    if isinstance(value, Chumpy):
        return _chumpy(value, done)
    raise RefusedPickle(f"refused: a bare {type(value).__name__.strip('_')}, which is not plain data")


def _dtype(value: DType) -> np.dtype:
    code = value.arguments[0]
    if not (isinstance(value, DType) and isinstance(code, str) and re.fullmatch(r"[<>|=]?[biufcSUO]\d*", code)):
        what = repr(code)[:40] if isinstance(code, str) else type(code).__name__  # the rest may be endless
        raise RefusedPickle(f"refused: an array of type {what}")
    order: Any = value.state[1] if value.state else "="
    return np.dtype(code) if order in "|=" else np.dtype(code).newbyteorder(order)


def _array(content: Any, dtype: np.dtype, shape: tuple[int, ...], order: Any, done: Done) -> np.ndarray:
    if not all(isinstance(length, int) for length in shape):
        raise ValueError("an array whose shape is not made of numbers")
    if dtype.hasobject:
        if len(content) != math.prod(shape):
            raise ValueError(f"an array of shape {shape} with {len(content)} entries")
        out = np.empty(math.prod(shape), object)
        out[:] = [plain(item, done) for item in content]
        return out.reshape(shape, order=order)
    # Python 2 wrote bytes as text.
    data = content.encode("latin1") if isinstance(content, str) else bytes(content)
    return np.frombuffer(data, dtype, math.prod(shape)).reshape(shape, order=order)


def _sparse(value: StandIn, done: Done) -> np.ndarray:
    import scipy.sparse as sp  # 14 MB that few files need

    matrix = sp.csc_matrix if isinstance(value, SparseColumns) else sp.csr_matrix
    data, indices, indptr = (plain(value.field(name), done) for name in ("data", "indices", "indptr"))
    rows, columns = (int(length) for length in value.field("_shape", "shape"))
    done.allowance.spend(rows * columns * np.asarray(data).itemsize)
    return matrix((data, indices, indptr), shape=(rows, columns)).toarray()


def _chumpy(value: StandIn, done: Done) -> np.ndarray:
    """The array of a chumpy node: ``x`` of a plain one; ``a`` of a selection or reshape, picked by its ``idxs``."""
    own = value.field("x")
    if own is not None:
        return np.asarray(plain(own, done))
    inner = value.field("a")
    if inner is None:
        raise ValueError("a chumpy object without an array inside")
    array = np.asarray(plain(inner, done))
    picked = value.field("idxs")
    if picked is not None:
        array = array.ravel()[np.asarray(plain(picked, done))]
    shape = value.field("preferred_shape", "newshape")
    return array if shape is None else array.reshape(plain(shape, done))
