"""Each stage of a benchmark in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def measure(script: str, **arguments: object) -> tuple[float, float]:
    """Run a benchmark's script with these arguments, one stage; it ends by calling :func:`report`.

    Returns:
        Seconds without imports, and peak resident memory in MB with them.
    """
    options = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
    answer = subprocess.run([sys.executable, script, *options], check=True, capture_output=True, text=True).stdout
    seconds, megabytes = json.loads(answer.splitlines()[-1])
    return seconds, megabytes


def report(work: Callable[[], object]) -> None:
    """Do the work of a stage and print what it took, for :func:`measure`."""
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, peak_megabytes()]))


def peak_megabytes() -> float:
    """Most memory that this process has held; getrusage's would count what its parent held before it began."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
