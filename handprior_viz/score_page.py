"""The table of scores as a page that needs no other file: numbers, drawn hands, and what each number means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from data_tools.pose_layout import hands_of
from handprior_viz.audit_report.page import page_css
from handprior_viz.render import SYNTHETIC
from training.run_folder import write_atomically
from training.score_definitions import BY_KEY, COST, LATENTS, LIKELIHOOD, SAMPLES, SCORES, Score
from training.score_files import cell, csv_text, is_best, latex_text, part_mean
from training.score_table import ScoreTable

Draw = Callable[[Float[np.ndarray, "90"]], str | None]

BETTER = {"lower": "lower is better", "higher": "higher is better", "real": "near the real row is better", "": ""}
"""Which way a good prior goes, in words."""


@dataclass(frozen=True)
class ScoreFiles:
    """What was written: the page, and the same as CSV and LaTeX beside it."""

    page: Path
    csv: Path
    latex: Path


def check_page_name(out: Path | str) -> Path:
    """Where a page goes.

    Raises:
        ValueError: Not a page's name, or a folder's.
    """
    page = Path(out)
    if page.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{out}: the table is a page: give a name that ends in .html")
    if page.is_dir():
        raise ValueError(f"{out} is a folder: give the page another name")
    return page


def write_scores(table: ScoreTable, out: Path | str, *, draw: Draw | None = None) -> ScoreFiles:
    """Write a table as a page, and as CSV and LaTeX of the same name beside it.

    Args:
        table: From :func:`training.score_table.compare`.
        out: ``table.html``.
        draw: Draws a pose as a data URI; default: both hands, as in every other picture.

    Raises:
        ValueError: ``out`` does not end in .html.
    """
    page = check_page_name(out)
    files = ScoreFiles(page, page.with_suffix(".csv"), page.with_suffix(".tex"))
    page.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(files.csv, csv_text(table))
    write_atomically(files.latex, latex_text(table))
    write_atomically(files.page, score_page(table, files=[files.csv.name, files.latex.name], draw=draw))
    return files


def score_page(table: ScoreTable, *, files: Sequence[str] = (), draw: Draw | None = None) -> str:
    """The page as a string; arguments as :func:`write_scores`, ``files`` being those that it refers to."""
    from handprior_viz.audit_report.hand_pictures import hands_picture, model_words, side_places

    about, words = table.about, model_words()
    context = {
        "title": Path(about["store"]).name,
        "about": about,
        "split": table.settings.split,
        "settings": table.settings,
        "model_words": words,
        "sides": side_places(),
        "credit": " · ".join(filter(None, [words, SYNTHETIC if about["synthetic"] else ""])),
        "css": Markup(page_css()),
        "held_out": score_block(table, (LIKELIHOOD, LATENTS, COST), real=False),
        "drawn": score_block(table, (SAMPLES,), real=True),
        "strips": _strips(table, draw or hands_picture),
        "parts": _parts(table),
        "labels": [group.label for group in table.groups],
        "runs": _runs(table),
        "elsewhere": sum(table.trained_here(run) is not True for run in table.runs),
        "sizes": _sizes(table),
        "definitions": [(_name(score), score.about, score.source) for score in SCORES],
        "files": files,
    }
    environment = Environment(loader=PackageLoader("handprior_viz", "."), autoescape=True, undefined=StrictUndefined)
    environment.filters["count"] = lambda number: f"{number:,}"
    return environment.get_template("score_page.html.jinja").render(context)


def score_block(table: ScoreTable, groups: Sequence[str], *, real: bool) -> dict[str, Any]:
    """Scores, head and rows of one table: cells are (text, what it is); ``real`` adds the rows of real poses."""
    scores = [score for score in SCORES if score.group in groups]
    rows = []
    for group in table.groups:
        cells = [(cell(group, score), "best" if is_best(group, score, table.groups) else "") for score in scores]
        rows.append({"label": group.label, "runs": len(group.runs), "cells": cells, "real": False})
    if real:
        for row in table.real:
            cells = [(_real(score, row), "") for score in scores]
            rows.append({"label": str(row["title"]), "runs": 0, "cells": cells, "real": True})
    head = [{"title": score.title, "unit": score.unit, "better": BETTER[score.better]} for score in scores]
    return {"scores": scores, "head": head, "rows": rows}


def _real(score: Score, row: dict[str, Any]) -> str:
    return score.number(row.get(score.key))


def _strips(table: ScoreTable, draw: Draw) -> list[dict[str, Any]]:
    """Pictures: held-out poses, then what each prior draws."""
    shown = [("real: held-out poses", table.shown_real, 0)]
    shown += [(group.label, group.runs[0].shown, group.runs[0].unusable_samples) for group in table.groups]
    strips = []
    for label, poses, unusable in shown:
        pictures = [draw(np.asarray(pose, np.float32)) for pose in hands_of(poses)] if len(poses) else []
        strips.append({"label": label, "pictures": pictures, "unusable": unusable})
    return strips


def _parts(table: ScoreTable) -> list[dict[str, Any]]:
    """Likelihood by dataset and by person, one number for each prior; the best is marked."""
    nll, rows = BY_KEY["nll"], []
    for kind, name, frames in dict.fromkeys((p["kind"], p["name"], p["frames"]) for p in table.parts):
        values = [part_mean(table, group, kind, name) for group in table.groups]
        lowest = min(values) if len(values) > 1 else None
        cells = [(nll.number(value), "best" if value == lowest else "") for value in values]
        rows.append({"kind": kind, "name": name, "frames": frames, "cells": cells})
    return rows


def _runs(table: ScoreTable) -> list[dict[str, Any]]:
    keys = ("nll", "bpd", "fid", "nearest", "train_seconds")
    return [
        {
            "run": run.run,
            "label": group.label,
            "seed": run.config.get("seed", "–"),
            "trained_on": run.trained_on or "–",
            "here": table.trained_here(run),
            "cells": [BY_KEY[key].number(run.scores[key]) for key in keys],
        }
        for group in table.groups
        for run in group.runs
    ]


def _name(score: Score) -> str:
    return f"{score.title[:1].upper()}{score.title[1:]}{f', {score.unit}' if score.unit else ''}"


def _sizes(table: ScoreTable) -> list[tuple[str, str]]:
    """Of how many frames and poses each number is, in words."""
    s, frames, about = table.settings, table.about["frames"], table.about
    held_out = frames[s.split]
    known = min(s.known, frames["train"])
    near = f"{s.nearest:,} poses, each against {known:,} of the {frames['train']:,} training poses"
    return [
        ("Likelihood", f"{about['scored_frames']:,} of {held_out:,} frames of the {s.split} split"),
        ("Reconstruction", f"{min(s.reconstructed, about['scored_frames']):,} of these"),
        ("Round trip", f"{s.decoded:,} latents"),
        ("FID", f"{s.samples:,} drawn poses, {min(s.samples, held_out):,} held-out frames"),
        (
            "Precision, recall, density, coverage",
            f"{min(s.overlap, s.samples):,} drawn poses, {min(s.overlap, held_out):,} held-out frames; "
            "neighbouring frames of one recording lie close together, so neighbourhoods are small",
        ),
        ("APD", f"{s.spread:,} poses"),
        ("Out of limits", f"{min(s.overlap, s.samples):,} drawn poses"),
        ("Nearest training pose", f"{near}; of real training poses, those of other sequences only"),
    ]
