"""What each sub-command of ``handprior`` does: call one function, say the result in words, return it for ``--json``."""

from handprior_viz.commands.datasets import balance, pack, scan
from handprior_viz.commands.machine import demo, doctor, lab
from handprior_viz.commands.priors import evaluate, render, runs, sample, stop, train

__all__ = ["balance", "demo", "doctor", "evaluate", "lab", "pack", "render", "runs", "sample", "scan", "stop", "train"]
