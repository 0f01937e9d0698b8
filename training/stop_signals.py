"""SIGTERM and Ctrl-C as a request to stop, so that a run ends with its work kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from training.run_folder import RunFolder


@contextmanager
def stopping_on_signals(run: RunFolder) -> Iterator[None]:
    """Turn SIGTERM and Ctrl-C into a request to stop, and give the signals back afterwards."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop_on_signals(run)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_on_signals(run: RunFolder) -> None:
    """Have SIGTERM and the first Ctrl-C ask the run to stop; a second Ctrl-C interrupts."""
    if threading.current_thread() is not threading.main_thread():
        return

    def ask(signum: int, frame: Any) -> None:
        run.request_stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
