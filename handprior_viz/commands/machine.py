"""The machine and the walkthrough: ``doctor``, ``demo``, ``lab``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from handprior_viz.commands.terminal import Result

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def doctor(args: argparse.Namespace) -> Result:
    """Say what works on this machine."""
    from handprior_viz.doctor import examine

    checks = examine()
    for check in checks:
        print(f"{check.name:<11} {check.found}" + (f"\n{'':<11} → {check.advice}" if check.advice else ""))
    found = {check.name: check.found for check in checks}
    return found | {"problems": [f"{check.name}: {check.advice}" for check in checks if check.advice]}


def demo(args: argparse.Namespace) -> Result:
    """Run the whole pipeline on the embedded corpus."""
    from handprior_viz.demo import run_demo

    return run_demo(Path(args.out), frames=args.frames, total=args.total, seed=args.seed)


def lab(args: argparse.Namespace) -> Result:
    """Replace this process by JupyterLab on the walkthrough."""
    if not NOTEBOOKS.is_dir():
        raise FileNotFoundError(f"no notebooks at {NOTEBOOKS}: install from a clone with `pip install -e .`")
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyter", "lab", str(NOTEBOOKS / "00_tour.ipynb"), *as_root, *args.jupyter]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.executable, command)
