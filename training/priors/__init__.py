"""The registry of priors: the name people type, and the class that does it."""

from __future__ import annotations

from training.prior import Prior
from training.priors.gaussian import Gaussian
from training.priors.hand_vae import HandVAE

PRIORS: dict[str, type[Prior]] = {prior.name: prior for prior in (Gaussian, HandVAE)}
"""Every prior by its name, in the order in which they are shown."""
