"""The table of scores as CSV and as LaTeX (pure: strings from a table)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from training.score_definitions import BY_KEY, COST, LATENTS, LIKELIHOOD, SAMPLES, SCORES, Score
from training.score_table import Group, ScoreTable

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "°": r"$^\circ$",
    "²": r"$^2$",
    "−": r"$-$",
    "≤": r"$\leq$",
    "±": r"$\pm$",
    "–": "--",
    "×": r"$\times$",
    "·": r"$\cdot$",
}


def csv_text(table: ScoreTable) -> str:
    """One line for each run, mean and spread over seeds, real row, and run by dataset and by person.

    ``kind`` says which of them a line is; what a kind does not have is left empty. Numbers are not rounded; units are
    those of :data:`training.score_definitions.SCORES`, but shares are shares and not percentages.
    """
    rows: list[dict[str, Any]] = [{"kind": "run", "name": row["run"]} | row for row in table.run_rows()]
    for group in table.groups:
        about = {
            "label": group.label,
            "prior": group.runs[0].prior,
            "is_bound": group.is_bound,
            "runs": len(group.runs),
        }
        rows.append({"kind": "mean over seeds", "name": group.label} | about | group.mean)
        if len(group.runs) > 1:
            rows.append({"kind": "spread over seeds", "name": group.label} | about | group.spread)
    rows += [{"kind": "real", "name": row["title"]} | row for row in table.real]
    rows += table.parts
    first = ["kind", "name", "run", "prior", "label", "seed", "runs", "is_bound", "frames"]
    columns = [*first, *(score.key for score in SCORES)]
    columns += [key for key in dict.fromkeys(key for row in rows for key in row) if key not in (*columns, "title")]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def latex_text(table: ScoreTable) -> str:
    """Three tabulars to paste: likelihood and cost, drawn poses, and likelihood by dataset and by person.

    Priors over several seeds are mean ± standard deviation. The best prior of a column is bold; a bound is marked ≤.
    """
    about = table.about
    split, frames = table.settings.split, f"{about['scored_frames']:,}"
    comments = [
        "% Needs \\usepackage{booktabs}.",
        f"% {frames} frames of the {split} split of store {about['store_hash'][:16]}"
        + (" (SYNTHETIC DATA)" if about["synthetic"] else "")
        + f"; points measured on: {about['hand_model']}.",
        *(f"% {score.title}{f' [{score.unit}]' if score.unit else ''}: {score.about}"
          + (f" {score.source}." if score.source else "") for score in SCORES),
    ]  # fmt: skip
    chosen = [[s for s in SCORES if s.group in groups] for groups in ((LIKELIHOOD, LATENTS, COST), (SAMPLES,))]
    parts = [_tabular(table, chosen[0], real=False), _tabular(table, chosen[1], real=True), _by_part(table)]
    return "\n".join([*comments, "", *parts])


def cell(group: Group, score: Score) -> str:
    """A group's score in words: mean, spread over seeds where there are several, ≤ before a bound."""
    text = score.number(group.mean[score.key])
    spread = None if score.key == "parameters" else group.spread[score.key]
    bound = "≤ " if group.is_bound and score.group == LIKELIHOOD and group.mean[score.key] is not None else ""
    return bound + text + (f" ± {score.number(spread)}" if spread is not None else "")


def is_best(group: Group, score: Score, groups: Sequence[Group]) -> bool:
    """Whether a group leads in a column, as far as its decimals tell; never where there is nothing to choose from."""
    known = [value for one in groups if (value := one.mean[score.key]) is not None]
    mine = group.mean[score.key]
    if mine is None or len(known) < 2 or score.better not in ("lower", "higher"):
        return False
    return score.number(mine) == score.number(min(known) if score.better == "lower" else max(known))


def _tabular(table: ScoreTable, scores: Sequence[Score], *, real: bool) -> str:
    head = ["", *(f"{score.title}{_arrow(score)}" for score in scores)]
    units = ["", *(f"({score.unit})" if score.unit else "" for score in scores)]
    lines = [_line(group.label, group, scores, table.groups) for group in table.groups]
    if real:
        lines.append(r"\midrule")
        lines += [
            _row([str(row["title"]), *(score.number(_number(row.get(score.key))) for score in scores)])
            for row in table.real
        ]
    return _framed(len(scores), [_row(head), _row(units)], lines)


def _line(label: str, group: Group, scores: Sequence[Score], groups: Sequence[Group]) -> str:
    cells = []
    for score in scores:
        text = escape(cell(group, score))
        cells.append(rf"\textbf{{{text}}}" if is_best(group, score, groups) else text)
    return " & ".join([escape(label), *cells]) + r" \\"


def _by_part(table: ScoreTable) -> str:
    """NLL of each prior on each dataset and person, means over seeds."""
    places = dict.fromkeys((part["kind"], part["name"], part["frames"]) for part in table.parts)
    lines = []
    for kind, name, frames in places:
        cells = [BY_KEY["nll"].number(part_mean(table, group, kind, name)) for group in table.groups]
        lines.append(_row([f"{kind} {name}", f"{frames:,}", *cells]))
    head = _row(["NLL (nats)", "frames", *(group.label for group in table.groups)])
    return _framed(1 + len(table.groups), [head], lines)


def part_mean(table: ScoreTable, group: Group, kind: str, name: str, key: str = "nll") -> float:
    """Mean over a group's seeds of a score on one dataset or person."""
    names = {run.run for run in group.runs}
    values = [p[key] for p in table.parts if (p["kind"], p["name"]) == (kind, name) and p["run"] in names]
    return sum(values) / len(values)


def _framed(columns: int, head: Sequence[str], lines: Sequence[str]) -> str:
    opening = rf"\begin{{tabular}}{{l{'r' * columns}}}"
    body = [opening, r"\toprule", *head, r"\midrule", *lines, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(body) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(escape, cells)).replace("↓", r"$\downarrow$").replace("↑", r"$\uparrow$") + r" \\"


def _arrow(score: Score) -> str:
    return {"lower": " ↓", "higher": " ↑"}.get(score.better, "")


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def escape(text: str) -> str:
    """Text as LaTeX takes it."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
