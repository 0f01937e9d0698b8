"""How probable each prior finds held-out poses, dataset by dataset: densities of energy on one axis for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np
from jaxtyping import Float

from data_tools.store import PoseStore
from handprior_viz.comparing.runs import ComparedRun, LoadedPriors
from handprior_viz.explorer.backdrop import Backdrop, energies_of, held_out_split
from handprior_viz.figures import minus, nice_ticks, strip, violin
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import column

FRAMES_PER_DATASET = 150

ROOM_FOR = 4
"""Runs whose violins and medians fit side by side on a narrow page; of more, the medians stand below the violins."""

Energies = Float[np.ndarray, "frames"]


class EnergySection:
    """A table of small densities, a row per dataset and a column per run; fills in as runs are scored.

    Args:
        store: Whose held-out poses are scored.
        priors: The priors, loaded once for all sections.
        tell: Shows an error.

    Attributes:
        widget: What to show.
    """

    def __init__(self, store: PoseStore, priors: LoadedPriors, *, tell: Callable[[Exception], object]) -> None:
        self._store, self._priors = store, priors
        self._backdrop: Backdrop | None = None
        self._known: dict[str, tuple[int, Energies]] = {}
        self._ended = threading.Event()
        self._markup = LiveMarkup()
        self.widget = column(self._markup)
        self._scoring = LatestWins(self._score, on_error=tell, name="compare-energy")

    def use(self, chosen: Sequence[ComparedRun]) -> None:
        """Show these runs; returns at once."""
        self._wanted = tuple(chosen)
        self._scoring.submit(self._wanted)

    def settle(self, timeout: float) -> bool:
        """Wait until all that was asked for is shown."""
        return self._scoring.settle(timeout)

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._scoring.close()

    def _score(self, runs: tuple[ComparedRun, ...]) -> None:
        if self._backdrop is None:
            self._backdrop = Backdrop.of(self._store, FRAMES_PER_DATASET, held_out_split(self._store))
        for run in runs:
            kept_at = run.kept_at  # one that trains keeps better priors meanwhile: those wait for the next use
            if run.name not in self._known or self._known[run.name][0] != kept_at:
                self._show(runs)
                prior = self._priors.prior(run)
                energies = energies_of(prior, self._backdrop.poses, lambda: self._goes_on(runs), exact=True)
                if not self._goes_on(runs):
                    return
                self._known[run.name] = (kept_at, energies)
        self._show(runs)

    def _goes_on(self, runs: tuple[ComparedRun, ...]) -> bool:
        return not self._ended.is_set() and runs == self._wanted

    def _show(self, runs: Sequence[ComparedRun]) -> None:
        assert self._backdrop is not None
        known = {run.name: self._known[run.name][1] for run in runs if run.name in self._known}
        self._markup.markup = energy_table(self._backdrop, runs, known, held_out_split(self._store))


def energy_span(energies: Sequence[Energies]) -> tuple[float, float]:
    """Ends of the axis that all runs share: the middle 98 % of all energies, with some room; nats per frame."""
    values = np.concatenate([one[np.isfinite(one)] for one in energies])
    if not len(values):  # a prior that has diverged, alone
        return 0.0, 1.0
    low, high = np.quantile(values, [0.01, 0.99])
    room = max(0.05 * (high - low), 1.0)
    return float(low - room), float(high + room)


def energy_table(backdrop: Backdrop, runs: Sequence[ComparedRun], known: Mapping[str, Energies], split: str) -> str:
    """Densities of energy, a row per dataset and a column per run, all over the same range.

    Args:
        backdrop: Held-out poses, by dataset.
        runs: In the order of the columns.
        known: Energies (nats per frame) of the backdrop's poses by run; runs that are still being scored are missing.
        split: Where the poses are from.
    """
    heading = _heading(runs, split)
    if not known:
        return f'{heading}<div class="hp-empty">Scoring held-out poses …</div>'
    span = energy_span([*known.values()])
    head = "".join(f"<span>{run.label}{' ≤' if run.is_bound else ''}</span>" for run in runs)
    lines = [f'<div class="hp-energy-row hp-energy-head"><span>dataset</span>{head}</div>']
    axis = "".join(f"<span>{_axis(span)}</span>" for _ in runs)
    lines.append(f'<div class="hp-energy-row hp-energy-axis"><span>nats per frame</span>{axis}</div>')
    whole = np.ones(len(backdrop.dataset_of), bool)
    if len(backdrop.datasets) > 1:
        lines.append(_row("all datasets", "", "var(--hp-muted)", whole, runs, known, span))
    for k, (name, tier) in enumerate(backdrop.datasets):
        lines.append(_row(name, tier, backdrop.colours[k], backdrop.dataset_of == k, runs, known, span))
    columns = f"minmax(96px, 1.1fr) repeat({len(runs)}, minmax(0, 1fr))"
    many = " hp-energy-many" if len(runs) > ROOM_FOR else ""
    return f'{heading}<div class="hp-energy{many}" tabindex="0" style="--columns:{columns}">{"".join(lines)}</div>'


def _heading(runs: Sequence[ComparedRun], split: str) -> str:
    said = (
        "minus log-likelihood of held-out poses as they are, nats per frame; left is usual; line: nine in ten, dot and "
        f"number: the median; up to {FRAMES_PER_DATASET} poses of each dataset, {split} split{_bounds(runs)}"
    )
    return f'<p class="hp-compare-heading">Energy by dataset <span class="hp-muted">{said}</span></p>'


def _bounds(runs: Sequence[ComparedRun]) -> str:
    bounded = any(run.is_bound for run in runs)
    return "; ≤ marks bounds: the true energy lies at or left of what is drawn, on average" if bounded else ""


def _row(
    name: str,
    tier: str,
    colour: str,
    chosen: np.ndarray,
    runs: Sequence[ComparedRun],
    known: Mapping[str, Energies],
    span: tuple[float, float],
) -> str:
    values = {run: energies[chosen] for run, energies in known.items()}
    medians = {run: float(np.median(own[np.isfinite(own)])) for run, own in values.items() if np.isfinite(own).any()}
    best = min(medians, key=lambda run: medians[run]) if len(medians) > 1 else ""
    cells = "".join(_cell(run, name, colour, values.get(run.name), span, run.name == best) for run in runs)
    about = f"{name}{f', {tier} quality' if tier else ''}: {int(chosen.sum()):,} held-out poses"
    named = f'<b title="{escape(about)}"><i style="background:{colour}"></i>{escape(name)}</b>'
    return f'<div class="hp-energy-row" data-key="{escape(name)}">{named}{cells}</div>'


def _cell(
    run: ComparedRun, dataset: str, colour: str, energies: Energies | None, span: tuple[float, float], best: bool
) -> str:
    if energies is None:
        return '<span class="hp-muted">…</span>'
    finite = energies[np.isfinite(energies)]
    if not len(finite):
        return '<span class="hp-error">no finite number</span>'
    found = strip(dataset, colour, finite, span)
    low, middle, high = (minus(f"{value:.1f}") for value in found.spread)
    words = f"{run.title} on {dataset}: half of the poses below {middle} nats, nine in ten from {low} to {high}"
    words += "; bounds" if run.is_bound else ""
    if len(finite) < len(energies):
        words += f"; {len(energies) - len(finite)} without a finite number"
    number = minus(f"{found.spread[1]:.0f}")
    shown = f"<small>{f'<b>{number}</b>' if best else number}</small>"
    return f'<span class="hp-energy-cell" title="{escape(words)}">{violin(found, span)}{shown}</span>'


def _axis(span: tuple[float, float]) -> str:
    low, high = span
    return "".join(
        f'<i style="left:{100 * (tick - low) / (high - low):.1f}%">{minus(f"{tick:g}")}</i>'
        for tick in nice_ticks(low, high, 3)
    )
