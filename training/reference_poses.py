"""Real poses that priors are scored against, prepared once for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from data_tools.hand_model import HandModel
from training.frame_loading import evenly, prepared_frames
from training.metrics import (
    Look,
    frechet_distance,
    hand_points,
    limit_violations,
    look_at_nothing,
    nearest_turn,
    neighbour_radii,
    overlap,
    pairwise_distance,
)

if TYPE_CHECKING:
    import polars as pl

    from data_tools.store import PoseStore


@dataclass(frozen=True)
class ScoredFrames:
    """How many frames and drawn poses each score is taken of; those of a split are spread evenly over it.

    Attributes:
        split: ``test`` or ``val``.
        at_most: Held-out frames whose likelihood is taken.
        samples: Poses drawn from each prior: as many as FID takes (DPoser-X), and held-out frames of it at most.
        overlap: Drawn poses, and held-out ones, of precision, recall, density, coverage and joint limits.
        nearest: Drawn poses whose nearest training pose is looked for.
        known: Training poses among which it is looked for.
        spread: Poses of the average pairwise distance (DPoser-X).
        reconstructed: Of these, frames that go through the latents and back.
        decoded: Latents that are decoded and go through the latents and back.
        fewest: With fewer poses than this, nothing is said about them.
        shown: Poses of a strip of pictures.
        seed: Of the drawn poses and of the noise of bounds.
    """

    split: str = "test"
    at_most: int = 20_000
    samples: int = 50_000
    overlap: int = 10_000
    nearest: int = 500
    known: int = 20_000
    spread: int = 500
    reconstructed: int = 4_000
    decoded: int = 1_000
    fewest: int = 10
    shown: int = 16
    seed: int = 0


@dataclass(frozen=True, eq=False)
class ReferencePoses:
    """Real poses of a store, and what is computed of them once.

    Attributes:
        store: Where they are from.
        settings: How many.
        model: The hand whose points are measured.
        look: Called between blocks of whatever is computed with them.
    """

    store: PoseStore
    settings: ScoredFrames
    model: HandModel
    look: Look = look_at_nothing

    @classmethod
    def of(
        cls,
        store: PoseStore | str | Path,
        settings: ScoredFrames | None = None,
        model: HandModel | None = None,
        look: Look = look_at_nothing,
    ) -> ReferencePoses:
        """Open a store for scoring.

        Args:
            store: The store, or its folder.
            settings: How many frames and poses; the usual numbers by default.
            model: Default: the user's licensed hand model if there is one, else the open hand.
            look: Called between blocks of whatever is computed with them; what it raises ends that.

        Raises:
            ValueError: The split is train, or not in the store.
        """
        from data_tools.store import PoseStore

        opened = store if isinstance(store, PoseStore) else PoseStore(store)
        settings = settings or ScoredFrames()
        if settings.split == "train":
            raise ValueError("split must be test or val: scores on frames that were trained on say nothing")
        return cls(opened, settings, model or HandModel(), look)

    @cached_property
    def scored(self) -> Float[Tensor, "frames dim"]:
        """Held-out frames whose likelihood is taken."""
        return self._poses(self.settings.split, self.settings.at_most)

    @cached_property
    def scored_rows(self) -> pl.DataFrame:
        """Dataset, sequence, subject and so on of each of :attr:`scored`."""
        rows = self.store.split_rows(self.settings.split)
        return rows[evenly(len(rows), self.settings.at_most)]

    @cached_property
    def held_out(self) -> Float[Tensor, "frames dim"]:
        """Held-out frames whose mean and covariance are taken."""
        return self._poses(self.settings.split, self.settings.samples)

    @cached_property
    def real(self) -> Float[Tensor, "frames moving"]:
        """Moving columns of the held-out frames that drawn poses are to overlap with."""
        return self._poses(self.settings.split, self.settings.overlap)[:, self.moving]

    @cached_property
    def real_radii(self) -> Float64[Tensor, "frames"]:
        """Distance from each of :attr:`real` to its third nearest other one."""
        return neighbour_radii(self.real, look=self.look)

    @cached_property
    def known(self) -> Float[Tensor, "frames dim"]:
        """Training poses among which the nearest one is looked for."""
        return self._poses("train", self.settings.known)

    @cached_property
    def moving(self) -> Int64[Tensor, "moving"]:
        """Columns that move."""
        return torch.from_numpy(np.flatnonzero(self.store.active))

    @cached_property
    def turning_joints(self) -> Int64[Tensor, "joints"]:
        """Joints with a column that moves."""
        return torch.from_numpy(np.flatnonzero(np.asarray(self.store.active).reshape(-1, 3).any(1)))

    def turning(self, poses: Float[Tensor, "n dim"]) -> Float[Tensor, "n turning"]:
        """Columns of the joints that move at all."""
        return poses.unflatten(-1, (-1, 3))[:, self.turning_joints].flatten(1)

    def real_rows(self) -> list[dict[str, float | str | None]]:
        """What real poses score, which is what a prior should come near.

        The training poses are scored as if a prior had drawn them: what a perfect copy of what was learnt from would
        get. The held-out poses are scored as one half of their sequences against the other; their nearest training pose
        is that of held-out poses. Training poses' nearest neighbours of their own sequence do not count.
        """
        return [self._training_row(), self._held_out_row()]

    def _training_row(self) -> dict[str, float | str | None]:
        s, rows = self.settings, self.store.split_rows("train")
        drawn = self._poses("train", s.samples)
        some = self._poses("train", s.overlap)[:, self.moving]
        asked = evenly(len(rows), s.nearest)
        groups = (_codes(rows)[asked], _codes(rows)[evenly(len(rows), s.known)])
        near = self._nearest("train", groups)
        enough = min(len(some), len(self.real)) > s.fewest
        shares = overlap(self.real, some, real_radii=self.real_radii, look=self.look) if enough else None
        return self._row("real: training poses", drawn, self.held_out, near, shares)

    def _held_out_row(self) -> dict[str, float | str | None]:
        s, rows = self.settings, self.store.split_rows(self.settings.split)
        codes = _codes(rows)[evenly(len(rows), s.samples)]
        first, second = _halves(codes)
        near = self._nearest(s.split)
        a, b = self.held_out[first], self.held_out[second]
        parts = [half[evenly(len(half), s.overlap)][:, self.moving] for half in (a, b)]
        shares = overlap(*parts, look=self.look) if min(map(len, parts)) >= s.fewest else None
        return self._row("real: held-out poses", a, b, near, shares, self._poses(s.split, s.spread))

    def _nearest(self, split: str, groups: tuple[Tensor, Tensor] | None = None) -> Tensor:
        asked = self.turning(self._poses(split, self.settings.nearest))
        return nearest_turn(asked, self.turning(self.known), groups=groups, look=self.look)

    def _row(
        self, title: str, some: Tensor, others: Tensor, near: Tensor, shares: object, spread: Tensor | None = None
    ) -> dict[str, float | str | None]:
        s = self.settings
        shown = some[evenly(len(some), s.spread)] if spread is None else spread
        near = near[torch.isfinite(near)]
        enough = min(len(some), len(others)) >= s.fewest
        names = ("precision", "recall", "density", "coverage")
        return {
            "title": title,
            "apd": 100 * pairwise_distance(hand_points(shown, self.model)) if len(shown) > 1 else None,
            "fid": frechet_distance(some[:, self.moving], others[:, self.moving]) if enough else None,
            **{name: getattr(shares, name, None) for name in names},
            "nearest": float(near.mean()) if len(near) else None,
            "limit_share": limit_violations(shown if spread is not None else some[evenly(len(some), s.overlap)]),
        }

    def _poses(self, split: str, at_most: int) -> Float[Tensor, "frames dim"]:
        return prepared_frames(self.store, split, lambda poses: poses, at_most=at_most)


def _codes(rows: pl.DataFrame) -> Int64[Tensor, "rows"]:
    """A number for each row's sequence; a store has the frames of each one after the other."""
    import polars as pl

    runs = rows.select(pl.struct("dataset", "sequence").rle_id()).to_series()
    return torch.from_numpy(runs.to_numpy().astype(np.int64))


def _halves(codes: Int64[Tensor, "n"]) -> tuple[Tensor, Tensor]:
    """Which poses belong to the first half of the sequences, and which to the second; a lone sequence is cut in two."""
    kinds, counts = torch.unique(codes, return_counts=True)
    if len(kinds) < 2:
        middle = len(codes) // 2
        return torch.arange(middle), torch.arange(middle, len(codes))
    order = torch.randperm(len(kinds), generator=torch.Generator().manual_seed(0))
    up_to_half = int((counts[order].cumsum(0) <= len(codes) // 2).sum())
    first = torch.isin(codes, kinds[order[: max(1, min(len(kinds) - 1, up_to_half))]])
    return first.nonzero().flatten(), (~first).nonzero().flatten()
