"""YAML that a user wrote: read safely, with unknown and repeated keys refused by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key written twice, where plain YAML silently keeps the last."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for key, (key_node, _) in zip(keys, node.value, strict=True):
        if keys.count(key) > 1:
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} is written twice", key_node.start_mark)
    loader.flatten_mapping(node)
    return {loader.construct_object(key): loader.construct_object(value, deep=True) for key, value in node.value}


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_mapping(path: Path, known: Iterable[str]) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping with known keys.

    Args:
        path: The file.
        known: The keys it may have.

    Returns:
        The mapping; empty for an empty file.

    Raises:
        ValueError: Not YAML, not a mapping, a key written twice, or an unknown key (the nearest known one is named).
        FileNotFoundError: No such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected `key: value` lines, got {type(content).__name__}")
    for key in content:
        refuse_unknown(str(key), known, where=str(path))
    return content


def refuse_unknown(key: str, known: Iterable[str], where: str) -> None:
    """Raise a ValueError that names the nearest known key, unless ``key`` is one."""
    known = list(known)
    if key in known:
        return
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
    raise ValueError(f"{where}: unknown key {key!r}; {hint}")
