"""A plan in a table: what each dataset has, what of it can be used, what the mix takes, and why (pure functions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from data_tools.catalog import Catalog
from data_tools.mix import Mix, MixPlan
from handprior_viz import style
from handprior_viz.balancing.edits import LEFT_OUT, tier_of
from handprior_viz.number_words import percent, short_count


@dataclass(frozen=True)
class BalanceRow:
    """One dataset of a plan; all counts are frames.

    Attributes:
        tier: Where it stands, as its menu says it: a tier, or :data:`~handprior_viz.balancing.edits.LEFT_OUT`.
        live: Part of its hands that are live, 0 to 1, both sides taken together.
        cap: Most frames that the mix takes from it; None for no limit.
    """

    dataset: str
    tier: str
    available: int
    usable: int
    given: int
    live: float
    why: str
    cap: int | None = None


def live_share(catalog: Catalog) -> dict[str, float]:
    """Part of each dataset's hands that are live, left and right taken together, 0 to 1."""
    table = catalog.datasets()
    return {
        name: (left + right) / max(2 * frames, 1)
        for name, left, right, frames in table.select("dataset", "live_left", "live_right", "frames").iter_rows()
    }


def balance_rows(plan: MixPlan, live: Mapping[str, float]) -> list[BalanceRow]:
    """A plan's datasets in the order in which they are always shown: by tier, then by size; those left out last."""
    mix, given = plan.mix, plan.given.sum(axis=1).tolist()
    order = [*mix.shares, LEFT_OUT]
    rows = [
        BalanceRow(
            dataset=name,
            tier=tier_of(mix, name),
            available=int(available),
            usable=int(usable),
            given=int(count),
            live=live.get(name, 0.0),
            why=why,
            cap=mix.limits(name)[1],
        )
        for name, available, usable, count, why in zip(
            plan.datasets, plan.available, plan.usable, given, plan.why, strict=True
        )
    ]
    return sorted(rows, key=lambda row: (order.index(row.tier), -row.available, row.dataset))


def balance_table(plan: MixPlan, rows: Sequence[BalanceRow], edition: int = 0) -> str:
    """The table: one line per dataset, grouped by tier. With a :class:`.TierDrag` beside it, names can be dragged.

    Events: ``tier`` (target: the dataset, value: a tier or "left out"), ``cap`` (value: frames as text).

    Args:
        plan: What each dataset gives.
        rows: From :func:`balance_rows`.
        edition: Another number where menus and fields are to show the plan's mix whatever a person chose before.
    """
    largest = max((row.available for row in rows), default=1)
    totals = plan.totals
    parts = [_HEADER]
    tier = None
    for row in rows:
        if row.tier != tier:
            tier = row.tier
            parts.append(_tier_line(tier, [other for other in rows if other.tier == tier], totals))
        parts.append(_line(row, plan.mix, largest))
    head = f'<div class="hp-balance" role="table" aria-label="Frames by dataset" data-key="{edition}">'
    return f"{head}{''.join(parts)}{_targets(plan.mix)}</div>"


_HEADER = (
    '<div class="hp-line hp-balance-line hp-head" role="row"><span role="columnheader">dataset</span>'
    '<span role="columnheader" title="which tier it stands in">tier</span>'
    '<span role="columnheader" title="Frames available (light), usable (darker) and given (darkest); lengths grow with '
    'the square root of their number"><b class="hp-balance-key">frames</b>'
    '<i class="hp-key hp-available"></i><em>available </em><i class="hp-key hp-usable"></i><em>usable </em>'
    '<i class="hp-key hp-given"></i><em>given</em></span>'
    '<span role="columnheader" class="hp-number" title="frames on disk">available</span>'
    '<span role="columnheader" class="hp-number" title="frames whose hands can be used">usable</span>'
    '<span role="columnheader" class="hp-number" title="frames that this mix takes">given</span>'
    '<span role="columnheader" class="hp-number" title="given, of the usable frames">rate</span>'
    '<span role="columnheader" class="hp-number" title="hands that move and are valid, of all hands">live hands</span>'
    '<span role="columnheader" title="most frames that this mix takes from it, as 20000, 20k or 1.5M; empty for no '
    'limit">at most</span>'
    '<span role="columnheader">why</span></div>'
)


def _tier_line(tier: str, rows: Sequence[BalanceRow], totals: Mapping[str, Any]) -> str:
    given = sum(row.given for row in rows)
    asked = totals["asked_tiers"].get(tier)
    of = f" of {asked:,} asked" if asked is not None and asked != given else ""
    many = "1 dataset" if len(rows) == 1 else f"{len(rows)} datasets"
    said = many if tier == LEFT_OUT else f"<span data-flash>{given:,} frames{of}</span> from {many}"
    return (
        f'<div class="hp-tier" role="row" data-key="tier {escape(tier)}" data-tier="{escape(tier)}">'
        f'<i style="background:{_colour(tier)}"></i><span role="rowheader"><b>{escape(tier)}</b> {said}</span></div>'
    )


def _targets(mix: Mix) -> str:
    """All tiers side by side, seen only while a dataset is dragged: no tier is out of reach, or empty of lines."""
    tiers = "".join(
        f'<span data-tier="{escape(tier)}"><i style="background:{_colour(tier)}"></i>{escape(tier)}</span>'
        for tier in (*mix.shares, LEFT_OUT)
    )
    return f'<div class="hp-balance-targets" aria-hidden="true" data-key="targets">drop on a tier {tiers}</div>'


def _line(row: BalanceRow, mix: Mix, largest: int) -> str:
    def width(frames: int) -> str:
        return f"{100 * (frames / max(largest, 1)) ** 0.5:.2f}%"

    quiet = " hp-muted" if row.why == "as asked" else ""
    name = escape(row.dataset)
    return (
        f'<div class="hp-line hp-balance-line" role="row" data-key="{name}" data-tier="{escape(row.tier)}" '
        f'style="--hp-tier:{_colour(row.tier)}"><span role="cell" class="hp-balance-name" draggable="true" '
        f'title="{name}: drag it to another tier">{name}</span><span role="cell">{_tier_menu(row, mix)}</span>'
        f'<span role="cell" class="hp-bar" title="{row.available:,} frames available, {row.usable:,} usable, '
        f'{row.given:,} given"><i class="hp-available" style="width:{width(row.available)}"></i>'
        f'<i class="hp-usable" style="width:{width(row.usable)}"></i>'
        f'<i class="hp-given" style="width:{width(min(row.given, row.available))}"></i></span>'
        f"{_count(row.available)}{_count(row.usable)}"
        f'<span role="cell" class="hp-number" data-flash>{row.given:,}</span>'
        f'<span role="cell" class="hp-number">{percent(row.given / max(row.usable, 1))}</span>'
        f'<span role="cell" class="hp-number{" hp-low" if row.live < 0.05 else ""}">{percent(row.live)}</span>'
        f'<span role="cell">{_cap_field(row)}</span>'
        f'<span role="cell" class="hp-why{quiet}" title="{escape(row.why)}">{escape(row.why)}</span></div>'
    )


def _tier_menu(row: BalanceRow, mix: Mix) -> str:
    options = "".join(
        f"<option{' selected' if tier == row.tier else ''}>{escape(tier)}</option>" for tier in (*mix.shares, LEFT_OUT)
    )
    name = escape(row.dataset)
    return (
        f'<select data-event="tier" data-target="{name}" aria-label="Tier of {name}" '
        f'title="Which tier {name} stands in, or leave it out">{options}</select>'
    )


def _cap_field(row: BalanceRow) -> str:
    name, value = escape(row.dataset), "" if row.cap is None else f"{row.cap:,}"
    return (
        f'<input type="text" inputmode="numeric" data-event="cap" data-target="{name}" value="{value}" '
        f'placeholder="no limit" aria-label="Most frames from {name}" title="Most frames from {name}, as 20000, 20k or '
        '1.5M; empty for no limit">'
    )


def flag_buttons(counts: Mapping[str, int], out: Sequence[str]) -> str:
    """Which flagged sequences the mix leaves out, to be clicked on and off.

    Event: ``flag`` (target: the flag).

    Args:
        counts: Sequences with each flag, in the data.
        out: Flags that keep sequences out.
    """
    flags = [*counts, *(flag for flag in out if flag not in counts)]
    if not flags:
        return ""
    buttons = "".join(
        f'<button class="hp-balance-flag" role="checkbox" aria-checked="{str(flag in out).lower()}" data-event="flag" '
        f'data-target="{escape(flag)}" title="{counts.get(flag, 0):,} sequences; click to leave them out, or '
        f'to let them in again">{escape(flag)} <b>{short_count(counts.get(flag, 0))}</b></button>'
        for flag in flags
    )
    return f'<div class="hp-balance-flags"><span class="hp-muted">leave out sequences flagged</span>{buttons}</div>'


def _count(frames: int) -> str:
    return f'<span role="cell" class="hp-number hp-muted" title="{frames:,} frames">{short_count(frames)}</span>'


def _colour(tier: str) -> str:
    return style.TIER_COLOURS.get(tier, style.TOKENS.muted)
