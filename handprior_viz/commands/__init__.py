"""What each sub-command of ``handprior`` does: call one function, say the result in words, return it for ``--json``."""

from handprior_viz.commands.app import app
from handprior_viz.commands.auditing import audit
from handprior_viz.commands.datasets import balance, formats, pack, scan
from handprior_viz.commands.exporting import export
from handprior_viz.commands.leaks import leaks
from handprior_viz.commands.machine import demo, doctor, lab
from handprior_viz.commands.priors import evaluate, render, resume, runs, sample, stop, train

__all__ = [
    "app",
    "audit",
    "balance",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "formats",
    "lab",
    "leaks",
    "pack",
    "render",
    "resume",
    "runs",
    "sample",
    "scan",
    "stop",
    "train",
]
