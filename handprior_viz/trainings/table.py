"""Trainings in words: what a run folder says, as rows for the training panel (pure functions of status and metrics)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from handprior_viz.figures import minus
from handprior_viz.number_words import duration
from handprior_viz.trainings.learning_curves import Curve, RunLook


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
        message: What went wrong, in one line; what a queued one waits for.
        look: Colour and stroke of its curve.
        kept: Which checkpoints are on disk.
        has_prior: Whether there is a prior to explore and to draw from.
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
    look: RunLook
    kept: tuple[str, ...]
    has_prior: bool = False

    @property
    def active(self) -> bool:
        """Whether something is happening in it."""
        return self.state in ("queued", "running", "stopping")

    @property
    def can_resume(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return "last" in self.kept

    @property
    def share(self) -> float:
        """Part of the epochs done, 0 to 1."""
        return 1.0 if self.state == "finished" else min(self.epoch / max(self.max_epochs, 1), 1.0)


@dataclass(frozen=True)
class TableState:
    """What a person has opened in the table.

    Attributes:
        sampled: The run whose samples are shown; empty for none.
        logs: Last log lines of the runs whose log is open.
        doomed: The run whose deletion waits for the second click; empty for none.
        exploring: The run whose explorer is open; empty for none.
    """

    sampled: str = ""
    logs: Mapping[str, Sequence[str]] | None = None
    doomed: str = ""
    exploring: str = ""


def run_row(
    name: str,
    status: Mapping[str, Any],
    *,
    look: RunLook,
    titles: Mapping[str, str],
    bounds: frozenset[str] = frozenset(),
    stop_asked: bool = False,
    kept: Sequence[str] = (),
    has_prior: bool = False,
    ahead: int | None = None,
) -> RunRow:
    """Put a run's status into a row.

    Args:
        name: Of the run's folder.
        status: What ``status.json`` says.
        look: Its colour and stroke.
        titles: Priors by name, in words.
        bounds: Priors whose likelihood is a bound.
        stop_asked: Whether it was asked to stop.
        kept: Checkpoints on disk.
        has_prior: Whether there is a prior on disk.
        ahead: How many wait for their turn before it does; None if it does not wait.
    """
    prior = str(status.get("prior", ""))
    state = str(status.get("state", "queued"))
    if stop_asked and state in ("queued", "running"):
        state = "stopping"
    message = str(status.get("message") or "")
    if state == "queued" and ahead is not None:
        message = "waits, next in line" if ahead == 0 else f"waits, {ahead} before it"
    return RunRow(
        name=name,
        title=run_title(name, titles.get(prior, prior)),
        state=state,
        epoch=int(status.get("epoch") or 0),
        max_epochs=int(status.get("max_epochs") or 0),
        speed=_number(status.get("samples_per_second")),
        eta_seconds=_number(status.get("eta_seconds")),
        nll=_number(status.get("best_nll")),
        is_bound=prior in bounds,
        message=message,
        look=look,
        kept=tuple(kept),
        has_prior=has_prior,
    )


def curve(row: RunRow, metrics: Sequence[Mapping[str, Any]]) -> Curve:
    """A run's held-out likelihood by epoch, from its metrics; a run with one look only is drawn as a level."""
    looks = [line for line in metrics if line.get("val/nll") is not None]
    return Curve(
        name=row.name,
        label=row.title,
        epochs=tuple(float(line.get("epoch", 0)) for line in looks),
        values=tuple(float(line["val/nll"]) for line in looks),
        look=row.look,
        flat=len(looks) == 1 and row.max_epochs <= 1,
        is_bound=row.is_bound,
    )


def run_table(rows: Sequence[RunRow], state: TableState | None = None) -> str:
    """All runs, newest first, with the buttons that fit their state."""
    if not rows:
        return '<div class="hp-empty">No training yet. Choose a prior above and press “Start training”.</div>'
    shown = "".join(_row(row, state or TableState()) for row in reversed(rows))
    return f'<div class="hp-runs" role="table" aria-label="Trainings">{shown}</div>'


def _row(row: RunRow, state: TableState) -> str:
    told = row.message and row.state != "queued"  # what one waits for stands where its epochs will
    message = f'<span class="hp-run-message">{escape(row.message)}</span>' if told else ""
    log = (state.logs or {}).get(row.name)
    return (
        f'<div class="hp-run" role="row" data-key="{escape(row.name)}">'
        f'<span role="cell" class="hp-run-name" title="{escape(row.name)}">{row.look.swatch}{escape(row.title)}</span>'
        f'<span role="cell" class="hp-state hp-state-{row.state}">{row.state}</span>'
        f'<span role="cell" class="hp-progress" title="epoch {row.epoch} of {row.max_epochs}">'
        f'<i style="width:{100 * row.share:.1f}%;background:{row.look.colour}"></i></span>'
        f'<span role="cell">{_epochs(row)}</span>'
        f'<span role="cell">{speed_words(row.speed) if row.active else ""}</span>'
        f'<span role="cell">{_left(row)}</span>'
        f'<span role="cell" data-flash class="hp-run-nll"{_nll_title(row)}>{_nll(row)}</span>'
        f'<span role="cell" class="hp-run-buttons">{_buttons(row, state)}</span>{message}'
        f"{'' if log is None else _log(row, log)}</div>"
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


def _log(row: RunRow, lines: Sequence[str]) -> str:
    text = escape("\n".join(lines)) or "The log is empty so far."
    return f'<pre class="hp-run-log" aria-label="Last log lines of {escape(row.title)}">{text}</pre>'


def _buttons(row: RunRow, state: TableState) -> str:
    opened = row.name in (state.logs or {})
    buttons = [_stop_or_resume(row)]
    if row.has_prior:
        shown, open_ = row.name == state.sampled, row.name == state.exploring
        said = "These samples are shown below" if shown else "Show what its newest checkpoint draws"
        buttons.append(_button(row, "samples", "samples", said, pressed=shown))
        said = "Close its explorer" if open_ else "Move its latent axes and see the hands, below"
        buttons.append(_button(row, "explore", "explore", said, pressed=open_))
    buttons.append(_button(row, "log", "log", "The last lines of its log", pressed=opened))
    buttons.append(_delete(row, state))
    return "".join(buttons)


def _stop_or_resume(row: RunRow) -> str:
    if row.state == "stopping":
        return _button(row, "stop", "stopping…", "finishing its batch", off=True)
    if row.active:
        return _button(
            row, "stop", "stop", "Stop after this batch; the work done is kept", said=f"Stop training {row.title}"
        )
    if row.state == "finished":
        return ""
    if row.can_resume:
        return _button(row, "resume", "resume", "go on from the last checkpoint")
    return _button(row, "resume", "resume", "no checkpoint to go on from", off=True)


def _delete(row: RunRow, state: TableState) -> str:
    if row.active:
        return _button(row, "delete", "delete", "Stop it first", off=True)
    if row.name == state.doomed:
        return _button(row, "delete-now", "Delete for ever?", "Its checkpoints and its log cannot be brought back")
    return _button(row, "delete", "delete", "Delete this run and its checkpoints; asks once more")


def _button(
    row: RunRow, event: str, label: str, title: str, *, off: bool = False, pressed: bool | None = None, said: str = ""
) -> str:
    attributes = [f'data-event="{event}"', f'data-key="{event}"', f'data-target="{escape(row.name)}"']
    attributes += ['aria-disabled="true"'] if off else []
    attributes += [] if pressed is None else [f'aria-pressed="{str(pressed).lower()}"']
    attributes += [f'aria-label="{escape(said)}"'] if said else []
    return f'<button {" ".join(attributes)} title="{escape(title)}">{escape(label)}</button>'


def run_title(name: str, prior: str) -> str:
    """What a run is called: its prior in words, and when it was started, which its folder's name says."""
    return f"{prior} {_started(name)}".strip()


def speed_words(speed: float | None) -> str:
    """Frames per second, three digits: ``212k frames/s``."""
    if not speed:
        return ""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if speed >= size:
            return f"{speed / size:.3g}{letter} frames/s"
    return f"{speed:.0f} frames/s"


def _started(name: str) -> str:
    """``31 Jan 14:25:01``, which a run's name says (``hand_vae-20250131-142501-k3f``); else the name's last part."""
    stamp = re.search(r"-(\d{8}-\d{6})(?:-|$)", name)
    try:
        began = datetime.strptime(stamp[1], "%Y%m%d-%H%M%S") if stamp else None
    except ValueError:  # eight digits and six, and no moment
        began = None
    return f"{began.day} {_MONTHS[began.month - 1]} {began:%H:%M:%S}" if began else name.rpartition("-")[2]


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
