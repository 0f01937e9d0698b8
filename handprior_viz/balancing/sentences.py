"""What a plan comes to, and what to know of it before it is written, in words (pure functions)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from data_tools.catalog import Catalog
from data_tools.mix import MixPlan
from handprior_viz.number_words import percent


def sentence(plan: MixPlan, catalog: Catalog) -> str:
    """The panel's first line: what the mix comes to, and what was left out of it."""
    totals = plan.totals
    giving = int((plan.given.sum(axis=1) > 0).sum())
    splits = ", ".join(f"{name} {count:,}" for name, count in totals["splits"].items())
    dead = int(plan.available.sum() - plan.usable.sum())
    out = f" · {dead:,} of {plan.available.sum():,} frames left out: dead or invalid hands" if dead else ""
    aside = f" · {len(catalog.rejected)} unreadable files set aside" if catalog.rejected else ""
    synthetic = " · synthetic data" if catalog.synthetic else ""
    return (
        f'<p class="hp-sentence">Balance: {totals["given"]:,} frames from {giving} of {len(plan.datasets)} datasets '
        f"<small>{escape(splits)}{out}{aside}{synthetic}</small></p>"
    )


def warnings(plan: MixPlan) -> str:
    """What to know before this mix is written, in words, one line each: what is missing, and what is out of balance."""
    lines = [*plan.shortfalls, *plan.warnings, *_one_sided(plan), *_repeated(plan), *_barren(plan)]
    return "".join(f'<p class="hp-warning">{escape(line)}</p>' for line in lines)


def _one_sided(plan: MixPlan) -> Iterator[str]:
    """Datasets that give more than half of their tier."""
    given = plan.given.sum(axis=1)
    tiers = np.array(plan.tiers)
    for tier in plan.mix.shares:
        mine = np.flatnonzero((tiers == tier) & (plan.usable > 0))
        total = int(given[mine].sum())
        if len(mine) < 2 or not total:
            continue
        top = mine[given[mine].argmax()]
        if 2 * given[top] > total:
            yield (
                f"{plan.datasets[top]} gives {percent(given[top] / total)} of the {tier} tier: set a most for it, or "
                "let datasets give in proportion to the square root, or the same from each"
            )


def _repeated(plan: MixPlan) -> Iterator[str]:
    """Datasets of which a split takes some frame more than once."""
    over = (plan.given > plan.capacity).any(axis=1)
    times = [
        f"{plan.datasets[row]} {(plan.given[row] / np.maximum(plan.capacity[row], 1)).max():.1f} times"
        for row in np.flatnonzero(over)
    ]
    if times:
        yield f"frames are repeated: {_some(times)}; ask for fewer frames, or let a short tier stay short"


def _barren(plan: MixPlan) -> Iterator[str]:
    """Datasets of the mix's tiers that hold no usable frame at all."""
    names = [
        name
        for name, tier, usable, available in zip(plan.datasets, plan.tiers, plan.usable, plan.available, strict=True)
        if tier in plan.mix.shares and not usable and available
    ]
    if names:
        yield f"no usable frame, dead hands throughout: {_some(names)}; they give nothing, whatever their tier"


def _some(words: Sequence[str], most: int = 4) -> str:
    rest = len(words) - most
    return ", ".join(words[:most]) + (f" and {rest} more" if rest > 0 else "")
