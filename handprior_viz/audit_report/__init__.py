"""The audit as one self-contained page: ``write_report(audit, "audit.html")``."""

from handprior_viz.audit_report.page import ReportFiles, page_and_folder, write_report
from handprior_viz.audit_report.summary import summary

__all__ = ["ReportFiles", "page_and_folder", "summary", "write_report"]
