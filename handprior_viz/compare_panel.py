"""The compare panel: runs side by side, by their scores, their samples, a walk through each, and their energies."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
from handprior_viz.comparing.energy import EnergySection
from handprior_viz.comparing.runs import AT_ONCE, ComparedRun, LoadedPriors, Runs, compared_runs, first_choice
from handprior_viz.comparing.samples import SampleSection
from handprior_viz.comparing.scores import ScoreSection
from handprior_viz.comparing.walk import WalkSection
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.panel import Panel, short_path
from training.score_table import ScoreTable


class ComparePanel(Panel):
    """Trained runs side by side.

    What the runs' cards know is there at once; samples, the walk and the energies of held-out poses follow in the
    background; the whole table of scores on request.

    Example:
        >>> panel = ComparePanel("demo/runs", "demo/store")              # doctest: +SKIP
        >>> panel.choose(["gaussian-...", "hand_vae-..."])               # doctest: +SKIP
        >>> panel.export("comparison.html")                              # doctest: +SKIP

    Args:
        runs: A folder of runs, or several runs.
        store: The store whose held-out frames they are compared on.
        model: Hand model to draw with; the user's licensed one if there is one, else the open hand.

    Raises:
        FileNotFoundError: No such run or store, or no run that has a prior.
    """

    def __init__(self, runs: Runs, store: PoseStore | str | Path, model: HandModel | None = None) -> None:
        self.store = store if isinstance(store, PoseStore) else PoseStore(store)
        self.runs = compared_runs(runs)
        self._chosen = first_choice(self.runs)
        self._priors = LoadedPriors(self.store)
        super().__init__()
        self._sentence = LiveMarkup()
        self._choice = LiveMarkup(on_event=self._on_event)
        out = self.runs[0].run.path.parent / "comparison.html"
        self._scores = ScoreSection(self.store, tell=self.tell, out=out)
        self._samples = SampleSection(self.store, self._priors, tell=self.tell, model=model)
        self._walk = WalkSection(self.store, self._priors, tell=self.tell, model=model)
        self._energy = EnergySection(self.store, self._priors, tell=self.tell)
        self._sections = (self._scores, self._samples, self._walk, self._energy)
        self.ends_with(*self._sections)
        # What is said stands below the choice: the panel is too long for a line at its end to be seen.
        self.children = (self._sentence, self._choice, self._said, *(section.widget for section in self._sections))
        self._show()

    @property
    def chosen(self) -> tuple[ComparedRun, ...]:
        """The runs that are compared."""
        return tuple(run for run in self.runs if run.name in self._chosen)

    @property
    def table(self) -> ScoreTable | None:
        """The scores; None until the runs have been scored."""
        return self._scores.table

    def choose(self, names: Sequence[str]) -> None:
        """Compare these runs, by the names of their folders.

        Raises:
            ValueError: A run that is not here, none at all, or more than stand side by side.
        """
        self._check(names)
        self._chosen = tuple(names)
        self._show()
        self._draw_choice_anew()

    def score(self) -> None:
        """Score the chosen runs in the background."""
        self._scores.score()

    def export(self, out: Path | str) -> None:
        """Write the table of scores as a page, as CSV and as LaTeX beside it, in the background.

        Raises:
            ValueError: Nothing has been scored yet, or ``out`` does not end in .html.
        """
        self._scores.export(out)

    def settle(self, timeout: float = 120.0) -> bool:
        """Wait until all that was asked for is shown; False if that took longer than ``timeout`` s."""
        return all(section.settle(timeout) for section in self._sections)

    def _check(self, names: Sequence[str]) -> None:
        unknown = sorted(set(names) - {run.name for run in self.runs})
        if unknown:
            raise ValueError(f"no run {unknown[0]} here; there are: {', '.join(run.name for run in self.runs)}")
        if not names:
            raise ValueError("choose at least one run to look at, and two to compare")
        if len(set(names)) > AT_ONCE:
            raise ValueError(f"{len(set(names))} runs do not fit side by side: choose at most {AT_ONCE}")

    def _show(self) -> None:
        chosen = self.chosen
        self._sentence.markup = _sentence(len(chosen), self.store)
        self._choice.markup = choice_markup(self.runs, self._chosen)
        for section in self._sections:
            section.use(chosen)

    def _draw_choice_anew(self) -> None:
        """Checkboxes that a person has used keep their tick whatever the markup says: make new ones."""
        self._choice.markup = ""
        self._choice.markup = choice_markup(self.runs, self._chosen)

    def _on_event(self, event: str, target: str, value: Any) -> None:
        with self.telling():
            self.say()
            ticked = [run.name for run in self.runs if (value if run.name == target else run.name in self._chosen)]
            try:
                self._check(ticked)
            except ValueError:
                self._draw_choice_anew()
                raise
            self._chosen = tuple(ticked)
            self._show()


def choice_markup(runs: Sequence[ComparedRun], chosen: Sequence[str]) -> str:
    """A checkbox for each run."""
    boxes = [
        f'<label data-key="{escape(run.name)}" title="{escape(run.name)}"><input type="checkbox" data-event="choose" '
        f'data-target="{escape(run.name)}"{" checked" if run.name in chosen else ""}>{run.label}</label>'
        for run in runs
    ]
    return f'<div class="hp-compare-choice" role="group" aria-label="Runs to compare">{"".join(boxes)}</div>'


def _sentence(many: int, store: PoseStore) -> str:
    synthetic = " · synthetic data" if store.synthetic else ""
    runs = f"{many} runs" if many != 1 else "one run"
    return (
        f'<p class="hp-sentence">Compare {runs} on held-out poses '
        f"<small>{escape(short_path(store.path))}{synthetic}</small></p>"
    )
