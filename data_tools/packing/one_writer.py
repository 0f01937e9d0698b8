"""One writer at a time: a lock file beside what is written names the process and its machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import SoftFileLock, Timeout


@contextmanager
def one_writer(out: Path) -> Iterator[None]:
    """Hold the right to write ``out``.

    The lock is the file ``.NAME.lock`` beside it, with process id and host. That of a process that has died on this
    machine is taken over; of a process on another machine nobody here can tell, so it stays.

    Raises:
        RuntimeError: Another process writes it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.with_name(f".{out.name}.lock")
    lock = SoftFileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RuntimeError(
            f"{out}: {_holder(path)} is writing it; wait until it is done, or give another place "
            f"(if that process is gone, delete {path.name} there)"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    try:
        process, host = path.read_text(encoding="utf-8", errors="replace").splitlines()[:2]
    except (OSError, ValueError):
        return "another process"
    return f"process {process} on {host}"
