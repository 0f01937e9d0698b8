"""Train hand-pose priors, load them, score them, and fit poses with them.

Five names are all that a notebook needs; each is imported on first use, so that ``import training`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.checkpoints import load_prior
    from training.evaluation import evaluate
    from training.fitting import fit
    from training.fitting_errors import fit_errors
    from training.run import train

__all__ = ["evaluate", "fit", "fit_errors", "load_prior", "train"]

_HOME = {
    "evaluate": "training.evaluation",
    "fit": "training.fitting",
    "fit_errors": "training.fitting_errors",
    "load_prior": "training.checkpoints",
    "train": "training.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
