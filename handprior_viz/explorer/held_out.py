"""Energies of held-out poses, dataset by dataset: in which of them a pose would surprise least (no widgets)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from data_tools.store import PoseStore
from handprior_viz.explorer.backdrop import Backdrop, energies_of, energy_span, held_out_split
from handprior_viz.figures import Strip
from training.prior import Prior

POSES_PER_DATASET = 250
"""Held-out poses scored of each dataset at most: enough for a density."""

POSES_IN_ALL = 4_000
"""Held-out poses scored at most, as many of each dataset: seconds for the slowest prior, in the background."""

FEWEST = 40
"""Held-out poses scored of each dataset, however many datasets there are, as far as they have so many."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out poses of each dataset under a prior.

    Attributes:
        sample: The poses.
        energies: (poses,) minus log-likelihood of each, nats per frame; not a number where there is none.
    """

    sample: Backdrop
    energies: Float[np.ndarray, "poses"]

    @classmethod
    def of(
        cls,
        prior: Prior,
        store: PoseStore,
        per_dataset: int | None = None,
        go_on: Callable[[], bool] = lambda: True,
        *,
        exact: bool = False,
    ) -> HeldOut:
        """Score as many held-out poses of each dataset, evenly; ``go_on`` and ``exact`` as in :func:`energies_of`."""
        if per_dataset is None:
            per_dataset = min(max(POSES_IN_ALL // max(len(store.datasets), 1), FEWEST), POSES_PER_DATASET)
        sample = Backdrop.of(store, per_dataset, held_out_split(store))
        return cls(sample, energies_of(prior, sample.poses, go_on, exact=exact))

    @cached_property
    def span(self) -> tuple[float, float]:
        """Ends of a plot of the energies, nats."""
        return energy_span(self.energies)

    @cached_property
    def strips(self) -> tuple[Strip, ...]:
        """How each dataset is spread over energy."""
        return self.sample.strips(self.energies, self.span)

    @cached_property
    def _sorted(self) -> dict[str, Float[np.ndarray, "own"]]:
        known = np.isfinite(self.energies)
        of = {name: self.energies[(self.sample.dataset_of == k) & known] for k, (name, _) in enumerate(self.datasets)}
        return {name: np.sort(own) for name, own in of.items() if len(own)}

    @property
    def datasets(self) -> tuple[tuple[str, str], ...]:
        """Names and tiers of the datasets that have held-out poses."""
        return self.sample.datasets

    def more_usual_than(self, energy: float) -> dict[str, float]:
        """Share (0 to 1) of each dataset's held-out poses whose energy lies above one, in nats."""
        return {name: 1 - np.searchsorted(own, energy, "right") / len(own) for name, own in self._sorted.items()}

    def least_unusual(self, energy: float) -> str:
        """Where a pose of this energy would surprise least, in words; empty if there is but one dataset."""
        shares = self.more_usual_than(energy)
        if len(shares) < 2:
            return ""
        best = max(shares, key=lambda name: (shares[name], float(np.median(self._sorted[name]))))
        if shares[best] == 0:
            return f"less usual than every held-out pose of all {len(shares)} datasets"
        share = "nearly all" if shares[best] >= 0.995 else f"{100 * shares[best]:.0f} %"
        return f"least unusual for {best} (more usual than {share} of its poses)"
