"""One frame of a store, with the words that say where it is from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from data_tools.store import PoseStore
from handprior_viz import style


@dataclass(frozen=True, eq=False)
class RealFrame:
    """A pose that somebody made, not a prior.

    Attributes:
        pose: (dim,) axis-angle, radians, mean hand included.
        dataset: Its dataset.
        sequence: Its sequence there.
        frame: Number in the sequence.
        side: ``left`` or ``right`` where a row of the store is one hand; else empty.
        colour: Of its dataset, #RRGGBB.
    """

    pose: Float[np.ndarray, "dim"]
    dataset: str
    sequence: str
    frame: int
    side: str
    colour: str

    @classmethod
    def of(cls, store: PoseStore, row: int) -> RealFrame:
        """Read a row of a store."""
        about = store.rows.row(row, named=True)
        dataset, colour = str(about["dataset"]), colour_of(str(about["dataset"]), str(about["tier"]))
        pose = np.array(store.poses[row])
        return cls(pose, dataset, str(about["sequence"]), int(about["frame"]), about.get("side") or "", colour)

    @property
    def words(self) -> str:
        """``GRAB, s1/mug_lift, frame 1,234``; ``GRAB #000012, frame 1,234`` where sequences are but numbered."""
        side = f", {self.side} hand" if self.side else ""
        numbered = self.sequence.startswith(f"{self.dataset}#")
        where = self.sequence.replace("#", " #", 1) if numbered else f"{self.dataset}, {self.sequence}"
        return f"{where}, frame {self.frame:,}{side}"


def colour_of(dataset: str, tier: str) -> str:
    """A dataset's colour, #RRGGBB; grey where its tier is not known."""
    return style.dataset_colour(dataset, tier) if tier in style.TIER_COLOURS else style.TOKENS.muted
