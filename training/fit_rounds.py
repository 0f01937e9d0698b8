"""What a fit in rounds says of itself as it goes, so that a run has a heartbeat and can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FitRound:
    """Where a fit stands.

    Attributes:
        done: Rounds behind it, the part of the one under way included.
        most: Rounds at most.
        metrics: What was measured of a round that has just ended, under the names of a run's metrics; else empty.
    """

    done: float
    most: int
    metrics: dict[str, float] = field(default_factory=dict)


Watch = Callable[[FitRound], bool]
"""Is told now and then where a fit stands, and says whether it is to end now, with the best it has."""


def watch_nothing(at: FitRound) -> bool:
    """For whoever has nobody to tell: the fit goes on to its own end."""
    return False
