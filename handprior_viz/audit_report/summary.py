"""The report in one plain object, for ``--json`` and for whoever reads it by program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from data_tools.dataset_audit import Audit
from data_tools.mix import Mix
from data_tools.scanning.data_folder import Rejected
from handprior_viz.audit_report.dataset_rows import DatasetRow, dataset_rows
from handprior_viz.audit_report.findings import doubled_frames, findings


def summary(audit: Audit, *, set_aside: Sequence[Rejected] = (), mix: Mix | None = None) -> dict[str, Any]:
    """Sum up an audit as the page does; arguments as :func:`.write_report`.

    Returns:
        datasets (in the order of the page; shares 0 to 1, motion in degrees per second or frame), duplicates (pairs
        of sequences in all and by kind, frames that stand elsewhere too), conventions, findings, rejected. Ready for
        JSON.
    """
    rows = dataset_rows(audit, mix)
    aside = files_set_aside(audit, set_aside)
    by_kind = audit.duplicates.group_by("kind").agg(pl.len().alias("pairs")).sort("kind")
    return {
        "datasets": [_dataset(row) for row in rows],
        "duplicates": {
            "pairs": len(audit.duplicates),
            "frames": doubled_frames(rows),
            "kinds": dict(by_kind.iter_rows()),
        },
        "conventions": [
            {
                "dataset": row.name,
                "stated": row.stated,
                "indicated": row.indicated,
                "agrees": row.agrees,
                "evidence": row.evidence,
            }
            for row in rows
        ],
        "findings": [
            {"what": finding.what, "why": finding.why, "todo": finding.todo}
            for finding in findings(rows, audit.duplicates, aside)
        ],
        "rejected": [{"path": file.path, "reason": file.reason} for file in aside],
    }


def files_set_aside(audit: Audit, others: Sequence[Rejected]) -> list[Rejected]:
    """All files that could not be read, each once, by path."""
    return sorted({(file.path, file.reason): file for file in (*others, *audit.rejected)}.values(), key=_path)


def _path(file: Rejected) -> str:
    return file.path


def _dataset(row: DatasetRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "tier": row.tier,
        "sequences": row.sequences,
        "frames": row.frames,
        "usable_frames": row.usable_frames,
        "usable": row.usable,
        "live_left": row.live[0],
        "live_right": row.live[1],
        "motion": row.energy,
        "motion_unit": f"degrees/{row.energy_unit}",
        "jitter": row.jitter,
        "out_of_limit": row.out_of_limit,
        "beyond_pi": row.beyond_pi,
        "nan": row.nan,
        "fps": row.fps or None,
        "coverage": row.reaches,
        "coverage_gain": row.only_here,
        "novelty": row.novel,
        "hand_mean": row.stated,
        "flags": list(row.flags),
        "verdict": row.verdict,
    }
