"""A scan that is killed without warning goes on, the next time, from the files that it had finished."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_tools import scan
from data_tools.catalog import Catalog
from data_tools.scanning import folder_scan

MovingHands = Callable[[int, int], np.ndarray]
Consolidated = Callable[..., Path]

SCAN = """
import sys, time
from data_tools import scan
from data_tools.scanning import folder_scan

folder_scan._WORKERS = 1

def progress(done, total, name):
    print(name, flush=True)
    for _ in range(6_000 if done == 3 else 0):
        time.sleep(0.1)  # a signal that comes just before a long sleep begins would only be heard after it

scan(sys.argv[1], cache=sys.argv[2], progress=progress)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_finished_files_are_not_read_again(
    how: signal.Signals,
    tmp_path: Path,
    moving_hands: MovingHands,
    consolidated: Consolidated,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, cache = tmp_path / "data", tmp_path / "scans.sqlite"
    for seed in range(6):
        consolidated(data / f"part{seed}.npz", np.concatenate([moving_hands(120, 10 * seed + k) for k in range(3)]))
    process = subprocess.Popen(
        [sys.executable, "-c", SCAN, str(data), str(cache)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        finished = [process.stdout.readline().strip() for _ in range(3)]
        process.send_signal(how)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    read: list[str] = []
    real = folder_scan.scan_file

    def scan_file(path: Path, *rest: object, **options: object) -> object:
        read.append(path.name)
        return real(path, *rest, **options)

    monkeypatch.setattr(folder_scan, "scan_file", scan_file)
    found: Catalog = scan(data, cache=cache)
    assert len(finished) == 3
    assert set(read) == {f"part{seed}.npz" for seed in range(6)} - set(finished)
    whole = scan(data, cache=False)
    assert found.sequences.equals(whole.sequences)
    assert found.fingerprint == whole.fingerprint
