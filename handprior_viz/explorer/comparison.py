"""What a shown pose is compared with: held-out poses as a prior finds them, and the spread of a joint angle (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float

from data_tools.store import PoseStore
from handprior_viz.explorer.backdrop import AngleSpread, Backdrop, energy_span, held_out_energies
from handprior_viz.explorer.held_out import HeldOut
from training.prior import Prior


@dataclass(frozen=True, eq=False)
class Placed:
    """A pose that is shown.

    Attributes:
        pose: Radians.
        exact: Whether it was set as it is; otherwise a prior has made it.
    """

    pose: Float[np.ndarray, "dim"]
    exact: bool


@dataclass(frozen=True, eq=False)
class Usual:
    """Energies of held-out poses, nats per frame, and the ends of a plot of them."""

    energies: Float[np.ndarray, "poses"]
    span: tuple[float, float]

    @classmethod
    def of(cls, prior: Prior, store: PoseStore, *, exact: bool) -> Usual:
        """Score held-out poses as they are (``exact``), or as the prior sees them."""
        energies = held_out_energies(prior, store, exact=exact)
        return cls(energies, energy_span(energies))


@dataclass(frozen=True, eq=False)
class Comparison:
    """What poses are compared with, as far as it is there.

    A pose that was set as it is stands among held-out poses as they are (True), any other among them as the prior sees
    them (False); where decoding loses nothing the two are one (False).

    Attributes:
        prior: What scores poses.
        backdrop: Poses of each dataset.
        spread: The joint angle that is plotted.
        usual: Held-out poses of the whole store.
        held_out: As many of each dataset.
    """

    prior: Prior | None = None
    backdrop: Backdrop | None = None
    spread: AngleSpread | None = None
    usual: dict[bool, Usual] = field(default_factory=dict)
    held_out: dict[bool, HeldOut] = field(default_factory=dict)

    def among(self, shown: Placed | None) -> bool:
        """Which of the two a pose is compared with."""
        return shown is not None and shown.exact and self.prior is not None and self.prior.is_bound


@torch.no_grad()
def energy_of(prior: Prior, pose: Float[np.ndarray, "dim"]) -> float:
    """Minus log-likelihood of a pose (radians) as it is, nats."""
    return float(prior.energy(torch.from_numpy(pose)))
