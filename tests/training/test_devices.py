"""Every prior keeps to its device, and training does not wait for it: checked on a GPU that computes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from training.priors import PRIORS

HERE = Path(__file__).parent

COLUMNS = 90


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    """What came of every task with every prior, from a process of its own."""
    registration = pytest.importorskip("torch.utils.backend_registration")
    if not hasattr(registration, "_setup_privateuseone_for_python_backend"):
        pytest.skip("this torch cannot be taught a device from Python")
    done = subprocess.run(
        [sys.executable, str(HERE / "pretended_gpu.py")],
        capture_output=True,
        text=True,
        cwd=HERE.parents[1],
        env=os.environ | {"PYTHONPATH": str(HERE.parents[1])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def priors(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {about: tasks for about, tasks in found.items() if not about.startswith("_")}


def test_all_priors_were_tried(priors: dict[str, dict[str, Any]]) -> None:
    assert {about.split()[0] for about in priors} == set(PRIORS)
    assert "gaussian mixture" in priors


def test_no_device_is_mixed_up(priors: dict[str, dict[str, Any]]) -> None:
    errors = {
        (about, task): one["error"] for about, tasks in priors.items() for task, one in tasks.items() if "error" in one
    }
    assert errors == {}
    assert {one["device"] for tasks in priors.values() for one in tasks.values()} == {"gpu"}


def test_poses_have_their_shapes(priors: dict[str, dict[str, Any]]) -> None:
    for tasks in priors.values():
        for task in ("decode", "sample", "sample with a CPU generator"):
            assert task not in tasks or tasks[task]["shape"][1:] == [COLUMNS]


def test_a_training_step_never_waits(priors: dict[str, dict[str, Any]]) -> None:
    """What waits for the GPU keeps the next step from being handed to it; small steps then take twice as long."""
    waits = {about: tasks["training_step"]["waits"] for about, tasks in priors.items() if "training_step" in tasks}
    assert set(waits.values()) == {0}, waits


def test_mistakes_are_found(found: dict[str, dict[str, Any]]) -> None:
    assert "gpu:0 and cpu" in found["_ConstantOnTheCPU"]["training_step"]["error"]
    assert found["_NumberAskedFor"]["training_step"]["waits"] == 1
