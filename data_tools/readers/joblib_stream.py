"""Files that ``joblib.dump`` wrote: a pickle in which the bytes of each array follow its description.

``joblib.load`` runs whatever a file names, so the stream is read here through the same allow-list as other pickles.
Source of the layout: joblib, ``joblib/numpy_pickle.py``.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import IO, Any, ClassVar

import numpy as np
from jaxtyping import Shaped

from data_tools.bounded_unpickler import Allowance, BoundedUnpickler
from data_tools.readers.torch_stream import TensorList
from data_tools.restricted_unpickler import load_pickle, unpickled
from data_tools.stand_ins import Rebuilt

MARK = b"joblib.numpy_pickle"
"""Stands in every such file that holds an array."""

_MOST_BYTES = 1 << 31


class _Described(Rebuilt):
    """``NumpyArrayWrapper``: says of which shape and type the array is whose bytes come next."""

    values: Any = None

    def plain(self) -> Any:
        return self.values


class _Unpickler(TensorList):
    """Takes the bytes of each array out of the stream between two steps."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(BoundedUnpickler.dispatch)

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self.bytes_of = stream

    def find_class(self, module: str, name: str) -> Any:
        if module == "joblib.numpy_pickle" and name == "NumpyArrayWrapper":
            return _Described
        return super().find_class(module, name)

    def load_build(self) -> None:
        """Give an object its state; an array's bytes are then next in the stream."""
        BoundedUnpickler.dispatch[pickle.BUILD[0]](self)
        described = self.stack[-1]
        if isinstance(described, _Described):
            described.values = self._array(described)

    dispatch[pickle.BUILD[0]] = load_build

    def _array(self, described: _Described) -> Shaped[np.ndarray, "..."]:
        # The type may be a stand-in yet; a pickle of it alone turns it into one of numpy's.
        dtype = unpickled(_Kept(described.field("dtype"), self.allowance), "an array")
        shape = tuple(int(length) for length in described.field("shape"))
        if dtype.hasobject:
            return np.asarray(load_pickle(self.bytes_of, self.allowance))
        count = math.prod(shape) * dtype.itemsize
        if min(shape, default=1) < 0 or count > _MOST_BYTES:
            raise ValueError(f"an array of shape {shape} {dtype}")
        if described.field("numpy_array_alignment_bytes") is not None:
            self.bytes_of.read(self.bytes_of.read(1)[0])
        content = self.bytes_of.read(count)
        if len(content) < count:
            raise ValueError(f"ends in the middle of an array of shape {shape}")
        order = "F" if described.field("order") == "F" else "C"
        return np.frombuffer(content, dtype).reshape(shape, order=order)  # type: ignore[call-overload]


class _Kept:
    """Something that is unpickled already and yet to be made plain."""

    def __init__(self, value: Any, allowance: Allowance) -> None:
        self._value, self.allowance = value, allowance

    def load(self) -> Any:
        return self._value


def load_joblib(stream: IO[bytes], name: object) -> Any:
    """Read a joblib file that is not compressed (or no longer).

    Args:
        stream: Stands at its first byte.
        name: Of the file, for messages.

    Raises:
        RefusedPickle: It holds something other than data.
        ValueError: It is damaged.
    """
    return unpickled(_Unpickler(stream), name)
