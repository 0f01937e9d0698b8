"""A live page's arrays: what they are called in the page, and all of them in one piece of text."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tools.hand_model import HandModel
from data_tools.pose_layout import hands_of
from handprior_viz.export.bounds import Bound
from handprior_viz.export.densities import Density
from handprior_viz.export.rig import HandRig
from handprior_viz.export.steps import Step
from handprior_viz.pictures.occlusion import Occlusion

Arrays = dict[str, np.ndarray]

PATCHES = 48
"""Discs that hide parts of a hand's sky from each other."""

_TYPES = {"float32": "f4", "float16": "f2", "uint32": "u4", "uint16": "u2", "uint8": "u1"}


def named_step(step: Step, arrays: Arrays) -> dict[str, Any]:
    """A step as the page has it, its arrays put among the page's and called by a name."""
    named = {}
    for name, array in step.arrays.items():
        named[name] = f"step {len(arrays)}"
        arrays[named[name]] = array.astype(np.float32)
    inner = [named_step(each, arrays) for each in step.inner]
    return {"kind": step.kind, "numbers": step.numbers, "named": named, "inner": inner}


def named_density(density: Density | Bound, arrays: Arrays) -> dict[str, Any]:
    """A density as the page has it, its arrays put among the page's."""
    if isinstance(density, Density):
        normals = [(height, named_step(step, arrays)) for height, step in density.normals]
        return {"kind": "sum", "normals": normals, "flow": density.flow}
    arrays["noise"] = density.noise.astype(np.float32)
    parts = {"posterior": density.posterior, "decoder": density.decoder, "likelihood": (density.likelihood,)}
    named = {name: [named_step(step, arrays) for step in steps] for name, steps in parts.items()}
    return named | {"kind": "bound", "noise": "noise", "draws": len(density.noise), "constant": density.constant}


def hand_columns(dim: int) -> tuple[list[int], list[float]]:
    """:func:`hands_of`: which column of a pose each of the hands' 90 numbers is, and with which sign."""
    chosen = hands_of(np.eye(dim)).T
    columns = np.abs(chosen).argmax(axis=1)
    return columns.tolist(), chosen[np.arange(len(columns)), columns].tolist()


def rig_arrays(rig: HandRig, model: HandModel) -> Arrays:
    """What ``skin`` and ``openSky`` of live_page.js read."""
    occlusion = Occlusion.prepare(rig.placed_vertices, model.faces, model.side, patches=PATCHES)
    patch = np.zeros(len(rig.faces), np.uint8)
    for _, faces, member in occlusion.parts:
        patch[faces] = member.tocsc().indices
    none = np.zeros(0)
    return {
        "vertices": rig.vertices,
        "side": rig.side.astype(np.uint8),
        "coarse_faces": rig.faces.astype(np.uint16 if len(rig.side) < 1 << 16 else np.uint32),
        "patch": patch,
        "joints": rig.joints,
        "tips": rig.tips.astype(np.uint32),
        "influences": rig.influences.astype(np.uint8),
        "weights": rig.weights,
        "place": rig.place[:, :3].astype(np.float32),
        "fingers": np.array([one.finger for one in rig.correctives], np.uint8),
        "moved_counts": np.array([len(one.vertices) for one in rig.correctives], np.uint16),
        "moved": np.concatenate([one.vertices for one in rig.correctives] or [none]).astype(np.uint32),
        # They are millimetres: 16 bits are exact to a hundredth of one.
        "directions": np.concatenate([one.directions.ravel() for one in rig.correctives] or [none]).astype(np.float16),
    }


def packed(arrays: Mapping[str, np.ndarray]) -> tuple[list[list[Any]], str]:
    """All arrays as base64 of gzip, and for each its name, type, first byte and count."""
    index: list[list[Any]] = []
    pieces: list[bytes] = []
    start = 0
    for name, array in arrays.items():
        kind = _TYPES[array.dtype.name]
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        index.append([name, kind, start, array.size])
        pieces.append(data + bytes(-len(data) % 4))
        start += len(pieces[-1])
    return index, base64.b64encode(gzip.compress(b"".join(pieces), 6, mtime=0)).decode()
