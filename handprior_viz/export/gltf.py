"""Writes glTF 2.0 in its one-file form (.glb): arrays become accessors, everything else is the standard's own JSON.

trimesh writes meshes without skins (as of 5.2), so that a rig needs a writer of its own. Source: the glTF 2.0
specification, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html, section 4.4 for the container.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Num

_MAGIC, _VERSION = 0x46546C67, 2
_JSON, _BIN = 0x4E4F534A, 0x004E4942

_COMPONENTS = {"uint8": 5121, "uint16": 5123, "uint32": 5125, "float32": 5126}
_SHAPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}

VERTICES, FACES = 34962, 34963
"""What a buffer view is for: attributes of vertices, and indices."""


@dataclass
class GLB:
    """A file in the making.

    Attributes:
        content: The glTF object; the writer adds accessors, buffer views and the buffer.
    """

    content: dict[str, Any]
    _views: list[dict[str, Any]] = field(default_factory=list)
    _accessors: list[dict[str, Any]] = field(default_factory=list)
    _data: bytearray = field(default_factory=bytearray)

    def add(self, values: Num[np.ndarray, "count ..."], *, target: int | None = None, bounds: bool = False) -> int:
        """Store an array and return the number of its accessor.

        Args:
            values: (count,), (count, 2), (count, 3), (count, 4), or (count, 4, 4) matrices.
            target: :data:`VERTICES` or :data:`FACES`, where it is one of these.
            bounds: Say its smallest and largest values, as positions and times must.
        """
        stored = values.transpose(0, 2, 1) if values.ndim == 3 else values
        data = np.ascontiguousarray(stored).astype(stored.dtype.newbyteorder("<")).tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._data), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self._data += data + bytes(-len(data) % 4)
        accessor: dict[str, Any] = {
            "bufferView": len(self._views),
            "componentType": _COMPONENTS[values.dtype.name],
            "count": len(values),
            "type": _SHAPES[values.shape[1:]],
        }
        if bounds:
            each = values.reshape(len(values), -1)
            accessor |= {"min": each.min(axis=0).tolist(), "max": each.max(axis=0).tolist()}
        self._views.append(view)
        self._accessors.append(accessor)
        return len(self._accessors) - 1

    def to_bytes(self) -> bytes:
        """The whole file."""
        whole = self.content | {
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": len(self._data)}],
        }
        text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + len(self._data)
        head = struct.pack("<III", _MAGIC, _VERSION, length)
        return b"".join(
            [head, struct.pack("<II", len(text), _JSON), text, struct.pack("<II", len(self._data), _BIN), self._data]
        )
