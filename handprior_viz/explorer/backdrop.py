"""What stands behind a shown pose: the store's own poses, to say where among them it lies (no widgets)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int64

from data_tools.store import PoseStore
from handprior_viz import style
from handprior_viz.explorer.real_frame import colour_of
from handprior_viz.figures import Strip, strip
from handprior_viz.joint_angles import JointAngle
from training.prior import Prior

FRAMES_PER_DATASET = 1500
"""Poses taken of each dataset, evenly: enough for a density, few enough for any store."""

HELD_OUT_POSES = 1000
SCORED_AT_ONCE = 128
"""Held-out poses scored in one go: short turns leave the processor to whoever drags a slider."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A sample of a store, dataset by dataset.

    Attributes:
        datasets: Names and tiers in the order in which they are always shown: by tier, then by size in the store.
        poses: (frames, dim) sampled poses, radians.
        dataset_of: (frames,) index into ``datasets``.
        rows: (frames,) rows of the store that they are.
    """

    datasets: tuple[tuple[str, str], ...]
    poses: Float[np.ndarray, "frames dim"]
    dataset_of: Int64[np.ndarray, "frames"]
    rows: Int64[np.ndarray, "frames"]

    @classmethod
    def of(cls, store: PoseStore, per_dataset: int = FRAMES_PER_DATASET, split: str | None = None) -> Backdrop:
        """Sample a store, or one split of it, evenly; reads only the rows that it takes."""
        about = store.rows if split is None else store.split_rows(split)
        first = 0 if split is None else store.about["splits"][split][0]
        counted = about.group_by("dataset", "tier").len().iter_rows()
        tiers = [*style.TIER_COLOURS]
        sizes = sorted(
            ((str(name), str(tier), count) for name, tier, count in counted),
            key=lambda row: (tiers.index(row[1]) if row[1] in tiers else len(tiers), -row[2], row[0]),
        )
        grouped = about.select("dataset", pl.int_range(pl.len()).alias("row")).group_by("dataset").agg("row")
        rows_of = dict(zip(grouped["dataset"].cast(str), grouped["row"], strict=True))
        taken, index = [], []
        for k, (name, _, count) in enumerate(sizes):
            own = rows_of[name].to_numpy()
            chosen = own[np.unique(np.linspace(0, count - 1, min(count, per_dataset)).astype(int))]
            taken.append(chosen)
            index.append(np.full(len(chosen), k))
        rows, dataset_of = first + np.concatenate(taken), np.concatenate(index)
        ascending = np.argsort(rows)  # one way through the file
        poses = np.empty((len(rows), store.dim), np.float32)
        poses[ascending] = store.poses[rows[ascending]]
        return cls(tuple((name, tier) for name, tier, _ in sizes), poses, dataset_of, rows)

    @cached_property
    def colours(self) -> tuple[str, ...]:
        """Colour of each dataset, #RRGGBB."""
        return tuple(colour_of(name, tier) for name, tier in self.datasets)

    def angles(self, angle: JointAngle) -> AngleSpread:
        """How each dataset is spread over one angle, and over which range to draw it."""
        values = angle.measure(self.poses)
        low, high = np.quantile(values, [0.002, 0.998])
        room = max(0.08 * (high - low), 3.0)
        span = (float(10 * np.floor((low - room) / 10)), float(10 * np.ceil((high + room) / 10)))
        return AngleSpread(angle, span, self.strips(values, span))

    def strips(self, values: Float[np.ndarray, "frames"], span: tuple[float, float]) -> tuple[Strip, ...]:
        """How each dataset is spread over something that was measured in each pose; not a number is left out."""
        found = []
        for k, (name, _) in enumerate(self.datasets):
            own = values[(self.dataset_of == k) & np.isfinite(values)]
            if len(own):
                found.append(strip(name, self.colours[k], own, span))
        return tuple(found)


@dataclass(frozen=True, eq=False)
class AngleSpread:
    """One joint angle over all datasets.

    Attributes:
        angle: Which.
        span: Ends of the plot, degrees.
        strips: One per dataset.
    """

    angle: JointAngle
    span: tuple[float, float]
    strips: tuple[Strip, ...]

    @cached_property
    def _middle(self) -> Float[np.ndarray, "datasets 2"]:
        return np.array([(one.spread[0], one.spread[2]) for one in self.strips])

    def usual_in(self, degrees: float) -> int:
        """In how many datasets the angle lies among the middle nine tenths of the frames."""
        return int(((self._middle[:, 0] <= degrees) & (degrees <= self._middle[:, 1])).sum())

    def verdict(self, degrees: float) -> str:
        """Say in words where an angle is usual."""
        usual, among = self.usual_in(degrees), len(self.strips)
        if among == 1:
            return f"{'usual' if usual else 'unusual'} in {self.strips[0].dataset}"
        return f"usual in {usual} of {among} datasets"


def held_out_split(store: PoseStore) -> str:
    """The split that a prior was not trained on: test, or val where there is no test; else the first."""
    return next((name for name in ("test", "val") if name in store.splits and len(store.split(name))), store.splits[0])


def held_out_energies(
    prior: Prior, store: PoseStore, at_most: int = HELD_OUT_POSES, *, exact: bool = False
) -> Float[np.ndarray, "poses"]:
    """Energies (nats per frame) of poses that the prior was not trained on, as the prior sees them.

    Args:
        prior: What scores them.
        store: What they come from: :func:`held_out_split`.
        at_most: How many poses.
        exact: Score the poses as they are, and not as the prior sees them.
    """
    poses = store.split(held_out_split(store))
    rows = np.unique(np.linspace(0, len(poses) - 1, min(len(poses), at_most)).astype(int))
    energies = energies_of(prior, poses[rows], exact=exact)
    return energies[np.isfinite(energies)]


def energy_span(energies: Float[np.ndarray, "poses"]) -> tuple[float, float]:
    """Ends of a plot of energies, nats: from the lowest to where 99 in a hundred lie, and some room."""
    known = energies[np.isfinite(energies)]
    low, high = np.quantile(known, [0.0, 0.99]) if len(known) else (0.0, 1.0)
    room = float(high - low) or 1.0
    return float(low) - 0.05 * room, float(high) + 0.15 * room


@torch.no_grad()
def energies_of(
    prior: Prior,
    poses: Float[np.ndarray, "poses dim"],
    go_on: Callable[[], bool] = lambda: True,
    *,
    exact: bool = False,
) -> Float[np.ndarray, "poses"]:
    """Energies (nats per frame) of poses as the prior sees them.

    Each pose is encoded and decoded, as is every pose that a latent slider shows: a VAE's decoder leaves out what it
    takes for noise, so that whatever it shows is more likely than any raw frame. Where decoding is exact this changes
    nothing.

    Args:
        prior: What scores them.
        poses: Radians, mean hand included.
        go_on: Asked between turns of a few dozen milliseconds; the rest is not a number once it says no.
        exact: Score the poses as they are.
    """
    energies = np.full(len(poses), np.nan)
    for start in range(0, len(poses), SCORED_AT_ONCE):
        if not go_on():
            break
        part = torch.from_numpy(np.array(poses[start : start + SCORED_AT_ONCE], np.float32))
        seen = part if exact else prior.decode(prior.encode(part))
        energies[start : start + SCORED_AT_ONCE] = prior.energy(seen).double().numpy()
    return energies
