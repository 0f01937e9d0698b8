"""A notebook cell that is run again: what its earlier run showed is closed, which nobody else would do."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Closable(Protocol):
    """Something that a panel ends with itself."""

    def close(self) -> Any: ...


_OPEN: dict[tuple[str, str], list[tuple[str, Closable]]] = {}
"""What is open, by cell and kind, with the run of the cell that made it; it leaves when it is closed."""


def replace_earlier(made: Closable) -> None:
    """Close what an earlier run of the present cell made of the same kind; :func:`forget` it when it is closed."""
    cell, run = _present_cell()
    if not cell:
        return
    key = (cell, type(made).__name__)
    for earlier_run, earlier in list(_OPEN.get(key, ())):
        if earlier_run != run:
            earlier.close()
            _forget_output(earlier)
    _OPEN.setdefault(key, []).append((run, made))


def _forget_output(closed: Closable) -> None:
    """Take what is closed out of IPython's history of outputs, which would keep all that it holds in memory."""
    from IPython import get_ipython

    shell = get_ipython()
    history = getattr(shell, "user_ns", {}).get("_oh", {})
    for number in [number for number, value in list(history.items()) if value is closed]:
        del history[number]
        for names in (shell.user_ns, shell.user_ns_hidden):
            names.pop(f"_{number}", None)


def forget(closed: Closable) -> None:
    """It is closed, and nobody has to close it any more."""
    for key, open_ones in list(_OPEN.items()):
        _OPEN[key] = [(run, other) for run, other in open_ones if other is not closed]
        if not _OPEN[key]:
            del _OPEN[key]


def _present_cell() -> tuple[str, str]:
    """Which cell runs now and which run of it this is; empty outside a notebook.

    JupyterLab, Notebook 7 and VS Code send the cell's id with the code; others send only the code.
    """
    try:
        from IPython import get_ipython

        request = get_ipython().kernel.get_parent("shell")
        code = hashlib.blake2b(request["content"]["code"].encode(), digest_size=8).hexdigest()
        return request.get("metadata", {}).get("cellId") or code, request["header"]["msg_id"]
    except (ImportError, AttributeError, KeyError, LookupError):
        return "", ""
