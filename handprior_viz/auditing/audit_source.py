"""Where an audit comes from: one made before, the tables of one, or motion files that have yet to be measured."""

from __future__ import annotations

from pathlib import Path

from data_tools import audit, scan
from data_tools.catalog import Catalog
from data_tools.dataset_audit import Audit, is_audit
from handprior_viz.long_work import Report

Source = Audit | Catalog | str | Path
"""An audit; a catalog; a folder or URL of motion files; or the folder of tables that an audit was written to."""


def check_source(data: Source) -> None:
    """Refuse a folder that is not there, before any work begins.

    Raises:
        FileNotFoundError: No such folder.
    """
    if _is_local(data) and not is_audit(data) and not Path(data).exists():  # type: ignore[arg-type]
        raise FileNotFoundError(f"{data}: no such folder; give one of motion files, or the result of an audit")


def audit_of(data: Source, report: Report) -> Audit:
    """Read the audit, or scan and audit the data.

    Args:
        data: Where from.
        report: Told how far it is; ends the work when it is cancelled.
    """
    if isinstance(data, Audit):
        return data
    if _is_local(data) and is_audit(data):  # type: ignore[arg-type]
        return Audit.read(data)  # type: ignore[arg-type]
    if isinstance(data, Catalog):
        catalog = data
    else:
        report.stage("Scanning: which files, sequences and hands there are")
        catalog = scan(data, progress=report)
    report.stage("Auditing: measuring every hand")
    found = audit(catalog, progress=report)
    report.check()
    return found


def _is_local(data: Source) -> bool:
    return isinstance(data, str | Path) and "://" not in str(data)
