"""Train hand-pose priors, load them, and score them.

Three names are all that a notebook needs; each is imported on first use, so that ``import training`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.checkpoints import load_prior
    from training.evaluation import evaluate
    from training.run import train

__all__ = ["evaluate", "load_prior", "train"]

_HOME = {"evaluate": "training.evaluation", "load_prior": "training.checkpoints", "train": "training.run"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
