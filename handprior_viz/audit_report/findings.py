"""The headline: what matters most in an audit, in plain words, and what to do about it (pure functions)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from statistics import median

import polars as pl

from data_tools.scanning.data_folder import Rejected
from handprior_viz.audit_report.dataset_rows import DatasetRow
from handprior_viz.number_words import percent, short_count

SHOWN = 3

_MUCH = 0.01  # share of frames from which a fault is worth a headline
_ENOUGH = 5  # datasets that tell what is usual
_FAR_OUT = 0.5  # share of joints, where too few datasets tell what is usual


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Attributes:
        weight: How much it matters: about the share of all frames that it spoils or makes doubtful.
        kind: ``bad`` for what spoils a training set unless somebody acts, ``warn`` for what to look at, ``note``.
        what: What was found.
        why: What it means.
        todo: What to do next.
        anchor: The part of the page that shows it.
        by: The number of a dataset (at ``anchor``) whose sequences show it, a column's key; empty for a section.
    """

    weight: float
    kind: str
    what: str
    why: str
    todo: str
    anchor: str
    by: str = ""


def findings(
    rows: Sequence[DatasetRow], duplicates: pl.DataFrame, set_aside: Sequence[Rejected], shown: int = SHOWN
) -> list[Finding]:
    """The most important findings, the most important first.

    Args:
        rows: All datasets.
        duplicates: :attr:`data_tools.dataset_audit.Audit.duplicates`.
        set_aside: Files that could not be read.
        shown: How many at most.
    """
    frames = max(sum(row.frames for row in rows), 1)
    found = [
        *_contradicted(rows, frames),
        *_unstated(rows, frames),
        *_dead(rows, frames),
        *_twice(rows, duplicates, frames),
        *_strange(rows, frames),
        *_jitter(rows, frames),
        *_aside(set_aside),
    ]
    found.sort(key=lambda finding: -finding.weight)
    return found[:shown] or [_nothing()]


def _contradicted(rows: Sequence[DatasetRow], frames: int) -> Iterator[Finding]:
    wrong = [row for row in rows if row.agrees is False]
    if wrong:
        options = " ".join(f"--hand-mean {quote(row.name)}={row.indicated}" for row in wrong[:3])
        yield Finding(
            10 + _frames(wrong) / frames,
            "bad",
            f"{_names(wrong)}: the data speak against what is said about the mean hand",
            f"If they are right, {short_count(_frames(wrong))} frames are off by the mean hand, at every joint. "
            f"{_evidence(wrong[0])}",
            f"Look at the evidence; if it convinces you, state it: {options}",
            "conventions",
        )


def _unstated(rows: Sequence[DatasetRow], frames: int) -> Iterator[Finding]:
    unknown = [row for row in rows if row.stated == "unknown" and row.agrees is not False]
    if unknown:
        yield Finding(
            2 * _frames(unknown) / frames,
            "warn",
            f"{_names(unknown)}: nobody says whether the mean hand is inside the values",
            f"{short_count(_frames(unknown))} frames are taken as they are; if that is wrong, every pose in them is. "
            f"{_evidence(unknown[0])}",
            f"Ask its makers or read the evidence, then state it: --hand-mean {quote(unknown[0].name)}=incl or =rel",
            "conventions",
        )


def _dead(rows: Sequence[DatasetRow], frames: int) -> Iterator[Finding]:
    lost = frames - sum(row.usable_frames for row in rows)
    if lost / frames < _MUCH:
        return
    losing = sorted((row for row in rows if row.usable_frames < row.frames), key=lambda r: r.usable_frames - r.frames)
    wholly = [row for row in losing if row.usable_frames == 0]
    barren = f"; {_names(wholly)} give{'s' if len(wholly) == 1 else ''} nothing" if wholly else ""
    yield Finding(
        1.5 * lost / frames,
        "warn",
        f"In {percent(lost / frames)} of all frames not both hands are live",
        f"{short_count(lost)} frames hold a hand that nobody captured, most in {_names(losing[:3])}{barren}.",
        "Nothing to repair: mixes leave them out. Check that the tiers do not count on these datasets.",
        "datasets",
    )


def _twice(rows: Sequence[DatasetRow], duplicates: pl.DataFrame, frames: int) -> Iterator[Finding]:
    if duplicates.is_empty():
        return
    total = doubled_frames(rows)
    across = duplicates.filter(pl.col("dataset_a") != pl.col("dataset_b"))
    shown = across if len(across) else duplicates
    pairs = shown.group_by("dataset_a", "dataset_b").agg(pl.col("frames").sum()).sort("frames", descending=True)
    a, b = pairs.row(0)[:2]
    where = f"{a} and {b}" if a != b else a
    more = f" and {len(pairs) - 1} other pair{'s' if len(pairs) > 2 else ''} of datasets" if len(pairs) > 1 else ""
    yield Finding(
        0.05 + 5 * total / frames,
        "bad" if total / frames >= _MUCH else "warn",
        f"The same motion is there twice: {'1 pair' if len(duplicates) == 1 else f'{len(duplicates):,} pairs'} of "
        "sequences",
        f"{short_count(total)} frames, most in {where}{more}. They weigh double, and may be in training and in test.",
        "Leave one of the two datasets out of the mix." if a != b else "Remove one file of each pair in the list.",
        "duplicates",
    )


def doubled_frames(rows: Sequence[DatasetRow]) -> int:
    """Frames that stand in another sequence too, each counted once however many copies of it there are."""
    return sum(row.doubled or 0 for row in rows)


def _strange(rows: Sequence[DatasetRow], frames: int) -> Iterator[Finding]:
    limit = unusual_limit(rows)
    odd = sorted(
        (row for row in rows if (row.out_of_limit or 0) >= limit),
        key=lambda row: -(row.out_of_limit or 0) * row.usable_frames,
    )
    if odd:
        top = max(odd, key=lambda row: row.out_of_limit or 0)
        yield Finding(
            sum(((row.out_of_limit or 0) - limit / 2) * row.usable_frames for row in odd) / frames,
            "warn",
            f"{_names(odd)}: joints turn further than healthy hands do",
            f"{percent(top.out_of_limit or 0)} of the joints of {top.name} are out of their limits, more than usual.",
            "Open the dataset and look at its suspicious hands; a poor fit is a reason for a lower tier.",
            odd[0].anchor,
            "limits",
        )


def unusual_limit(rows: Sequence[DatasetRow]) -> float:
    """From which share of joints out of their limits a dataset stands out.

    Healthy hands leave the published boxes often, a little (see :mod:`data_tools.auditing.joint_limits`: 28 % of the
    bending components of ARCTIC), so that a share says something only beside those of other datasets.
    """
    known = [row.out_of_limit for row in rows if row.out_of_limit is not None]
    return max(1.6 * median(known), 0.05) if len(known) >= _ENOUGH else _FAR_OUT


def _jitter(rows: Sequence[DatasetRow], frames: int) -> Iterator[Finding]:
    shaky = sorted((row for row in rows if (row.jitter or 0) >= _MUCH), key=lambda row: -(row.jitter or 0) * row.frames)
    if shaky:
        top = shaky[0]
        yield Finding(
            sum((row.jitter or 0) * row.frames for row in shaky) / frames,
            "warn",
            f"{_names(shaky)}: hands tremble from frame to frame",
            f"{percent(top.jitter or 0)} of the frames of {top.name} jitter: speeds cannot be trusted there.",
            "A prior over poses hardly minds; smooth the motion before anything that learns speeds.",
            top.anchor,
            "jitter",
        )


def _aside(set_aside: Sequence[Rejected]) -> Iterator[Finding]:
    if set_aside:
        yield Finding(
            0.05 + 0.01 * len(set_aside),
            "warn",
            f"{len(set_aside):,} file{'s' if len(set_aside) > 1 else ''} could not be read",
            f"The first is {set_aside[0].path}: {set_aside[0].reason}.",
            "Fetch them again, or remove them: nothing in this report counts them.",
            "set-aside",
        )


def _nothing() -> Finding:
    return Finding(
        0.0,
        "note",
        "Nothing stands out",
        "Hands are live, angles lie within their limits, and no motion is there twice.",
        "Go on to the mix: handprior balance DATA --out SPLITS",
        "datasets",
    )


def headline(rows: Sequence[DatasetRow], found: Sequence[Finding], sequences: int) -> str:
    """What is in the data, and whether something has to be settled before they are mixed, in two or three sentences.

    Args:
        rows: All datasets, in the fixed order.
        found: From :func:`findings`.
        sequences: How many there are.
    """
    frames, usable = _frames(rows), sum(row.usable_frames for row in rows)
    largest = sorted(rows, key=lambda row: -row.frames)
    most = f", most in {_names(largest[:3])}" if len(rows) > 3 else ""
    datasets = "1 dataset holds" if len(rows) == 1 else f"{len(rows):,} datasets hold"
    many = "1 sequence" if sequences == 1 else f"{sequences:,} sequences"
    said = f"{datasets} {short_count(frames)} frames in {many}{most}. "
    said += f"In {percent(usable / max(frames, 1))} of the frames both hands are live. "
    bad, look = (sum(finding.kind == kind for finding in found) for kind in ("bad", "warn"))
    if bad:
        things = "One thing has" if bad == 1 else f"{bad} things have"
        return f"{said}{things} to be settled before any of it is mixed."
    worth = (
        "nothing stands out" if not look else f"{'one thing is' if look == 1 else f'{look} things are'} worth a look"
    )
    return f"{said}Nothing keeps you from mixing them; {worth}."


def _evidence(row: DatasetRow) -> str:
    return f"{row.name}: {row.evidence}." if row.evidence else ""


def _frames(rows: Sequence[DatasetRow]) -> int:
    return sum(row.frames for row in rows)


def _names(rows: Sequence[DatasetRow], most: int = 3) -> str:
    """Names in a sentence, the largest few of them."""
    names = [row.name for row in rows[:most]]
    rest = len(rows) - len(names)
    if rest:
        return f"{', '.join(names)} and {rest} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "no dataset"
