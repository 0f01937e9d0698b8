"""Tables of scores for the compare panel, as markup (pure): what the runs' cards know, and what was scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from handprior_viz.comparing.runs import ComparedRun
from handprior_viz.figures import minus
from handprior_viz.number_words import duration
from handprior_viz.score_page import BETTER, score_block
from training.score_definitions import BY_KEY, COST, LATENTS, LIKELIHOOD, SAMPLES, Score
from training.score_table import Group, ScoreTable


def card_table(runs: Sequence[ComparedRun]) -> str:
    """What the runs' cards know: on the val split, which training looked at to keep its best prior."""
    nll, bpd = BY_KEY["nll"], BY_KEY["bpd"]
    head = [
        _head("run", ""),
        _head("NLL, val split", nll.unit, nll),
        _head("BPD, val split", bpd.unit, bpd),
        _head("latent axes", "", about="Numbers that a pose is decoded from"),
        _head("size", "numbers", BY_KEY["parameters"]),
        _head("training", "h:mm:ss", BY_KEY["train_seconds"]),
        _head("on", "", about="What did the work"),
    ]
    values = [run.card.get("metrics", {}) for run in runs]
    best = {key: _lowest([value.get(key) for value in values]) for key in ("val/nll", "val/bpd")}
    rows = []
    for run, metrics in zip(runs, values, strict=True):
        bound = "≤ " if run.is_bound else ""
        cells = [f'<th scope="row" title="{escape(run.name)}">{run.label}</th>']
        for key, digits in (("val/nll", 2), ("val/bpd", 3)):
            value = metrics.get(key)
            text = "–" if value is None else bound + minus(f"{value:.{digits}f}")
            cells.append(_cell(text, value is not None and value == best[key]))
        cells += [
            _cell(_count(run.card.get("latent_dim"))),
            _cell(_count(run.card.get("parameters"))),
            _cell(duration(run.card["seconds"]) if "seconds" in run.card else "–"),
            _cell(escape(str(run.card.get("hardware", {}).get("trained_on", "–")))),
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    said = "From the runs’ own cards, at once. ≤ marks a bound: the true number is not above it, on average."
    return _table(head, rows, said)


def score_tables(table: ScoreTable, runs: Sequence[ComparedRun]) -> str:
    """Held-out frames, and drawn poses beside real ones; the best of each column is marked."""
    labels = {run.name: run.label for run in runs}
    about, settings = table.about, table.settings
    held_out = f"{about['scored_frames']:,} frames of the {settings.split} split"
    elsewhere = sum(table.trained_here(run) is not True for run in table.runs)
    if elsewhere:
        held_out += (
            f"; whether {elsewhere} of the runs saw them in training is not known: another store, or no card yet."
        )
    else:
        held_out += ", which no prior was trained on."
    drawn = f"{settings.samples:,} poses drawn from each prior; read each number against the real rows."
    found = []
    for groups, real, said in (((LIKELIHOOD, LATENTS, COST), False, held_out), ((SAMPLES,), True, drawn)):
        block = score_block(table, groups, real=real)
        head = [_head("prior", ""), *(_head(score.title, score.unit, score) for score in block["scores"])]
        lines = [(_group_label(group, labels), line) for group, line in zip(table.groups, block["rows"], strict=False)]
        lines += [(escape(line["label"]), line) for line in block["rows"][len(table.groups) :]]
        rows = []
        for label, line in lines:
            cells = "".join(_cell(escape(text), what == "best") for text, what in line["cells"])
            kind = " class=hp-compare-real" if line["real"] else ""
            rows.append(f'<tr{kind}><th scope="row">{label}</th>{cells}</tr>')
        found.append(_table(head, rows, said))
    return "".join(found)


def _group_label(group: Group, labels: Mapping[str, str]) -> str:
    """A run as it is called everywhere here; several seeds by what they have in common."""
    if len(group.runs) > 1:
        return f"{escape(group.label)} <small>{len(group.runs)} seeds, mean ± sd</small>"
    return labels.get(group.runs[0].run, escape(group.label))


def _table(head: Sequence[str], rows: Sequence[str], said: str) -> str:
    return (
        f'<div class="hp-compare-scroll"><table class="hp-compare-table"><thead><tr>{"".join(head)}</tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table></div><p class="hp-said">{escape(said)}</p>'
    )


def _head(title: str, unit: str, score: Score | None = None, about: str = "") -> str:
    better = BETTER[score.better] if score else ""
    arrow = {"lower is better": "\N{NO-BREAK SPACE}↓", "higher is better": "\N{NO-BREAK SPACE}↑"}.get(better, "")
    words = " · ".join(filter(None, [better, score.about if score else about]))
    below = f"<small>{escape(unit) or '&nbsp;'}</small>"
    return f'<th scope="col" title="{escape(words)}">{escape(_breakable(title))}{arrow}{below}</th>'


def _breakable(title: str) -> str:
    """A heading with a place to break its longest word, for narrow pages."""
    return title.replace("reconstruction", "recon\N{SOFT HYPHEN}struction")


def _cell(text: str, best: bool = False) -> str:
    return f"<td{' class=hp-compare-best' if best else ''}>{text}</td>"


def _lowest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return min(known) if len(known) > 1 else None


def _count(value: Any) -> str:
    return "–" if value is None else f"{value:,}"
