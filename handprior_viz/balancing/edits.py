"""Small changes to a mix, as a person makes them one at a time: shares, a dataset's tier, its cap, flags (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from data_tools.mix import Mix
from data_tools.mixing.apportion import largest_remainder

LEFT_OUT = "left out"
"""What stands in place of a tier for a dataset that gives nothing: a cap of 0."""


def rebalance(shares: Sequence[int], moved: int, value: float) -> tuple[int, ...]:
    """Set one share and rescale the others in proportion, so that all still add to 100.

    Args:
        shares: Whole per cent, summing to 100.
        moved: Which share is set.
        value: Its new value; rounded, and kept between 0 and 100.

    Returns:
        Whole per cent that sum to exactly 100; where the others are all 0 they share the rest equally.

    Raises:
        ValueError: No such share, or nothing to rescale.
    """
    if not 0 <= moved < len(shares):
        raise ValueError(f"there are {len(shares)} shares, so moved must be 0 to {len(shares) - 1}, got {moved}")
    others = [share for k, share in enumerate(shares) if k != moved]
    if not others:
        raise ValueError("a single share is always 100 %: there is nothing to rescale")
    set_to = min(max(round(value), 0), 100)
    weights = others if sum(others) > 0 else [1] * len(others)
    rescaled = largest_remainder(100 - set_to, np.array(weights, np.float64)).tolist()
    return (*rescaled[:moved], set_to, *rescaled[moved:])


def tier_of(mix: Mix, dataset: str) -> str:
    """The tier that a dataset stands in, as the menus say it: with :data:`LEFT_OUT` for one that gives nothing."""
    tier = mix.tier_of(dataset) or mix.unknown_tier
    return LEFT_OUT if tier not in mix.shares or mix.limits(dataset)[1] == 0 else tier


def with_tier(mix: Mix, dataset: str, tier: str) -> Mix:
    """Put a dataset into a tier, or leave it out.

    Args:
        mix: As it stands.
        dataset: Its name.
        tier: One of the mix's, or :data:`LEFT_OUT`.

    Raises:
        ValueError: No such tier.
    """
    if tier == LEFT_OUT:
        return with_cap(mix, dataset, 0)
    if tier not in mix.shares:
        raise ValueError(f"no tier {tier!r} in the mix; it has {', '.join(mix.shares)}")
    if mix.limits(dataset)[1] == 0:
        mix = with_cap(mix, dataset, None)
    members = {name: tuple(other for other in kept if other != dataset) for name, kept in mix.tiers.items()}
    members[tier] = (*members.get(tier, ()), dataset)
    return replace(mix, tiers=members)


def with_cap(mix: Mix, dataset: str, frames: int | None) -> Mix:
    """Take at most so many frames from a dataset; None for no limit of its own. A target of its own goes.

    Raises:
        ValueError: Less than no frame.
    """
    return replace(mix, caps=_set(mix.caps, dataset, frames), targets=_set(mix.targets, dataset, None))


def with_flag_toggled(mix: Mix, flag: str) -> Mix:
    """Leave sequences with a flag out, or let them in again.

    Raises:
        ValueError: No such flag.
    """
    out = mix.exclude_flags
    return replace(mix, exclude_flags=tuple(f for f in out if f != flag) if flag in out else (*out, flag))


def whole_frames(text: str) -> int | None:
    """Frames as a person types them: ``20000``, ``20,000``, ``20k``, ``1.5M``; None for nothing.

    Raises:
        ValueError: Not a number of frames.
    """
    tight = text.replace(",", "").replace(" ", "").replace("_", "")
    if not tight:
        return None
    factor = {"k": 1_000, "m": 1_000_000}.get(tight[-1].lower(), 1)
    try:
        value = float(tight[:-1] if factor > 1 else tight) * factor
        frames = round(value)
    except (ValueError, OverflowError):
        frames, value = -1, -1.0
    if value < 0:
        raise ValueError(f"{text!r} is not a number of frames: write 20000, 20k or 1.5M, or nothing for no limit")
    return frames


def _set(bounds: Mapping[str, int], dataset: str, frames: int | None) -> dict[str, int]:
    kept = {name: value for name, value in bounds.items() if name != dataset}
    return kept if frames is None else {**kept, dataset: frames}
