"""Put the page together: tables, pictures and words into one HTML file that needs no other, and Parquet beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from data_tools.dataset_audit import ABOUT_FILE, Audit
from data_tools.mix import Mix
from data_tools.scanning.data_folder import Rejected
from data_tools.whole_folder import check_place
from handprior_viz import style
from handprior_viz.audit_report.dataset_details import Draw, Progress, dataset_details
from handprior_viz.audit_report.dataset_pairs import distance_maps, doubled_pairs, doubled_sequences
from handprior_viz.audit_report.dataset_rows import LEFT_OUT, DatasetRow, dataset_rows
from handprior_viz.audit_report.definitions import definitions
from handprior_viz.audit_report.distance_map import SHADES
from handprior_viz.audit_report.findings import doubled_frames, findings, headline, unusual_limit
from handprior_viz.audit_report.joint_histograms import HistogramSheet
from handprior_viz.audit_report.summary import files_set_aside
from handprior_viz.number_words import percent, short_count
from handprior_viz.render import SYNTHETIC

FILES_SHOWN = 200
"""Files set aside that the page lists; the others are counted."""

_MEAN_WORDS = {"incl": "inside", "rel": "to be added", "unknown": "not stated", "unclear": "cannot tell"}

_DARK: dict[str, str] = style.DARK | {"hover": "#232A32", "near": "#20272F", "far": "#8CB6FF"}
_LIGHT: dict[str, str] = {key: getattr(style.TOKENS, key) for key in _DARK if hasattr(style.TOKENS, key)} | {
    "hover": "#F3F5F8",
    "near": "#EEF2F8",
    "far": "#123C86",
}


@dataclass(frozen=True)
class ReportFiles:
    """What was written: the page, and the folder with the same as Parquet and JSON."""

    page: Path
    folder: Path


def write_report(
    audit: Audit,
    out: Path | str,
    *,
    set_aside: Sequence[Rejected] = (),
    mix: Mix | None = None,
    draw: Draw | None = None,
    progress: Progress | None = None,
) -> ReportFiles:
    """Write the audit as one HTML page, and its tables into a folder of the same name beside it.

    Args:
        audit: From :func:`data_tools.audit`.
        out: ``audit.html``; its tables go to ``audit/``.
        set_aside: Files that the scan could not read, besides those that the audit names itself.
        mix: Sorts datasets into tiers; default: the project's own.
        draw: Draws a pose as a data URI; default: both hands, as in every other picture.
        progress: Called after each dataset.

    Raises:
        ValueError: ``out`` does not end in .html.
    """
    page, folder = page_and_folder(out)
    page.parent.mkdir(parents=True, exist_ok=True)
    audit.write(folder)
    files = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    markup = report_page(
        audit, folder=folder.name, files=files, set_aside=set_aside, mix=mix, draw=draw, progress=progress
    )
    beside = page.with_name(f".{page.name}.{os.getpid()}")
    try:
        beside.write_text(markup, encoding="utf-8")
        os.replace(beside, page)
    finally:
        beside.unlink(missing_ok=True)
    return ReportFiles(page, folder)


def page_and_folder(out: Path | str) -> tuple[Path, Path]:
    """Where a report goes: the page, and the folder of its tables, which has the page's name without .html.

    Raises:
        ValueError: Not a page's name, or a folder's.
        FileExistsError: Something else than an earlier audit lies where the tables go.
    """
    page = Path(out)
    if page.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{out}: the report is a page: give a name that ends in .html")
    folder = page.with_suffix("")
    if page.is_dir():
        raise ValueError(f"{out} is a folder: give the page another name")
    check_place(folder, ABOUT_FILE)
    return page, folder


def report_page(
    audit: Audit,
    *,
    folder: str,
    files: Sequence[str] = (),
    set_aside: Sequence[Rejected] = (),
    mix: Mix | None = None,
    draw: Draw | None = None,
    progress: Progress | None = None,
) -> str:
    """The page as a string; arguments as :func:`write_report`, ``folder`` and ``files`` being what it refers to."""
    from handprior_viz.audit_report.hand_pictures import hands_picture, model_words, side_places

    mix = Mix.default() if mix is None else mix
    rows = dataset_rows(audit, mix)
    sheet = HistogramSheet.of(audit.histograms)
    maps, map_data = distance_maps(audit.distances, rows)
    aside = files_set_aside(audit, set_aside)
    words = model_words()
    found = findings(rows, audit.duplicates, aside)
    context = {
        "title": Path(audit.root).name or audit.root or "hand motions",
        "root": audit.root,
        "version": _version(),
        "fingerprint": audit.fingerprint[:16],
        "synthetic": audit.synthetic,
        "model_words": words,
        "sides": side_places(),
        "credit": " · ".join(filter(None, [words, SYNTHETIC if audit.synthetic else ""])),
        "css": Markup(page_css()),
        "script": Markup(_resource("page.js")),
        "outlines": sheet.outlines,
        "figures": _figures(rows, audit),
        "headline": headline(rows, found, len(audit.sequences)),
        "findings": found,
        "unusual_limit": unusual_limit(rows),
        "rows": rows,
        "by_name": {row.name: row for row in rows},
        "tier_words": _tier_words(rows),
        "left_out": LEFT_OUT,
        "details": dataset_details(audit, rows, sheet, draw or hands_picture, progress),
        "hands_mean_source": audit.hands_mean_source,
        "hands_mean_degrees": _joint_degrees(audit.hands_mean),
        "pairs": doubled_pairs(audit.duplicates),
        "duplicates": doubled_sequences(audit.duplicates),
        "duplicates_in_all": len(audit.duplicates),
        "maps": maps,
        "map_data": map_data,
        "coverage": [row for row in rows if (row.reaches, row.only_here, row.novel) != (None, None, None)],
        "set_aside": aside[:FILES_SHOWN],
        "set_aside_in_all": len(aside),
        "terms": definitions(audit.definitions, mix),
        "folder": folder,
        "files": files,
    }
    return _environment().get_template("page.html.jinja").render(context)


def _environment() -> Environment:
    """Everything is escaped but what this package marks as markup of its own: names come from users' files."""
    environment = Environment(
        loader=PackageLoader("handprior_viz.audit_report", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "percent": lambda share: _tight(percent(share)),
        "tight": _tight,
        "breakable": _breakable,
        "short": short_count,
        "speed": lambda value: f"{value:.0f}" if value >= 9.95 else f"{value:.1f}",
        "count": lambda count: f"{count:,}",
        "mean": lambda kind: ", ".join(_MEAN_WORDS.get(part, part) for part in kind.split(", ")),
    }
    return environment


def _resource(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def page_css() -> str:
    """The tokens of the visual language, light and dark, and the page's rules. Paper is light."""
    light = f":root {{ color-scheme: light dark; --hp-font: {style.FONT}; {_variables(_LIGHT)} }}"
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(_DARK)} }} }}"
    shades = "".join(f"path.s{k} {{ fill: var(--hp-s{k}); }}\n" for k in range(SHADES))
    return "\n".join([light, dark, _resource("page.css"), shades])


def _variables(colours: dict[str, str]) -> str:
    """CSS variables of a scheme: its colours, and the shades of a distance map from near to far."""
    near, far = (style.hex_to_rgb(colours[end]) for end in ("near", "far"))
    shades = {}
    for k in range(SHADES):
        share = k / (SHADES - 1)
        mixed = (round(255 * (a + share * (b - a))) for a, b in zip(near, far, strict=True))
        shades[f"s{k}"] = "#" + "".join(f"{channel:02X}" for channel in mixed)
    return " ".join(f"--hp-{key}: {value};" for key, value in (colours | shades).items())


def _figures(rows: Sequence[DatasetRow], audit: Audit) -> list[dict[str, Any]]:
    """The numbers of the headline, each with the section that it comes from."""
    frames, usable = sum(row.frames for row in rows), sum(row.usable_frames for row in rows)
    contradicted = sum(row.agrees is False for row in rows)
    return [
        {"value": short_count(frames), "words": "frames", "anchor": "datasets"},
        {
            "value": short_count(usable),
            "words": f"usable frames, {percent(usable / max(frames, 1))}: two live, whole hands",
            "anchor": "datasets",
        },
        {"value": f"{len(rows):,}", "words": f"datasets, {len(audit.sequences):,} sequences", "anchor": "datasets"},
        {
            "value": f"{contradicted:,}",
            "words": f"dataset{'' if contradicted == 1 else 's'} where the data contradict the stated mean hand",
            "anchor": "conventions",
        },
        {
            "value": short_count(doubled_frames(rows)),
            "words": "frames that stand elsewhere too",
            "anchor": "duplicates",
        },
    ]


def _tier_words(rows: Sequence[DatasetRow]) -> dict[str, str]:
    words = {}
    for tier in dict.fromkeys(row.tier for row in rows):
        mine = [row for row in rows if row.tier == tier]
        frames, usable = sum(row.frames for row in mine), sum(row.usable_frames for row in mine)
        plural = "" if len(mine) == 1 else "s"
        share = percent(usable / max(frames, 1))
        words[tier] = f"{len(mine)} dataset{plural}, {short_count(frames)} frames, {share} of them usable"
    return words


def _joint_degrees(hands: Sequence[float] | None) -> float | None:
    """By how much a pose turns a joint on average."""
    return None if hands is None else float(np.degrees(np.linalg.norm(np.reshape(hands, (-1, 3)), axis=1).mean()))


def _tight(words: str) -> str:
    """Keep numbers and their per cent on one line, written alike everywhere."""
    return re.sub(r"(?<=\d) ?%", "\N{NO-BREAK SPACE}%", words)


def _breakable(path: str) -> Markup:
    """Let a long path or name break after its separators rather than anywhere."""
    return Markup(re.sub(r"([/_])", r"\1<wbr>", str(escape(path))))


def _version() -> str:
    try:
        return version_of("handprior")
    except PackageNotFoundError:
        return ""
