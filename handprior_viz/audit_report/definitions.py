"""How each number of the page is computed, in the page's own words (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from data_tools.mix import Mix
from data_tools.mixing.mix_settings import EXCLUDE
from data_tools.scanning.boundaries import RULE
from data_tools.scanning.dead_hands import FROZEN_FRAMES, FROZEN_SECONDS
from handprior_viz.number_words import percent

_COMPARE = "Compare datasets by it: fitted hands leave every published table often, most by a few degrees."

_WORDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("Frames", (), "Frames on disk, usable or not."),
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
        "How fast the finger joints of live hands turn; shown in degrees.",
    ),
    (
        "Jitter",
        ("jitter", "jitter_share"),
        "Frames in which a hand moves far and straight back.",
    ),
    (
        "Noise",
        ("noise",),
        "How much of the motion is trembling.",
    ),
    (
        "Out of limits",
        ("out_of_limit_share", "out_of_limit"),
        f"Live joints beyond published limits. {_COMPARE}",
    ),
    (
        "Beyond the anatomical range",
        ("out_of_range_share", "out_of_range"),
        "Live joints that bend, spread or twist further than a healthy hand, about axes that are the data's own only "
        f"nearly; the histograms shade what lies beyond. {_COMPARE}",
    ),
    (
        "Beyond pi",
        ("beyond_pi_share", "beyond_pi"),
        "Live joints given as more than half a turn. The same rotation is also a shorter one the other way round, "
        "which is what everything here uses.",
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
        "How differently often poses occur, 0 for equally often and 1 for nothing in common (Jensen-Shannon "
        "divergence): mean over all joints' angles, and over the main ways in which whole poses vary. A dataset's "
        "distance from all others together is of whole poses.",
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
)


def definitions(measured: Mapping[str, str], mix: Mix) -> dict[str, str]:
    """What each term means and how its number is measured, in the order in which the page uses them.

    Args:
        measured: What the audit says itself about its columns, by name; added to the words here.
        mix: Sorts datasets into tiers.
    """
    found: dict[str, str] = {}
    used = set()
    for term, columns, words in _WORDS:
        own = [name for name in columns if name in measured]
        used.update(own)
        exactly = " ".join(_sentence(measured[name], begin=not words) for name in own)
        if words or exactly:
            found[term] = f"{words} Exactly: {exactly}" if words and exactly else words or exactly
    found["Tiers"] = _tiers(mix)
    rest = {name.replace("_", " "): text for name, text in measured.items() if name not in used}
    return found | {term[:1].upper() + term[1:]: _sentence(text) for term, text in rest.items()}


def _tiers(mix: Mix) -> str:
    whole = sum(mix.shares.values())
    shares = ", ".join(f"{tier} {percent(share / whole)}" for tier, share in mix.shares.items())
    rest = "it leaves out what it does not name" if mix.unknown_tier == EXCLUDE else f"others are {mix.unknown_tier}"
    return f"How the mix sorts datasets by name ({rest}). Each tier gives its share of a training set: {shares}."


def _sentence(text: str, begin: bool = True) -> str:
    """End with a full stop and, unless it stands inside another sentence, begin with a capital."""
    text = text.strip()
    return (text[:1].upper() if begin else text[:1]) + text[1:] + ("" if text.endswith(".") else ".")
