"""Find, judge, mix and pack hand-motion data.

The names below are all that a notebook needs; each is imported on first use, so that ``import data_tools`` stays
fast and pulls in neither torch nor a table library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_tools import demo_corpus
    from data_tools.dataset_audit import audit
    from data_tools.hand_model import HandModel
    from data_tools.mix import plan
    from data_tools.scanning.folder_scan import scan
    from data_tools.store import PoseStore, balance, pack

__all__ = ["HandModel", "PoseStore", "audit", "balance", "demo_corpus", "pack", "plan", "scan"]

_HOME = {
    "HandModel": "data_tools.hand_model",
    "PoseStore": "data_tools.store",
    "audit": "data_tools.dataset_audit",
    "balance": "data_tools.store",
    "demo_corpus": "data_tools.demo_corpus",
    "pack": "data_tools.store",
    "plan": "data_tools.mix",
    "scan": "data_tools.scanning.folder_scan",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_HOME[name])
    return module if name == "demo_corpus" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
