"""Datasets are dragged from one tier to another in the balance panel's table."""

from __future__ import annotations

from pathlib import Path

import anywidget


class TierDrag(anywidget.AnyWidget):
    """Lets names in the table of :func:`.balance_table` be dragged onto tiers, in the panel that it is put into.

    It shows nothing and tells Python nothing itself: a drop moves the menu of the dataset, and the table tells of that.
    """

    _esm = Path(__file__).with_name("tier_drag.js").read_text(encoding="utf-8")

    def __init__(self) -> None:
        super().__init__()
        self.add_class("hp-balance-drag")  # takes no room either
