"""The hands a detector found, however its results were gathered: one result, a list of them, or by picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from data_tools.readers.hand_rows import PICTURE_KEYS, TIME_KEYS

_DEEPEST = 3
"""How far results are looked for: by video, by picture, by hand."""


@dataclass(frozen=True, eq=False)
class Detection:
    """One result of a detector: the hands of a picture, or one of them.

    Attributes:
        picture: The frame number or name under which it stands, or its place in a list; () where there is but one.
        said: The whole result, which says what side each hand is.
        params: The part of it with ``hand_pose``.
        is_mirrored: Whether left hands are given as right ones.
    """

    picture: tuple[Any, ...]
    said: Mapping[str, Any]
    params: Mapping[str, Any]
    is_mirrored: bool


def detections(content: Any) -> Iterator[Detection]:
    """Find the results in a content: HaMeR's and WiLoR's matrices, or WiLoR-mini's rotation vectors.

    HaMeR and WiLoR give rotation matrices, left hands as right ones, for all hands of a picture (geopavlakos/hamer,
    demo.py). WiLoR-mini gives rotation vectors under ``wilor_preds``, left hands already turned back, in a list of the
    hands of a picture (warmshao/WiLoR-mini, wilor_hand_pose3d_estimation_pipeline.py). People keep lists of either, or
    mappings by frame number or picture.
    """
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), content)]
    while waiting:
        picture, value = waiting.pop()
        result = _result(picture, value)
        if result is not None:
            yield result
        elif len(picture) < _DEEPEST and (isinstance(value, Mapping) or _is_list(value)):
            waiting += reversed(list(_below(picture, value)))


def _result(picture: tuple[Any, ...], value: Any) -> Detection | None:
    if not isinstance(value, Mapping):
        return None
    if _has_vectors(value):
        return Detection(picture, value, value["wilor_preds"], is_mirrored=False)
    inner = value.get("pred_mano_params")
    params = inner if isinstance(inner, Mapping) else value
    return Detection(picture, value, params, is_mirrored=True) if are_matrices(params.get("hand_pose")) else None


def _below(picture: tuple[Any, ...], value: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
        if isinstance(inner, Mapping) or _is_list(inner):
            # A list of WiLoR-mini's is of the hands of one picture.
            is_hand = _has_vectors(inner) and not isinstance(value, Mapping)
            yield (picture if is_hand else (*picture, key)), inner


def _has_vectors(value: Any) -> bool:
    vectors = value.get("wilor_preds") if isinstance(value, Mapping) else None
    return isinstance(vectors, Mapping) and "hand_pose" in vectors


def _is_list(value: Any) -> bool:
    is_array = isinstance(value, np.ndarray) and value.dtype.hasobject and value.ndim == 1
    return (is_array or isinstance(value, list | tuple)) and len(value) > 0 and not isinstance(value[0], int | float)


def are_matrices(value: Any, joints: int = 15) -> bool:
    """Tell whether a value is (..., joints, 3, 3)."""
    shape = value.shape if hasattr(value, "shape") else np.shape(value)
    return len(shape) >= 3 and shape[-3:] == (joints, 3, 3)


def pictures_of(found: list[Detection], content: Any, counts: list[int]) -> Mapping[str, Any]:
    """Say which picture each row is of, as :func:`~data_tools.readers.hand_rows.hand_frames` wants to hear it.

    Args:
        found: The results.
        content: What they were found in; where it is keyed by whole numbers, these are frames.
        counts: Rows of each result.
    """
    if len(found) == 1 and not found[0].picture:
        return found[0].said
    for key in (*TIME_KEYS, *PICTURE_KEYS):
        if not key.endswith("s") and all(key in result.said for result in found):
            said = (
                np.broadcast_to(np.ravel(result.said[key]), rows) for result, rows in zip(found, counts, strict=True)
            )
            return {key: np.concatenate(list(said))}
    if isinstance(content, Mapping) and all(isinstance(result.picture[0], int | np.integer) for result in found):
        return {"frame": np.repeat([result.picture[0] for result in found], counts)}
    of_result = [number for number, (_, same) in enumerate(groupby(found, lambda result: result.picture)) for _ in same]
    return {"img_name": np.repeat(of_result, counts).astype(str)}
