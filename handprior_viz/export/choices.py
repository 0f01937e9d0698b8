"""What the export menu offers, in words, and why something is not possible now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handprior_viz.export.decoders import why_no_page
from training.prior import Prior


@dataclass(frozen=True)
class Choice:
    """One line of the menu.

    Attributes:
        what: ``pose`` (the one shown), ``walk`` (from pin A to pin B) or ``page`` (the prior's sliders).
        ending: Of the file.
        words: What it becomes.
    """

    what: str
    ending: str
    words: str

    @property
    def key(self) -> str:
        return f"{self.what}{self.ending}"


CHOICES: tuple[Choice, ...] = (
    Choice("pose", ".png", "See-through picture"),
    Choice("pose", ".glb", "Rigged mesh for Blender and the web"),
    Choice("pose", ".obj", "Mesh"),
    Choice("pose", ".npz", "Numbers for SMPL-X tools"),
    Choice("pose", ".json", "Numbers as text"),
    Choice("walk", ".mp4", "Film"),
    Choice("walk", ".gif", "Film that plays anywhere"),
    Choice("walk", ".png", "Contact sheet"),
    Choice("walk", ".glb", "Rigged mesh that moves"),
    Choice("walk", ".html", "Page to turn, scrub and play"),
    Choice("walk", ".npz", "Numbers for SMPL-X tools"),
    Choice("page", ".html", "Page with sliders that work without Python"),
)
"""What the menu offers, in its order."""

TITLES = {"pose": "This pose", "walk": "Walk from A to B", "page": "This prior"}

_COPY: dict[str, str] = {"key": "copy", "words": "Copy parameters", "ending": "clipboard", "why": ""}


def menu_groups(*, has_walk: bool, prior: Prior | None) -> list[dict[str, Any]]:
    """The menu as its script reads it.

    Args:
        has_walk: Whether both pins are set.
        prior: What is explored, or None while there is nothing.
    """
    page = "nothing is explored yet" if prior is None else why_no_page(prior)
    why = {"pose": "", "walk": "" if has_walk else "pin A and B first", "page": page}
    groups: list[dict[str, Any]] = [
        {
            "title": title,
            "why": f"({why[what]})" if why[what] else "",
            "items": [
                {"key": choice.key, "words": choice.words, "ending": choice.ending, "why": why[what]}
                for choice in CHOICES
                if choice.what == what
            ],
        }
        for what, title in TITLES.items()
    ]
    groups[0]["items"].append(_COPY)
    return groups
