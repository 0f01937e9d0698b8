"""Plain values, as YAML and command lines give them, as the typed values of a dataclass, every mistake named."""

from __future__ import annotations

import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin


def typed(cls: type, tree: Mapping[str, Any], *, prefix: str, also: list[str]) -> dict[str, Any]:
    """Check keys and convert values to the annotated types of a dataclass; ``also`` are right keys elsewhere."""
    hints = typing.get_type_hints(cls)
    right = [f.name for f in fields(cls) if f.name != "model"]
    for key in tree:
        if key not in right:
            raise ValueError(_unknown_key(f"{prefix}{key}", [f"{prefix}{name}" for name in right] + also))
    missing = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    for name in missing:
        if name not in tree:
            raise ValueError(f"{prefix}{name} is needed and has no default")
    return {key: convert(value, hints[key], f"{prefix}{key}") for key, value in tree.items()}


def convert(value: Any, annotation: Any, key: str) -> Any:
    """Convert a YAML or Python value to an annotated type: ``1e-3`` (text in YAML) is a float, 2.5 is no int.

    Raises:
        ValueError: With the key, the value and what was expected.
    """
    origin, options = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        for option in options:
            if str(value) == str(option):
                return option
        raise ValueError(f"{key} must be one of {', '.join(map(str, options))}, got {value!r}")
    if origin in (Union, types.UnionType):
        if value is None and type(None) in options:
            return None
        for option in sorted((o for o in options if o is not type(None)), key=lambda o: o is str):
            try:
                return convert(value, option, key)
            except ValueError:
                continue
        raise ValueError(f"{key} must be {' or '.join(_WORDS.get(o, str(o)) for o in options)}, got {value!r}")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{key} must be a list of {_WORDS[options[0]]}s, got {value!r}")
        return tuple(convert(entry, options[0], key) for entry in value)
    converted = _scalar(value, annotation)
    if converted is None:
        raise ValueError(f"{key} must be {_WORDS[annotation]}, got {value!r}")
    return converted


def known(name: str, among: Mapping[str, Any], what: str) -> str:
    """The name, if it is one of those known.

    Raises:
        ValueError: It is not; with the nearest right one.
    """
    if name not in among:
        near = difflib.get_close_matches(name, list(among), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(among) or 'none'}"
        raise ValueError(f"unknown {what} {name!r}; {hint}")
    return name


_ALSO_CALLED = {
    "lr": "learning_rate",
    "bs": "batch_size",
    "wd": "weight_decay",
    "gpus": "devices",
    "latent": "model.z_dim",
    "latent_dim": "model.z_dim",
    "kl_weight": "model.beta",
    "layers": "model.K",
    "n_layers": "model.K",
}
"""Names that other programs have for our keys and that look like others of ours, or like none."""


def _unknown_key(key: str, known: list[str]) -> str:
    tail = key.rpartition(".")[2].lower().replace("-", "_")  # model.lr for learning_rate, z_dim for model.z_dim
    tails = {name.rpartition(".")[2].lower(): name for name in known}
    near = [name for name in (_ALSO_CALLED.get(tail), tails.get(tail)) if name in known]
    near += difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    near += [tails[match] for match in difflib.get_close_matches(tail, tails, n=1, cutoff=0.5)]
    return f"unknown key {key}; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")


_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    type(None): "null",
}


def _scalar(value: Any, annotation: type) -> Any:
    """The value as an int, float, bool or str, or None where it is not one."""
    if annotation is bool or isinstance(value, bool):
        return value if annotation is bool and isinstance(value, bool) else None
    if annotation is str:
        return str(value) if isinstance(value, str | int | float | Path) else None
    try:
        number = float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None
    if number is None or not math.isfinite(number):
        return None
    if annotation is int:
        return int(number) if number.is_integer() else None
    return number
