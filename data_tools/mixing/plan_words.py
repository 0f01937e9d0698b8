"""A plan in words: why a dataset gives what it gives, and what is missing where."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from data_tools.mixing.apportion import largest_remainder
from data_tools.mixing.mix_settings import EXCLUDE, Mix
from data_tools.scanning.sequence_flags import DEAD, MEAN_UNKNOWN
from data_tools.splits import Availability

_NAMED = 3
"""At most so many datasets are named in a sentence."""


def explain(
    stock: Availability,
    mix: Mix,
    tiers: tuple[str, ...],
    limits: Int64[np.ndarray, "datasets splits"],
    asked: Int64[np.ndarray, "datasets splits"],
    given: Int64[np.ndarray, "datasets splits"],
) -> tuple[str, ...]:
    """Say of every dataset why it gives what it gives."""
    want, got = asked.sum(axis=1), given.sum(axis=1)
    spare = {tier: _names(stock, tiers, tier, got - want) for tier in set(tiers)}
    short = {tier: _names(stock, tiers, tier, want - got) for tier in set(tiers)}
    words = []
    for row, tier in enumerate(tiers):
        extra = int(got[row] - want[row])
        if tier == EXCLUDE:
            words.append("stands in no tier: left out")
        elif extra < 0:
            rest = f"the rest from {spare[tier]}" if spare[tier] else "the rest is missing"
            words.append(f"short: {_cause(stock, mix, row, limits, asked[row])}; {rest}")
        elif extra > 0:
            words.append(f"{extra:,} more than asked, for {short[tier] or 'what others lack'}")
        elif not stock.usable[row]:
            words.append(f"nothing asked; {_cause(stock, mix, row, limits, asked[row])}")
        elif mix.shortfall == "repeat" and got[row] > limits[row].sum():
            words.append(f"as asked, its frames repeated {got[row] / max(int(limits[row].sum()), 1):.1f} times")
        else:
            words.append("as asked")
    return tuple(words)


def _cause(
    stock: Availability,
    mix: Mix,
    row: int,
    limits: Int64[np.ndarray, "datasets splits"],
    want: Int64[np.ndarray, "splits"],
) -> str:
    """Why a dataset cannot give what it is asked for."""
    frames, usable, cap = int(stock.frames[row]), int(stock.usable[row]), mix.limits(stock.datasets[row])[1]
    if cap is not None and int(limits[row].sum()) <= cap < usable:
        return f"held at its cap of {cap:,}"
    if usable < frames and usable <= want.sum():
        dead = any(flag.startswith(DEAD.split()[0]) for flag in stock.flags[row])
        return f"{'dead hands' if dead else 'unusable hands'}, {usable:,} of {frames:,} frames usable"
    if limits[row].sum() < want.sum():
        return f"only {usable:,} frames"
    lacking = [name for k, name in enumerate(stock.splits) if limits[row, k] < want[k]]
    return f"too few frames in its {_listed(lacking, _NAMED)} sequences"


def shortfalls(
    stock: Availability,
    mix: Mix,
    tiers: tuple[str, ...],
    limits: Int64[np.ndarray, "datasets splits"],
    given: Int64[np.ndarray, "datasets splits"],
) -> tuple[str, ...]:
    """Say what is missing in each tier of what the mix asks for."""
    lines = []
    wanted = largest_remainder(mix.total, mix.tier_weights)
    for tier, want in zip(mix.shares, wanted.tolist(), strict=True):
        rows = [row for row, name in enumerate(tiers) if name == tier]
        got, room = int(given[rows].sum()), limits[rows].sum(axis=0)
        if got >= want:
            continue
        head = f"{tier}: asked {want:,}, got {got:,}"
        if not rows:
            lines.append(f"{head}: no dataset of this tier in the data")
        elif mix.shortfall == "shrink" and int(room.sum()) >= want:
            lines.append(f"{head}: made smaller to keep the shares")
        else:
            by_split = ", ".join(f"{name} {count:,}" for name, count in zip(stock.splits, room.tolist(), strict=True))
            lines.append(f"{head}: its {_many(len(rows))} can give {int(room.sum()):,} ({by_split})")
    return tuple(lines)


def unknown_means(stock: Availability) -> tuple[str, ...]:
    """Say which datasets do not say whether the mean hand is inside."""
    names = [name for name, flags in zip(stock.datasets, stock.flags, strict=True) if MEAN_UNKNOWN in flags]
    if not names:
        return ()
    return (
        f"nobody says whether the mean hand is inside the values of {_listed(names, 8)}: taken as incl; "
        "`hand_mean` in handprior.yaml beside the data can say so",
    )


def missing_members(stock: Availability, mix: Mix) -> tuple[str, ...]:
    """Say which datasets the mix names and the data do not have."""
    have = set(stock.datasets)
    absent = [
        name
        for members in mix.tiers.values()
        for name in members
        if name not in have and not any(letter in name for letter in "*?[")
    ]
    if not absent:
        return ()
    subject = "1 dataset of the mix is" if len(absent) == 1 else f"{len(absent)} datasets of the mix are"
    return (f"{subject} not in the data: {_listed(absent, 8)}",)


def _names(stock: Availability, tiers: tuple[str, ...], tier: str, surplus: Int64[np.ndarray, "datasets"]) -> str:
    rows = [row for row in np.argsort(-surplus, kind="stable").tolist() if tiers[row] == tier and surplus[row] > 0]
    return _listed([stock.datasets[row] for row in rows], _NAMED)


def _many(datasets: int) -> str:
    return "one dataset" if datasets == 1 else f"{datasets} datasets"


def _listed(names: list[str], most: int) -> str:
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
