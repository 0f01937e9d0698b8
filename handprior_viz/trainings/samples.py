"""What a run draws while it trains: eight poses of its newest checkpoint, of the same seed each time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import numpy as np
import torch
from jaxtyping import Float

from data_tools.pose_layout import HANDS_DIM, hands_of
from handprior_viz.figures import minus
from handprior_viz.grid_box import GridBox
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from training.checkpoints import load_prior
from training.prior import Prior
from training.run_folder import RunFolder

SAMPLES, COLUMNS = 8, 4
SEED = 0
CELL = (102, 92)
"""Pixels of one pose."""

_NOTHING = '<div class="hp-empty">Samples show here as soon as a training has kept its first checkpoint.</div>'


@dataclass(frozen=True)
class _Asked:
    """A run and the moment at which it kept the prior that is to be drawn from."""

    run: RunFolder
    title: str
    kept_at: int


class RunSamples:
    """Small live hands drawn from a run's newest checkpoint; loading and drawing happen in the background.

    Args:
        on_error: What to do with an error in the background.
        synthetic: Whether the poses behind the run are made up, to be said beside the hands.

    Attributes:
        widget: What to show.
    """

    def __init__(self, *, on_error: Callable[[Exception], object] | None = None, synthetic: bool = False) -> None:
        self._heading = LiveMarkup(_NOTHING)
        self._hands = GridBox(
            self._heading, classes=["hp-train-samples"], columns=COLUMNS, cell=CELL, synthetic=synthetic
        )
        self._asked: _Asked | None = None
        self.widget = self._hands.widget
        self._drawing = LatestWins(self._draw, on_error=on_error, name="training-samples")

    def look(self, run: RunFolder | None, title: str = "") -> None:
        """Show this run's samples, or none; draws again only if it has kept another prior. Returns at once."""
        asked = None
        if run is not None:
            with contextlib.suppress(FileNotFoundError):  # none yet, or just deleted
                asked = _Asked(run, title, run.prior_file.stat().st_mtime_ns)
        if asked != self._asked:
            self._asked = asked
            self._drawing.submit(asked)

    def settle(self, timeout: float) -> bool:
        """Wait until what was asked for is shown."""
        return self._drawing.settle(timeout) and self._hands.settle(timeout)

    def close(self) -> None:
        """End the thread and free the hands."""
        self._drawing.close()
        self._hands.close()

    def _draw(self, asked: _Asked | None) -> None:
        if asked is None:  # the run was deleted
            self._heading.markup = _NOTHING
            self._hands.show(np.zeros((0, HANDS_DIM), np.float32))
            return
        prior = load_prior(asked.run)
        poses = drawn_hands(prior)
        best = asked.run.status().get("best_nll")
        self._heading.markup = samples_heading(prior, asked.title, None if best is None else float(best))
        self._hands.show(poses)


@torch.no_grad()
def drawn_hands(prior: Prior, count: int = SAMPLES, seed: int = SEED) -> Float[np.ndarray, "count 90"]:
    """Poses that a prior draws, both hands, radians; the same for the same seed."""
    return hands_of(prior.sample(count, generator=torch.Generator().manual_seed(seed)).numpy())


def samples_heading(prior: Prior, title: str, best: float | None) -> str:
    """What the hands are, in words."""
    number = "" if best is None else minus(f", {'≤ ' if prior.is_bound else ''}{best:.1f} nats per frame held out")
    return (
        f"<figcaption>Samples of {escape(title or prior.title)}"
        f'<span class="hp-muted"> newest checkpoint{escape(number)}; the same seed each time</span></figcaption>'
    )
