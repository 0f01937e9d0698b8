"""Shared by all tests: array shapes are checked at run time, torch keeps to the machine's cores."""

from __future__ import annotations

import os

# Before any import of the project: every jaxtyping annotation in these modules becomes a run-time check.
from jaxtyping import install_import_hook

install_import_hook(
    [
        "data_tools.hand_mean",
        "data_tools.hand_model",
        "data_tools.pose_layout",
        "data_tools.rotations",
        "training.prior",
        "training.priors",
    ],
    "beartype.beartype",
)

os.environ.setdefault("OMP_NUM_THREADS", "2")
