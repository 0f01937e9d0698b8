"""A cell that is run again and again keeps one set of panels: in a real kernel, fifty times."""

from __future__ import annotations

import contextlib
import json
import os
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[1]
RUNS, SETTLED = 50, 5
"""How often the cell is run, and after how many of them everything that stays is there."""

MOST_GROWTH = 250_000_000
"""Bytes by which memory may grow in all; panels that stayed alive would hold some 20 MB each, a gigabyte together."""

PANELS = """
from handprior_viz import BalancePanel, LatentExplorer, TrainingPanel
from data_tools import scan
explorer = LatentExplorer({run!r}, {store!r})
training = TrainingPanel({store!r}, runs={runs!r})
balance = BalancePanel(scan({data!r}), out="splits")
explorer
"""

COUNTED = """
import ctypes, gc, json, pathlib, psutil, sys, threading
from ipywidgets.widgets.widget import _instances
gc.collect()
if sys.platform == "linux":
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what was freed but not given back is no leak
process = psutil.Process()
counts = {
    "widgets": len(_instances),
    "threads": threading.active_count(),
    "files": len(process.open_files()),
    "memory": process.memory_info().rss,
}
pathlib.Path("counts.json").write_text(json.dumps(counts))
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[BlockingKernelClient]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    manager, client = start_new_kernel(cwd=str(tmp_path), env=environment, startup_timeout=120)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run_cell(kernel: BlockingKernelClient, code: str, cell: str) -> None:
    """Run a cell as JupyterLab does: with the cell's id beside its code."""
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = kernel.session.msg("execute_request", content, metadata={"cellId": cell})
    kernel.shell_channel.send(message)
    while True:
        reply = kernel.get_shell_msg(timeout=120)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            assert reply["content"]["status"] == "ok", "\n".join(reply["content"].get("traceback", []))
            break
    with contextlib.suppress(queue.Empty):  # what nobody takes waits in the kernel's memory
        while True:
            kernel.get_iopub_msg(timeout=0.05)


def counts(kernel: BlockingKernelClient, folder: Path) -> dict[str, Any]:
    run_cell(kernel, COUNTED, "counting")
    found: dict[str, Any] = json.loads((folder / "counts.json").read_text())
    return found


@pytest.mark.notebook
def test_a_cell_of_panels_run_fifty_times_leaves_one_set_of_them(
    kernel: BlockingKernelClient, demo_run: Path, demo_store: Path, demo_data: Path, tmp_path: Path
) -> None:
    code = PANELS.format(run=str(demo_run), store=str(demo_store), runs=str(tmp_path / "runs"), data=str(demo_data))
    for _ in range(SETTLED):
        run_cell(kernel, code, "panels")
    before = counts(kernel, tmp_path)
    for _ in range(RUNS - SETTLED):
        run_cell(kernel, code, "panels")
    after = counts(kernel, tmp_path)
    assert after["widgets"] == before["widgets"]
    assert after["threads"] <= before["threads"] + 2  # one may still be ending, or a timer running
    assert after["files"] <= before["files"] + 1  # stores that are mapped; the last outputs stay in _, __ and ___
    assert after["memory"] - before["memory"] < MOST_GROWTH
