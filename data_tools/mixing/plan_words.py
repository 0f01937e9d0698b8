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
        words[-1] += _about_target(mix, stock.datasets[row], int(want[row]), tier) + _about_flags(stock, row)
    return tuple(words)


def nothing_usable(stock: Availability) -> str:
    """Say that no dataset has a frame to give, and why."""
    names = f"{len(stock.datasets)} datasets ({', '.join(stock.datasets[:5])})"
    if stock.excluded.any():
        flags = ", ".join(stock.exclude_flags)
        return f"no usable frames in any of {names}: exclude_flags ({flags}) leaves nothing; take a flag out"
    return f"no usable frames in any of {names}: every hand is dead, invalid or NaN; `handprior scan` says which"


def _about_target(mix: Mix, dataset: str, want: int, tier: str) -> str:
    target = mix.target(dataset)
    if target is None or tier == EXCLUDE:
        return ""
    return ": its target" if want == target else f": its target of {target:,} lowered to what its tier asks for"


def _about_flags(stock: Availability, row: int) -> str:
    lost = int(stock.excluded[row])
    if not lost:
        return ""
    flags = [flag for flag in stock.exclude_flags if flag in stock.flags[row]]
    return f"; {lost:,} usable frames left out: {_listed(flags, _NAMED)}"


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
    if stock.excluded[row] and usable <= want.sum():
        return f"only {usable:,} usable frames"
    if usable < frames and usable <= want.sum():
        dead = any(flag.startswith(DEAD.split()[0]) for flag in stock.flags[row])
        return f"{'dead hands' if dead else 'unusable hands'}, {usable:,} of {frames:,} frames usable"
    if limits[row].sum() < want.sum():
        room = int(stock.capacity[row].sum())
        between = f": {usable - room:,} of {usable:,} keep the splits of a recording apart" if room < usable else ""
        return f"only {room:,} frames{between}"
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


def mixed_means(stock: Availability, given: Int64[np.ndarray, "datasets splits"]) -> tuple[str, ...]:
    """Say why the chosen datasets cannot be put together: some lack a mean hand that nobody knows, others hold it."""
    if stock.mean_known:
        return ()
    used = [row for row in range(len(stock.datasets)) if given[row].sum()]
    lacking = [stock.datasets[row] for row in used if "rel" in stock.conventions[row]]
    holding = [stock.datasets[row] for row in used if {"incl", "unknown"} & set(stock.conventions[row])]
    if not lacking:
        return ()
    what = f"{MIXED}; {_listed(holding, _NAMED)} with it inside, and the two" if holding else f"{MIXED}, and they"
    return (
        f"{_listed(lacking, _NAMED)}: {what} cannot be packed{' together' if holding else ''}; set SMPLX_MODEL_PATH "
        "to the model file and scan again, or give its 90 numbers as `hands_mean` in handprior.yaml beside the data",
    )


MIXED = "hands are stored relative to a mean hand that is not known"
"""What the line of :func:`mixed_means` says."""


def missing_targets(stock: Availability, mix: Mix, tiers: tuple[str, ...]) -> tuple[str, ...]:
    """Say which datasets have a target and can give nothing: not in the data, or in a tier that gets no share."""
    lines = []
    for name, frames in mix.targets.items():
        if not frames or any(letter in name for letter in "*?["):
            continue
        if name not in stock.datasets:
            lines.append(f"{name} has a target of {frames:,} and is not in the data")
        elif not mix.shares.get(tiers[stock.datasets.index(name)]):
            lines.append(f"{name} has a target of {frames:,}, and its tier no share")
    return tuple(lines)


def in_no_tier(datasets: list[str], fate: str) -> tuple[str, ...]:
    """Say which datasets the mix gives no tier, and what becomes of them."""
    if not datasets:
        return ()
    return (f"{_listed(datasets, 8)} {'stands' if len(datasets) == 1 else 'stand'} in no tier of the mix: {fate}",)


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
