"""The registry of priors: the name people type, and the class that does it."""

from __future__ import annotations

from training.prior import Prior
from training.priors.gaussian import Gaussian
from training.priors.global_flow import GlobalFlow
from training.priors.hand_vae import HandVAE
from training.priors.hand_vae_so3 import HandVAESO3
from training.priors.joint_flow import JointFlow

PRIORS: dict[str, type[Prior]] = {prior.name: prior for prior in (Gaussian, JointFlow, GlobalFlow, HandVAE, HandVAESO3)}
"""Every prior by its name, in the order in which they are shown."""
