"""Absolute targets of a mix: so many frames from a tier or a dataset, from which shares and total follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def with_targets_resolved(
    said: Mapping[str, Any], tiers: tuple[str, ...], tier_of: Callable[[str], str]
) -> dict[str, Any]:
    """Turn targets of tiers into shares and a total; what remains in ``targets`` is about datasets.

    Targets of datasets alone, with neither shares nor a total, mean just these frames: each tier gets what its
    datasets sum to.

    Args:
        said: What a mix says, without defaults.
        tiers: Names of the tiers.
        tier_of: Tier of a dataset.

    Raises:
        ValueError: Targets beside shares, for some tiers only, that sum to nothing or to another total.
    """
    targets = said.get("targets")
    if not targets or not isinstance(targets, Mapping) or not all(_is_count(frames) for frames in targets.values()):
        return dict(said)  # the mix says what is wrong with them
    of_tiers = {tier: targets[tier] for tier in tiers if tier in targets}
    of_datasets = {name: frames for name, frames in targets.items() if name not in of_tiers}
    if not of_tiers:
        if said.get("total") is not None or said.get("shares") is not None:
            return dict(said)
        of_tiers = _sums(of_datasets, tiers, tier_of)
    if said.get("shares") is not None:
        raise ValueError("mix: give shares of the tiers or targets of them, not both")
    absent = [tier for tier in tiers if tier not in of_tiers]
    if absent:
        raise ValueError(f"mix: targets name {_and(of_tiers)} but not {_and(absent)}; give every tier, 0 for none")
    total = sum(of_tiers.values())
    if not total:
        raise ValueError(f"mix: targets must sum to more than nothing, got {dict(targets)}")
    if said.get("total") not in (None, total):
        raise ValueError(f"mix: targets sum to {total}, total says {said['total']!r}; leave total out")
    return {**said, "total": total, "shares": of_tiers, "targets": of_datasets}


def _sums(targets: Mapping[str, int], tiers: tuple[str, ...], tier_of: Callable[[str], str]) -> dict[str, int]:
    sums = dict.fromkeys(tiers, 0)
    for name, frames in targets.items():
        if any(letter in name for letter in "*?["):
            raise ValueError(f"mix: the target of pattern {name!r} is for each dataset that it matches; give a total")
        tier = tier_of(name)
        if tier not in sums:
            raise ValueError(f"mix: targets name {name!r}, which stands in no tier and is left out by unknown_tier")
        sums[tier] += frames
    return sums


def _is_count(frames: Any) -> bool:
    return isinstance(frames, int) and not isinstance(frames, bool) and frames >= 0


def _and(names: Any) -> str:
    return ", ".join(map(str, names))
