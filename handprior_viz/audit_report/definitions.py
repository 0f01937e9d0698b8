"""How each number of the page is computed, in the page's own words (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from data_tools.auditing.joint_limits import LIMIT_SOURCE, RANGE_SOURCE
from data_tools.scanning.boundaries import RULE
from data_tools.scanning.dead_hands import FROZEN_FRAMES, FROZEN_SECONDS

_COMPARE = "Compare datasets by it: fitted hands leave every published table often, most by a few degrees."

_WORDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "Live hand",
        ("alive_left",),
        "A hand that was really captured: its numbers are finite, not all zero, not the mean hand, not marked invalid "
        "by the source, not a copy of the other hand, and not frozen "
        f"({FROZEN_SECONDS:g} s without motion, or {FROZEN_FRAMES} frames where the frame rate is not known).",
    ),
    ("Usable frame", ("usable",), "A frame in which both hands are live."),
    (
        "Motion",
        ("energy",),
        "How fast the finger joints of live hands turn from frame to frame: root mean square over joints and frames, "
        "times the frame rate; per frame where the rate is not known. Nothing is compared across gaps and sequence "
        "boundaries.",
    ),
    (
        "Jitter",
        ("jitter", "jitter_share"),
        "Frames in which a hand moves far and straight back: the change of its step is most of the steps before and "
        "after.",
    ),
    (
        "Noise",
        ("noise",),
        "How much of the motion is trembling.",
    ),
    (
        "Out of limits",
        ("out_of_limit_share", "out_of_limit"),
        f"Live joints beyond published limits. {_COMPARE} Limits: {LIMIT_SOURCE}.",
    ),
    (
        "Beyond the anatomical range",
        ("out_of_range_share", "out_of_range"),
        "Live joints that bend, spread or twist further than a healthy hand, about axes that are the data's own only "
        f"nearly; the histograms shade what lies beyond. {_COMPARE} Ranges: {RANGE_SOURCE}.",
    ),
    (
        "Beyond pi",
        ("beyond_pi_share", "beyond_pi"),
        "Live joints whose stored axis-angle is longer than pi: the same rotation is then also a shorter one, which is "
        "what everything here uses.",
    ),
    ("Mean hand", ("agrees", "indicated", "conventions"), ""),
    (
        "Duplicates",
        ("duplicate_frames",),
        "Sequences of which one holds the other's hands: the same, mirrored, or nearly so at any frame rate.",
    ),
    ("NaN", ("nan_share",), ""),
    (
        "Distance between datasets",
        ("distances", "distance_to_rest"),
        "Jensen-Shannon divergence in bits between how often angles occur, 0 for the same and 1 for nothing in common: "
        "mean over all joints' angles, and over the main directions in which whole poses vary.",
    ),
    ("Poses of its own", ("novelty",), ""),
    (
        "Only here",
        ("coverage_gain",),
        "What would be lost without the dataset; a kind of pose is a cell of similar ones.",
    ),
    ("Shown here", ("cells",), "How much of all that hands do in these data the dataset shows."),
    ("Samples", ("sample",), ""),
    (
        "Histograms",
        ("histograms",),
        "Angles of live hands with the mean hand included, about each joint's own axes, in bins of 5 degrees; right "
        "hands are measured as their mirror images, so that bend is positive into the palm on either hand.",
    ),
    ("Where a sequence ends", ("boundaries",), f"Files that do not say are cut: {RULE}."),
    ("Tiers", (), "High, medium and low as the default mix sorts datasets by name; a mix of your own may differ."),
)


def definitions(measured: Mapping[str, str]) -> list[tuple[str, str]]:
    """All terms with their definitions, in the order in which the page uses them.

    Args:
        measured: What the audit says itself about its columns, by name; added to the words here.
    """
    found, used = [], set()
    for term, columns, words in _WORDS:
        own = [name for name in columns if name in measured]
        used.update(own)
        exactly = " ".join(_sentence(measured[name], begin=not words) for name in own)
        if words and exactly:
            found.append((term, f"{words} Exactly: {exactly}"))
        elif words or exactly:
            found.append((term, words or exactly))
    rest = [(name.replace("_", " "), _sentence(text)) for name, text in measured.items() if name not in used]
    return found + [(term[:1].upper() + term[1:], text) for term, text in rest]


def _sentence(text: str, begin: bool = True) -> str:
    """End with a full stop and, unless it stands inside another sentence, begin with a capital."""
    text = text.strip()
    return (text[:1].upper() if begin else text[:1]) + text[1:] + ("" if text.endswith(".") else ".")
