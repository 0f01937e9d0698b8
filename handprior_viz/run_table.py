"""Trainings in words: what a run folder says, as rows for the training panel (pure functions of status and metrics)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from handprior_viz.figures import RUN_COLOURS, Curve, minus


@dataclass(frozen=True)
class RunRow:
    """One training, ready to be shown.

    Attributes:
        name: Of its folder.
        title: The prior in words, and when it was started.
        state: ``queued``, ``running``, ``stopping``, ``stopped``, ``finished`` or ``failed``.
        epoch: Passes done.
        max_epochs: Passes planned.
        speed: Frames per second; None when not known.
        eta_seconds: Left to do; None when not known.
        nll: Best held-out value so far, nats per frame; None before the first.
        is_bound: Whether that number is a bound.
        message: What went wrong, in one line.
        colour: Of its curve.
        can_resume: Whether there is a checkpoint to go on from.
        kept: Which checkpoints are on disk.
    """

    name: str
    title: str
    state: str
    epoch: int
    max_epochs: int
    speed: float | None
    eta_seconds: float | None
    nll: float | None
    is_bound: bool
    message: str
    colour: str
    can_resume: bool
    kept: tuple[str, ...]

    @property
    def active(self) -> bool:
        """Whether something is happening in it."""
        return self.state in ("queued", "running", "stopping")

    @property
    def share(self) -> float:
        """Part of the epochs done, 0 to 1."""
        return 1.0 if self.state == "finished" else min(self.epoch / max(self.max_epochs, 1), 1.0)


def run_row(
    name: str,
    status: Mapping[str, Any],
    *,
    order: int,
    titles: Mapping[str, str],
    bounds: frozenset[str] = frozenset(),
    stop_asked: bool = False,
    kept: Sequence[str] = (),
) -> RunRow:
    """Put a run's status into a row.

    Args:
        name: Of the run's folder.
        status: What ``status.json`` says.
        order: Which run of the folder it is, oldest first: gives its colour.
        titles: Priors by name, in words.
        bounds: Priors whose likelihood is a bound.
        stop_asked: Whether it was asked to stop.
        kept: Checkpoints on disk.
    """
    prior = str(status.get("prior", ""))
    state = str(status.get("state", "queued"))
    if stop_asked and state in ("queued", "running"):
        state = "stopping"
    return RunRow(
        name=name,
        title=f"{titles.get(prior, prior)} {_clock(name)}".strip(),
        state=state,
        epoch=int(status.get("epoch") or 0),
        max_epochs=int(status.get("max_epochs") or 0),
        speed=_number(status.get("samples_per_second")),
        eta_seconds=_number(status.get("eta_seconds")),
        nll=_number(status.get("best_nll")),
        is_bound=prior in bounds,
        message=str(status.get("message") or ""),
        colour=RUN_COLOURS[order % len(RUN_COLOURS)],
        can_resume="last" in kept,
        kept=tuple(kept),
    )


def curve(row: RunRow, metrics: Sequence[Mapping[str, Any]]) -> Curve:
    """A run's held-out likelihood by epoch, from its metrics; a run with one look only is drawn as a level."""
    looks = [line for line in metrics if line.get("val/nll") is not None]
    return Curve(
        name=row.name,
        label=row.title,
        epochs=tuple(float(line.get("epoch", 0)) for line in looks),
        values=tuple(float(line["val/nll"]) for line in looks),
        colour=row.colour,
        flat=len(looks) == 1 and row.max_epochs <= 1,
    )


def run_table(rows: Sequence[RunRow]) -> str:
    """All runs, newest first, with the buttons that fit their state."""
    if not rows:
        return '<div class="hp-empty">No training yet. Choose a prior above and press “Start training”.</div>'
    return f'<div class="hp-runs" role="table" aria-label="Trainings">{"".join(map(_row, reversed(rows)))}</div>'


def _row(row: RunRow) -> str:
    told = row.message and row.state != "queued"  # what one waits for stands where its epochs will
    message = f'<span class="hp-run-message">{escape(row.message)}</span>' if told else ""
    return (
        f'<div class="hp-run" role="row" data-key="{escape(row.name)}">'
        f'<span role="cell" class="hp-run-name" title="{escape(row.name)}"><i style="background:{row.colour}"></i>'
        f"{escape(row.title)}</span>"
        f'<span role="cell" class="hp-state hp-state-{row.state}">{row.state}</span>'
        f'<span role="cell" class="hp-progress" title="epoch {row.epoch} of {row.max_epochs}">'
        f'<i style="width:{100 * row.share:.1f}%;background:{row.colour}"></i></span>'
        f'<span role="cell">{_epochs(row)}</span>'
        f'<span role="cell">{speed_words(row.speed)}</span>'
        f'<span role="cell">{_left(row)}</span>'
        f'<span role="cell" data-flash class="hp-run-nll"{_nll_title(row)}>{_nll(row)}</span>'
        f'<span role="cell" class="hp-run-buttons">{_buttons(row)}</span>{message}</div>'
    )


def _epochs(row: RunRow) -> str:
    if row.state == "queued":
        return escape(row.message) or "starting…"
    return f"epoch {row.epoch}/{row.max_epochs}" if row.max_epochs > 1 else "fitted at once"


def _left(row: RunRow) -> str:
    if row.state == "running" and row.eta_seconds is not None:
        return f"ETA {duration(row.eta_seconds)}"
    return f"kept: {', '.join(row.kept)}" if row.state in ("stopped", "failed") and row.kept else ""


def _nll(row: RunRow) -> str:
    if row.nll is None:
        return ""
    return minus(f"{'≤ ' if row.is_bound else ''}{row.nll:.1f} nats")


def _nll_title(row: RunRow) -> str:
    bound = "; an upper bound of the true number" if row.is_bound else ""
    return f' title="best held-out negative log-likelihood, nats per frame (lower is better){bound}"'


def _buttons(row: RunRow) -> str:
    target = f'data-target="{escape(row.name)}"'
    if row.state == "stopping":
        return f'<button data-event="stop" {target} aria-disabled="true" title="finishing its batch">stopping…</button>'
    if row.active:
        label = f'aria-label="Stop training {escape(row.title)}" title="Stop after this batch; the work done is kept"'
        return f'<button data-event="stop" {target} {label}>stop</button>'
    if row.state == "finished":
        return ""
    why = "go on from the last checkpoint" if row.can_resume else "no checkpoint to go on from"
    disabled = "" if row.can_resume else ' aria-disabled="true"'
    return f'<button data-event="resume" {target}{disabled} title="{why}">resume</button>'


def speed_words(speed: float | None) -> str:
    """Frames per second, three digits: ``212k frames/s``."""
    if not speed:
        return ""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if speed >= size:
            return f"{speed / size:.3g}{letter} frames/s"
    return f"{speed:.0f} frames/s"


def duration(seconds: float) -> str:
    """Seconds as people say them: ``0:42``, ``1:03:20``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _clock(name: str) -> str:
    """The time of day in a run's name (``hand_vae-20250131-142501-k3f``), or its last part."""
    for part in reversed(name.split("-")):
        if len(part) == 6 and part.isdigit():
            return f"{part[:2]}:{part[2:4]}:{part[4:]}"
    return name.rpartition("-")[2]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
