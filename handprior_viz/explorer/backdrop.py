"""What stands behind a shown pose: the store's own poses, to say where among them it lies (no widgets)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int64

from data_tools.store import PoseStore
from handprior_viz import style
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
    """

    datasets: tuple[tuple[str, str], ...]
    poses: Float[np.ndarray, "frames dim"]
    dataset_of: Int64[np.ndarray, "frames"]

    @classmethod
    def of(cls, store: PoseStore, per_dataset: int = FRAMES_PER_DATASET) -> Backdrop:
        """Sample a store evenly; reads only the rows that it takes."""
        counted = store.rows.group_by("dataset", "tier").len().iter_rows()
        tiers = [*style.TIER_COLOURS]
        sizes = sorted(
            ((str(name), str(tier), count) for name, tier, count in counted),
            key=lambda row: (tiers.index(row[1]) if row[1] in tiers else len(tiers), -row[2], row[0]),
        )
        names = store.rows["dataset"].cast(str).to_numpy()
        order = np.argsort(names, kind="stable")
        bounds = {name: np.searchsorted(names[order], [name, name + "\0"]) for name, _, _ in sizes}
        taken, index = [], []
        for k, (name, _, count) in enumerate(sizes):
            rows = order[slice(*bounds[name])]
            chosen = rows[np.unique(np.linspace(0, count - 1, min(count, per_dataset)).astype(int))]
            taken.append(chosen)
            index.append(np.full(len(chosen), k))
        rows, dataset_of = np.concatenate(taken), np.concatenate(index)
        ascending = np.argsort(rows)  # one way through the file
        poses = np.empty((len(rows), store.dim), np.float32)
        poses[ascending] = store.poses[rows[ascending]]
        return cls(tuple((name, tier) for name, tier, _ in sizes), poses, dataset_of)

    def angles(self, angle: JointAngle) -> AngleSpread:
        """How each dataset is spread over one angle, and over which range to draw it."""
        values = angle.measure(self.poses)
        low, high = np.quantile(values, [0.002, 0.998])
        room = max(0.08 * (high - low), 3.0)
        span = (float(10 * np.floor((low - room) / 10)), float(10 * np.ceil((high + room) / 10)))
        strips = []
        for k, (name, tier) in enumerate(self.datasets):
            colour = style.dataset_colour(name, tier) if tier in style.TIER_COLOURS else style.TOKENS.muted
            strips.append(strip(name, colour, values[self.dataset_of == k], span))
        return AngleSpread(angle, span, tuple(strips))


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


@torch.no_grad()
def held_out_energies(prior: Prior, store: PoseStore, at_most: int = HELD_OUT_POSES) -> Float[np.ndarray, "poses"]:
    """Energies (nats per frame) of poses that the prior was not trained on, as the prior sees them.

    Each pose is encoded and decoded, as is every pose that an explorer shows: a VAE's decoder leaves out what it
    takes for noise, so that whatever it shows is more likely than any raw frame. Where decoding is exact this changes
    nothing.

    Args:
        prior: What scores them.
        store: What they come from: its test split, or val where there is no test.
        at_most: How many poses.
    """
    split = next((name for name in ("test", "val") if name in store.splits and len(store.split(name))), store.splits[0])
    poses = store.split(split)
    rows = np.unique(np.linspace(0, len(poses) - 1, min(len(poses), at_most)).astype(int))
    parts = np.array_split(poses[rows], math.ceil(len(rows) / SCORED_AT_ONCE))
    scored = [prior.energy(prior.decode(prior.encode(torch.from_numpy(part)))) for part in parts]
    energies = torch.cat(scored).double().numpy()
    return energies[np.isfinite(energies)]
