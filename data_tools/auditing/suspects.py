"""Suspicious hands: the worst of each file for each reason, kept while its frames go by."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float32, Int64

from data_tools.auditing.audit_tables import HANDS_TYPE
from data_tools.auditing.live_frames import EACH_SIDE, LiveFrames
from data_tools.auditing.pose_statistics import Measured
from data_tools.pose_layout import HANDS_DIM
from data_tools.rotations import principal_pose
from data_tools.scanning.dead_hands import SIDES

BEYOND_LIMITS = "fingers beyond their limits"
JITTER = "jitter"
BEYOND_PI = "turned beyond pi"
DEAD = {"zero": "all zero", "mean": "the mean hand", "frozen": "frozen", "copied": "one hand copied onto the other",
        "invalid": "marked invalid by the source"}  # fmt: skip
"""Words for hands that nobody captured."""

_SCHEMA = {"sequence": pl.Int64, "frame": pl.Int64, "reason": pl.String, "side": pl.String, "score": pl.Float64}
PER_REASON = 2
"""Suspicious hands of each reason and side that are kept."""


class Suspects:
    """Keeps the worst hands of a file for each reason while its frames go by."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[tuple[float, int, int, np.ndarray]]] = {}

    def add(self, frames: LiveFrames, measured: Measured) -> None:
        """Look at live frames: the worst of them for each reason and side is kept."""
        scores = {BEYOND_LIMITS: measured.excess @ EACH_SIDE}
        if frames.jitter.any():
            scores[JITTER] = np.sqrt(np.nan_to_num(frames.bent)) * frames.jitter[:, None]
        if frames.beyond_pi.any():
            scores[BEYOND_PI] = measured.beyond_pi @ EACH_SIDE
        for reason, by_frame in scores.items():
            for side, own in zip(SIDES, by_frame.T, strict=True):
                row = int(own.argmax())
                if own[row] > 0:
                    place = int(frames.sequence[row]), int(frames.frame[row])
                    self._keep(reason, side, (float(own[row]), *place, frames.hands[row]))

    def _keep(self, reason: str, side: str, row: tuple[float, int, int, np.ndarray]) -> None:
        kept = self._found.setdefault((reason, side), [])
        same = next((index for index, other in enumerate(kept) if other[1] == row[1]), None)
        if same is not None:
            row = max(kept.pop(same), row, key=lambda entry: (entry[0], -entry[2]))
        kept.append(row)
        kept.sort(key=lambda entry: (-entry[0], entry[2]))
        del kept[PER_REASON:]

    def add_dead(
        self,
        masks: dict[str, Bool[np.ndarray, "frames"]],
        hands: Float32[np.ndarray, "frames 90"],
        sequence: Int64[np.ndarray, "frames"],
        first: int,
        offset: Float[np.ndarray, "90"] | None,
    ) -> None:
        """Look at the dead frames of a window: the first of each kind is kept, brought to the model's convention."""
        for kind, reason in DEAD.items():
            for side in ("both",) if kind == "copied" else SIDES:
                mask = masks[kind if kind == "copied" else f"{kind}_{side}"]
                if (reason, side) in self._found or not mask.any():
                    continue
                at = int(mask.argmax())
                if np.isfinite(hands[at]).all():
                    pose = hands[at] if offset is None else hands[at] + offset.astype(np.float32)
                    self._keep(reason, side, (0.0, int(sequence[at]), at + first, principal_pose(pose[None])[0]))

    def table(self) -> pl.DataFrame:
        """One row per suspicious hand: sequence (its number in the file), frame, reason, side, score, hands."""
        rows = [(*key, *entry) for key, kept in self._found.items() for entry in kept]
        hands = np.array([row[5] for row in rows], np.float32).reshape(len(rows), HANDS_DIM)
        return pl.DataFrame(
            {
                "sequence": [row[3] for row in rows],
                "frame": [row[4] for row in rows],
                "reason": [row[0] for row in rows],
                "side": [row[1] for row in rows],
                "score": [row[2] for row in rows],
            },
            schema=_SCHEMA,
        ).with_columns(hands=pl.Series(hands, dtype=HANDS_TYPE))
