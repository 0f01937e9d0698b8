"""What the audit says about each dataset, in the words, units and order in which the page shows it (pure functions)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data_tools.dataset_audit import Audit
from data_tools.mix import Mix
from handprior_viz import style

LEFT_OUT = "left out"
"""What datasets are shown under that the mix takes nothing from."""


@dataclass(frozen=True)
class DatasetRow:
    """One dataset. Shares are 0 to 1; None where nothing could be measured.

    Attributes:
        anchor: Where it stands on the page.
        name: As the user knows it.
        tier: As the mix calls it, or :data:`LEFT_OUT`.
        colour: Its own shade of the tier's hue, #RRGGBB.
        tier_colour: #RRGGBB.
        frames: On disk.
        usable_frames: With two live, whole hands.
        live: Share of frames in which the left, and the right hand is live.
        energy: How fast finger joints turn, degrees per :attr:`energy_unit`.
        energy_unit: ``s``, or ``frame`` where the frame rate is not known.
        jitter: Share of frames.
        out_of_limit: Share of live joints that turn further than healthy joints do.
        out_of_range: Share of live joints beyond the anatomical range.
        beyond_pi: Share of live joints.
        noise: Share of its motion that is noise.
        nan: Share of frames.
        fps: In words; empty where no file says it.
        stated: Mean-hand convention that is assumed: ``incl``, ``rel`` or ``unknown``.
        indicated: What the data indicate: ``incl``, ``rel`` or ``unclear``.
        agrees: None where one of the two is not known.
        evidence: In words.
        verdict: In words.
        sequences: How many.
        flags: What was found in any of them.
        reaches: Share of all kinds of poses that it shows.
        only_here: Share of all kinds of poses that it alone shows.
        novel: Share of its frames that no other dataset comes near.
        apart: How far it lies from all others together, 0 to 1.
        doubled: Frames that stand in another sequence too.
    """

    anchor: str
    name: str
    tier: str
    colour: str
    tier_colour: str
    frames: int
    usable_frames: int
    live: tuple[float | None, float | None]
    energy: float | None
    energy_unit: str
    jitter: float | None
    out_of_limit: float | None
    out_of_range: float | None
    beyond_pi: float | None
    noise: float | None
    nan: float | None
    fps: str
    stated: str
    indicated: str
    agrees: bool | None
    evidence: str
    verdict: str
    sequences: int
    flags: tuple[str, ...]
    reaches: float | None
    only_here: float | None
    novel: float | None
    apart: float | None
    doubled: int | None

    @property
    def usable(self) -> float:
        """Share of its frames."""
        return self.usable_frames / max(self.frames, 1)


def dataset_rows(audit: Audit, mix: Mix | None = None) -> list[DatasetRow]:
    """All datasets in the order in which they are always shown: by tier, then by size.

    Args:
        audit: From :func:`data_tools.audit`.
        mix: Sorts datasets into tiers; default: the project's own. What it leaves out stands last.
    """
    mix = Mix.default() if mix is None else mix
    conventions = {row["dataset"]: row for row in audit.conventions.iter_rows(named=True)}
    places = {tier: place for place, tier in enumerate(mix.shares)}
    tiers = {name: mix.tier_of(name) or mix.unknown_tier for name in audit.datasets["dataset"]}
    found = sorted(
        audit.datasets.iter_rows(named=True),
        key=lambda row: (places.get(tiers[row["dataset"]], len(places)), -row["frames"], row["dataset"]),
    )
    return [
        _row(f"d{k}", row, tier := tiers[row["dataset"]], places.get(tier), conventions.get(row["dataset"], {}))
        for k, row in enumerate(found, start=1)
    ]


def _row(
    anchor: str, row: Mapping[str, Any], tier: str, place: int | None, convention: Mapping[str, Any]
) -> DatasetRow:
    known = list(style.TIER_COLOURS)
    # Tiers of other names have the colours of ours, in their order.
    hue = tier if tier in known else known[-1 if place is None else min(place, len(known) - 1)]
    return DatasetRow(
        anchor=anchor,
        name=row["dataset"],
        tier=LEFT_OUT if place is None else tier,
        colour=style.dataset_colour(row["dataset"], hue),
        tier_colour=style.TOKENS.muted if place is None else style.TIER_COLOURS[hue],
        frames=row["frames"],
        usable_frames=row["usable_frames"],
        live=(number(row, "alive_left"), number(row, "alive_right")),
        energy=degrees(row, "energy"),
        energy_unit=energy_unit(row),
        jitter=share(row, "jitter"),
        out_of_limit=joint_share(row, "out_of_limit"),
        out_of_range=joint_share(row, "out_of_range"),
        beyond_pi=joint_share(row, "beyond_pi"),
        noise=number(row, "noise"),
        nan=share(row, "nan"),
        fps=_fps(row.get("fps")),
        stated=convention.get("stated") or row.get("hand_mean") or "unknown",
        indicated=convention.get("indicated") or "unclear",
        agrees=convention.get("agrees"),
        evidence=convention.get("evidence") or "",
        verdict=row.get("verdict") or "",
        sequences=row["sequences"],
        flags=tuple(row.get("flags") or ()),
        reaches=number(row, "cells"),
        only_here=number(row, "coverage_gain"),
        novel=number(row, "novelty"),
        apart=number(row, "distance_to_rest"),
        doubled=row.get("duplicate_frames"),
    )


def share(row: Mapping[str, Any], fault: str) -> float | None:
    """Share of a row's frames that have a fault: as the audit gives it, else from the scan's count."""
    given = number(row, f"{fault}_share")
    count = number(row, fault)
    if given is not None or count is None:
        return given
    return count / max(row["frames"], 1)


def joint_share(row: Mapping[str, Any], fault: str) -> float | None:
    """Share of a row's live joints that have a fault."""
    given = number(row, f"{fault}_share")
    return number(row, fault) if given is None and fault != "beyond_pi" else given


def degrees(row: Mapping[str, Any], column: str) -> float | None:
    """An angle or a speed of a row, given in radians, in degrees."""
    value = number(row, column)
    return None if value is None else math.degrees(value)


def energy_unit(row: Mapping[str, Any]) -> str:
    """What a row's energy is per: ``s``, or ``frame`` where the frame rate is not known."""
    return "frame" if "frame" in str(row.get("energy_unit") or "") else "s"


def speed_words(speed: float, per: str) -> str:
    """How fast joints turn: ``42°/s``, ``3.9°/frame``."""
    return f"{speed:.{0 if speed >= 9.95 else 1}f}\N{DEGREE SIGN}/{per}"


def number(row: Mapping[str, Any], column: str) -> float | None:
    """A number of a row; None where there is none or it is not finite."""
    value = row.get(column)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _fps(text: str | None) -> str:
    """Frame rates as people write them, ``30`` or ``30, 120``."""
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    return ", ".join(f"{float(part):g}" for part in parts)
