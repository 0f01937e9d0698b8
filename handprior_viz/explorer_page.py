"""The explorer as a page of its own: which prior, and the explorer of it. ``handprior app`` serves it."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as W

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
from handprior_viz import jobs
from handprior_viz.latent_panel import LatentExplorer
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import Panel, row
from training.priors import PRIORS
from training.run_folder import RunFolder


def runs_with_priors(folder: Path) -> list[RunFolder]:
    """Runs that have a prior to explore, the newest first.

    Args:
        folder: A run's folder, or one that holds run folders.

    Raises:
        FileNotFoundError: There is none.
    """
    run = RunFolder(folder)
    found = [run] if run.prior_file.exists() else [run for run in jobs.runs(folder) if run.prior_file.exists()]
    if not found:
        raise FileNotFoundError(f"no trained prior in {folder}: train one with `handprior train`, or give its folder")
    return sorted(found, key=lambda run: run.prior_file.stat().st_mtime, reverse=True)


class ExplorerPage(Panel):
    """A menu of trained priors above the explorer of the chosen one.

    Args:
        folder: A run's folder, or one that holds run folders.
        store: What to compare poses with; by default what each run was trained on, if that is still there.
        model: Hand model to draw with; the user's licensed one if there is one, else the open hand.

    Raises:
        FileNotFoundError: There is no trained prior.
    """

    def __init__(self, folder: str | Path, store: PoseStore | str | Path | None = None, model: HandModel | None = None):
        runs = runs_with_priors(Path(folder))
        self.explorer: LatentExplorer | None = None
        super().__init__()
        self.remove_class("hp-panel")  # the explorer has a frame of its own
        self._store, self._model = store, model
        self._menu = W.Dropdown(
            options=[(_words(run), run.path) for run in runs],
            description="prior",
            tooltip="Which trained prior to explore",
            style={"description_width": "3em"},
            layout={"width": "420px"},
        )
        # On a thread: an explorer is made of so many widgets that the kernel would be deaf for a while.
        self._exploring = LatestWins(self.explore, on_error=self.tell, name="page-explore")
        self.ends_with(self._exploring)
        self._menu.observe(lambda change: self._exploring.submit(change["new"]), "value")
        self._head = [row(self._menu)] if len(runs) > 1 else []
        self.explore(runs[0].path)

    def explore(self, run: Path) -> None:
        """Explore another run; returns when its explorer is there and that of the one before is closed."""
        with self.telling():
            opened = LatentExplorer(run, self._store, self._model)
            before, self.explorer = self.explorer, opened
            self.arrange(*self._head, opened)
            if before is not None:
                before.close()

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until the explorer of the run in the menu is there; False if that takes longer than ``timeout`` s."""
        return self._exploring.settle(timeout)

    def close(self) -> None:
        self._exploring.close()
        if self.explorer is not None:
            self.explorer.close()
        super().close()


def _words(run: RunFolder) -> str:
    prior = str(run.status().get("prior", ""))
    title = PRIORS[prior].title if prior in PRIORS else prior
    return f"{title} · {run.name}"
