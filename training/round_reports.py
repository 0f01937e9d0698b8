"""What a run writes of a fit in rounds: metrics of each round, a heartbeat in between, and the answer to a stop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from training.config import RunConfig
from training.fit_rounds import FitRound
from training.run_folder import RunFolder

log = logging.getLogger(__name__)


class RoundReports:
    """Watches a fit, see :data:`training.fit_rounds.Watch`; a round stands where other priors have an epoch.

    Args:
        run: Where to.
        config: Says how often.
        frames: Of the train split.
        watch: Is given the status and the newest metrics at every heartbeat.

    Attributes:
        stopped: Whether a stop was asked for and obeyed.
    """

    def __init__(
        self, run: RunFolder, config: RunConfig, frames: int, watch: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        self.run = run
        self.seconds = config.log_seconds
        self.frames = frames
        self.watch = watch
        self.stopped = False
        self.rounds = 0
        self.began = self.beaten = time.monotonic()

    def __call__(self, at: FitRound) -> bool:
        """Report, if it is time or a round has ended; says whether a stop was asked for."""
        self.rounds = int(at.done)
        if at.metrics:
            self.run.append_metrics(epoch=self.rounds, step=self.rounds, **at.metrics)
        if at.metrics or time.monotonic() - self.beaten >= self.seconds:
            self._beat(at)
        if self.run.stop_requested() and not self.stopped:
            log.info("stop requested: keeping the best of %d rounds", self.rounds)
            self.stopped = True
        return self.stopped

    def conclude(self, metrics: Mapping[str, float]) -> None:
        """Write what was measured of the prior that is kept; a fit in one pass was one round."""
        rounds, speed = max(self.rounds, 1), self._speed(max(self.rounds, 1))
        self.run.append_metrics(epoch=rounds, step=rounds, samples_per_second=speed, **metrics)
        most = {} if self.rounds else {"max_epochs": 1}
        self.run.update_status(epoch=rounds, step=rounds, samples_per_second=speed, best_nll=metrics["val/nll"], **most)

    def _beat(self, at: FitRound) -> None:
        self.beaten = time.monotonic()
        pace = (self.beaten - self.began) / at.done if at.done else math.nan
        status = self.run.update_status(
            state="running",
            epoch=self.rounds,
            step=self.rounds,
            max_epochs=at.most,
            samples_per_second=self._speed(at.done),
            eta_seconds=round(pace * (at.most - at.done), 1) if at.done else None,
        )
        if self.watch is not None:
            self.watch({**status, **at.metrics})

    def _speed(self, rounds: float) -> int:
        return round(rounds * self.frames / max(time.monotonic() - self.began, 1e-9))
