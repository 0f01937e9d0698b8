"""See and touch: panels for notebooks, the live hands, pictures, and the ``handprior`` command.

The names below are all that a notebook needs; each is imported on first use, so that ``handprior --help`` stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handprior_viz.audit_panel import AuditPanel
    from handprior_viz.balance_panel import BalancePanel
    from handprior_viz.compare_panel import ComparePanel
    from handprior_viz.hand_grid import HandGrid
    from handprior_viz.hand_view import HandView
    from handprior_viz.latent_panel import LatentExplorer
    from handprior_viz.training_panel import TrainingPanel

__all__ = ["AuditPanel", "BalancePanel", "ComparePanel", "HandGrid", "HandView", "LatentExplorer", "TrainingPanel"]

_HOME = {
    "AuditPanel": "handprior_viz.audit_panel",
    "BalancePanel": "handprior_viz.balance_panel",
    "ComparePanel": "handprior_viz.compare_panel",
    "HandGrid": "handprior_viz.hand_grid",
    "HandView": "handprior_viz.hand_view",
    "LatentExplorer": "handprior_viz.latent_panel",
    "TrainingPanel": "handprior_viz.training_panel",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
