"""What priors draw, side by side: a row of hands each, from the same seed, below a row of real held-out ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.pose_layout import hands_of
from data_tools.store import PoseStore
from handprior_viz.comparing.runs import ComparedRun, LoadedPriors
from handprior_viz.explorer.backdrop import held_out_split
from handprior_viz.grid_box import GridBox
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import button, row
from handprior_viz.style import TOKENS
from handprior_viz.trainings.samples import drawn_hands
from training.prior import Prior

IN_A_ROW = 6
CELL = (82, 112)
"""Pixels of one pose: narrow enough that a row stays a row."""


@dataclass(frozen=True, eq=False)
class SampleRows:
    """Poses for a grid, row by row.

    Attributes:
        poses: (rows x IN_A_ROW, 90) both hands, radians.
        titles: One per pose: at the first of a row the prior, at the second when its run was started.
        colours: One per pose: the row's.
    """

    poses: Float[np.ndarray, "n 90"]
    titles: tuple[str, ...]
    colours: tuple[str, ...]


class SampleSection:
    """Rows of live hands in one grid.

    Args:
        store: Where the real row comes from.
        priors: The priors, loaded once for all sections.
        tell: Shows an error.
        model: Hand model to draw with.

    Attributes:
        widget: What to show.
        seed: Of what is drawn.
    """

    def __init__(
        self,
        store: PoseStore,
        priors: LoadedPriors,
        *,
        tell: Callable[[Exception], object],
        model: HandModel | None = None,
    ) -> None:
        self._store, self._priors = store, priors
        self._chosen: Sequence[ComparedRun] = ()
        self.seed = 0
        self._heading = LiveMarkup()
        others = button("Other samples", "Draw with another seed, the same for all", self.reseed)
        bar = row(self._heading, others, classes=["hp-compare-bar"])
        self._hands = GridBox(
            bar, classes=["hp-compare-samples"], model=model, columns=IN_A_ROW, cell=CELL, synthetic=store.synthetic
        )
        self.widget = self._hands.widget
        self._drawing = LatestWins(self._draw, on_error=tell, name="compare-samples")

    def use(self, chosen: Sequence[ComparedRun]) -> None:
        """Show samples of these runs; returns at once."""
        self._chosen = chosen
        self._drawing.submit((tuple(chosen), self.seed))

    def reseed(self, seed: int | None = None) -> None:
        """Draw with another seed: this one, or the next."""
        self.seed = self.seed + 1 if seed is None else seed
        self.use(self._chosen)

    def settle(self, timeout: float) -> bool:
        """Wait until what was asked for is shown."""
        return self._drawing.settle(timeout) and self._hands.settle(timeout)

    def close(self) -> None:
        """End the thread and free the hands."""
        self._drawing.close()
        self._hands.close()

    def _draw(self, asked: tuple[tuple[ComparedRun, ...], int]) -> None:
        runs, seed = asked
        rows = sample_rows([(run, self._priors.prior(run)) for run in runs], self._store, seed)
        self._hands.show(rows.poses, titles=rows.titles, colours=rows.colours)
        said = f"one row each, all drawn with seed {seed}; the first row is real: held-out frames"
        self._heading.markup = f'<p class="hp-compare-heading">Samples <span class="hp-muted">{said}</span></p>'


def sample_rows(runs: Sequence[tuple[ComparedRun, Prior]], store: PoseStore, seed: int) -> SampleRows:
    """Real held-out hands, then those that each prior draws, all from one seed.

    Args:
        runs: Runs and their priors.
        store: Where held-out frames come from.
        seed: Of both.
    """
    split = store.split(held_out_split(store))
    chosen = np.random.default_rng(seed).choice(len(split), IN_A_ROW, replace=len(split) < IN_A_ROW)
    rows = [hands_of(np.array(split[np.sort(chosen)], np.float32))]
    rows += [drawn_hands(prior, IN_A_ROW, seed) for _, prior in runs]
    titles, colours = ["real"], [TOKENS.muted]
    titles += [run.title for run, _ in runs]
    colours += [run.look.colour for run, _ in runs]
    named = [words for title in titles for words in _spread_over_row(title)]
    coloured = [colour for colour in colours for _ in range(IN_A_ROW)]
    return SampleRows(np.concatenate(rows), tuple(named), tuple(coloured))


def _spread_over_row(title: str) -> list[str]:
    """A run's title over the first two cells of its row, so that it stays readable where cells are narrow."""
    parts = re.fullmatch(r"(.+?) (\d+ \w+ [\d:]+|\S+)", title)  # its prior, and when it was started or its name
    words = parts.groups() if parts else (title,)
    return [*words, *[""] * (IN_A_ROW - len(words))]
