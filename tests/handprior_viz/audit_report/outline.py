"""A page of the audit as its elements and words, for tests of what it says."""

from __future__ import annotations

from html.parser import HTMLParser

from data_tools.dataset_audit import Audit
from handprior_viz.audit_report.page import report_page

NAMES = ["CMU", "GRAB", "speech", "arctic"]
"""Datasets of 1,000 to 4,000 frames; low, high, medium, high."""

ALONE = {"meta", "img", "input", "path", "rect", "use", "br", "col", "link"}
DOT = "data:image/png;base64,iVBORw0KGgo="


class Outline(HTMLParser):
    """The elements of a page with their attributes and text; fails on elements that are closed in a wrong order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page.replace("<wbr>", ""))  # long names may break there, and are read as one
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ALONE:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in ALONE:
            assert self._open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["script"], ["style"]):
            self.text.append(data)

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.elements if attribute in attributes]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page_of(audit: Audit, **options: object) -> str:
    return report_page(audit, folder="audit", draw=lambda hands: DOT, **options)
