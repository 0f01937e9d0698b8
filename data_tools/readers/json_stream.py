"""JSON files too large to be read whole: one member at a time, memory bounded by the largest of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import ijson
import numpy as np
from jaxtyping import Float32

from data_tools.readers.reader import UnreadableFile

_OUTLINE_EVENTS = 4_096
_NESTED = 16  # containers inside each other within one member; poses need four

MOST_VALUES = 1 << 16
"""Values in one member: a frame of two hands or a body has some hundred. In memory they are 6 MB at most."""

Keys = tuple[str, ...]


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file and turn whatever its parser raises into one line about it."""
    try:
        with path.open("rb") as stream:
            if stream.read(3) != b"\xef\xbb\xbf":
                stream.seek(0)
            yield stream
    except UnreadableFile:
        raise
    except ijson.IncompleteJSONError as error:
        raise UnreadableFile(path, f"damaged or incomplete JSON ({_short(error)}); copy it again") from error
    except (ijson.JSONError, ValueError, OverflowError) as error:
        raise UnreadableFile(path, f"cannot be read as JSON ({_short(error)})") from error
    except OSError as error:
        raise UnreadableFile(path, f"cannot be opened ({error.strerror})") from error


def outline(path: Path) -> tuple[Keys, ...]:
    """The keys that JSON, or JSON lines, begin with, each with the keys above it; nothing for what is no JSON object.

    Every reader that is asked whether a file is its own looks at the same outline, which is read once.
    """
    try:
        status = path.stat()
    except OSError:
        return ()
    return _outline(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _outline(path: Path, size: int, _: int) -> tuple[Keys, ...]:
    found: list[Keys] = []
    above: list[str] = []
    try:
        with _opened(path) as stream:
            # Small bites, so that a few keys of a file of gigabytes cost a few kilobytes.
            events = ijson.basic_parse(stream, use_float=True, buf_size=4_096, multiple_values=True)
            for _count, (event, value) in zip(range(_OUTLINE_EVENTS), events, strict=False):
                if event == "start_map":
                    above.append("")
                elif event == "end_map":
                    above.pop()
                elif event == "map_key":
                    above[-1] = value
                    found.append(tuple(above))
    except UnreadableFile:
        pass  # what came before the damage says which format it is, and that format's reader says what is wrong
    return tuple(found)


def members(path: Path, depth: int) -> Iterator[tuple[Keys, Any]]:
    """Yield the members that stand ``depth`` objects deep, one at a time, each with its keys.

    Args:
        path: A JSON file whose outermost value is an object.
        depth: 1 for the members of the outermost object, 2 for those of its members.

    Raises:
        UnreadableFile: Damaged, or something other than an object above that depth.
    """
    with _opened(path) as stream:
        events = ijson.basic_parse(stream, use_float=True, buf_size=1 << 16)
        above: list[str] = []
        for event, value in events:
            if event == "start_map":
                above.append("")
            elif event == "end_map":
                above.pop()
            elif event == "map_key":
                above[-1] = value
                if len(above) == depth:
                    yield tuple(above), _value(events, path)
            else:
                where = "/".join(above) or "it"
                raise UnreadableFile(path, f"{where} holds {event.removeprefix('start_')}, expected an object")


def listed(path: Path, key: str) -> Iterator[Any]:
    """Yield the entries of the list that the outermost object holds under ``key``, one at a time.

    Raises:
        UnreadableFile: Damaged, or an entry is too large to be one.
    """
    with _opened(path) as stream:
        entries = f"{key}.item"
        events = ((event, value, prefix) for prefix, event, value in ijson.parse(stream, use_float=True))
        for first, value, prefix in events:
            if prefix == entries:
                yield _built(first, value, ((event, value) for event, value, _ in events), path)


def documents(path: Path) -> Iterator[Any]:
    """Yield the values of JSON lines, or of JSON that holds one, one at a time.

    Raises:
        UnreadableFile: As :func:`listed`.
    """
    with _opened(path) as stream:
        events = ijson.basic_parse(stream, use_float=True, buf_size=1 << 16, multiple_values=True)
        for event, value in events:
            yield _built(event, value, events, path)


def numbers(value: Any, count: int) -> Float32[np.ndarray, "count"] | None:
    """A JSON value as ``count`` numbers, nested or not; None if it is anything else."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal length
        return None
    with np.errstate(over="ignore"):
        return array.ravel().astype(np.float32) if array.dtype.kind in "fi" and array.size == count else None


def _value(events: Iterator[tuple[str, Any]], path: Path) -> Any:
    """Build the value that begins with the next event."""
    event, value = next(events)
    return _built(event, value, events, path)


def _built(event: str, value: Any, events: Iterator[tuple[str, Any]], path: Path) -> Any:
    """Build the value that began with an event."""
    if event not in ("start_map", "start_array"):
        return value
    outer: Any = {} if event == "start_map" else []
    stack, keys, left = [outer], [""], MOST_VALUES
    while stack:
        event, value = next(events)
        left -= 1
        if left < 0:
            raise UnreadableFile(path, f"holds more than {MOST_VALUES:,} values in one place, which is no pose")
        if event == "map_key":
            keys[-1] = value
            continue
        if event in ("end_map", "end_array"):
            stack.pop()
            keys.pop()
            continue
        is_container = event in ("start_map", "start_array")
        if is_container:
            value = {} if event == "start_map" else []
        holder = stack[-1]
        if isinstance(holder, list):
            holder.append(value)
        else:
            holder[keys[-1]] = value
        if is_container:
            if len(stack) >= _NESTED:
                raise UnreadableFile(path, "is nested too deeply to be poses")
            stack.append(value)
            keys.append("")
    return outer


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
