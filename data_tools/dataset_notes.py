"""What a user knows about data and the files do not say: ``handprior.yaml`` beside them.

synthetic: true                       # shown as "synthetic" wherever the data are
hand_mean: {default: incl, GRAB: rel} # mean-hand convention
fps: {default: 30, SFU: 120}          # frames per second
hands_mean: [90 numbers]              # the model's mean hands, left then right, axis-angle in radians
hand_sides: {DexYCB: right, DexYCB/20200709-subject-01: left}  # which hand a recording shows that does not say
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Float

from data_tools.checked_yaml import read_mapping
from data_tools.pose_layout import HANDS_DIM
from data_tools.sequence import HandMean

FILE_NAME = "handprior.yaml"
_KEYS = ("synthetic", "hand_mean", "fps", "hands_mean", "hand_sides")
_SIDES = ("left", "right")


@dataclass(frozen=True)
class DatasetNotes:
    """A user's notes about the datasets of one data folder.

    Attributes:
        synthetic: Whether the data are made up; every artefact made from them says so.
        hand_mean: Convention by dataset. A named dataset overrides what its files say; ``default`` is for files
            that do not say.
        fps: Frame rate by dataset, likewise.
        hands_mean: The model's mean hands (90), needed for ``rel`` data and to recognise uncaptured hands.
        hand_sides: Which hands, in the order of the file, recordings show that do not say; by dataset or by any folder
            below it.
    """

    synthetic: bool = False
    hand_mean: Mapping[str, HandMean] = field(default_factory=dict)
    fps: Mapping[str, float] = field(default_factory=dict)
    hands_mean: tuple[float, ...] | None = None
    hand_sides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> DatasetNotes:
        """Read ``handprior.yaml`` of a data folder; without one, nothing is known.

        Raises:
            ValueError: An unknown key (the nearest right one is named) or a value of the wrong kind.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            return cls()
        content = read_mapping(path, _KEYS)
        synthetic = content.get("synthetic", False)
        if not isinstance(synthetic, bool):
            raise ValueError(f"{path}: synthetic must be true or false, got {synthetic!r}")
        return cls(
            synthetic=synthetic,
            hand_mean=_conventions(content.get("hand_mean") or {}, f"{path}: hand_mean"),
            fps=_rates(content.get("fps") or {}, f"{path}: fps"),
            hands_mean=mean_hands(content.get("hands_mean"), f"{path}: hands_mean"),
            hand_sides=_sides(content.get("hand_sides") or {}, f"{path}: hand_sides"),
        )

    def with_conventions(self, hand_mean: Mapping[str, str]) -> DatasetNotes:
        """Return the notes with these conventions, by dataset, in place of those noted."""
        merged = {**self.hand_mean, **_conventions(hand_mean, "hand_mean")}
        return replace(self, hand_mean=merged)

    def convention(self, dataset: str, stated: HandMean) -> HandMean:
        """Mean-hand convention of a dataset whose files state ``stated``."""
        if dataset in self.hand_mean:
            return self.hand_mean[dataset]
        return self.hand_mean.get("default", stated) if stated == "unknown" else stated

    def rate(self, dataset: str, stated: float | None) -> float | None:
        """Frame rate of a dataset whose files state ``stated``."""
        if dataset in self.fps:
            return self.fps[dataset]
        return self.fps.get("default") if stated is None else stated

    def sides(self, recording: str) -> tuple[str, ...] | None:
        """Which hands a recording shows, from the note on its folder or on the nearest one above it, or ``default``.

        Args:
            recording: Its place below the data folder, ``DexYCB/20200709-subject-01/20200709_141754``.
        """
        parts = recording.split("/")
        names = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
        return next((self.hand_sides[name] for name in (*names, "default") if name in self.hand_sides), None)


def notes_above(path: Path) -> Path | None:
    """Find the ``handprior.yaml`` of the data folder that a recording lies in: the nearest at or above it."""
    return next((file for folder in (path, *path.parents) if (file := folder / FILE_NAME).is_file()), None)


def mean_hands(values: Any, where: str) -> tuple[float, ...] | None:
    """Check that ``values`` are the 90 numbers of two mean hands; None stays None.

    Raises:
        ValueError: Not 90 finite numbers.
    """
    if values is None:
        return None
    try:
        numbers: Float[np.ndarray, "90"] = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (HANDS_DIM,) or not np.isfinite(numbers).all():
        raise ValueError(f"{where} must be {HANDS_DIM} finite numbers (left hand, then right), got {_short(values)}")
    return tuple(float(number) for number in numbers)


def _conventions(values: Any, where: str) -> dict[str, HandMean]:
    for dataset, convention in _mapping(values, where).items():
        if convention not in get_args(HandMean):
            raise ValueError(f"{where}: {dataset} must be one of {', '.join(get_args(HandMean))}, got {convention!r}")
    return dict(values)


def _rates(values: Any, where: str) -> dict[str, float]:
    rates = {}
    for dataset, rate in _mapping(values, where).items():
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"{where}: {dataset} must be a positive number, got {rate!r}")
        rates[dataset] = float(rate)
    return rates


def _sides(values: Any, where: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for dataset, sides in _mapping(values, where).items():
        listed = [sides] if isinstance(sides, str) else sides
        if not isinstance(listed, list) or sorted(map(str, listed)) not in (["left"], ["right"], list(_SIDES)):
            raise ValueError(f"{where}: {dataset} must be left, right or a list of both, got {_short(sides)}")
        found[dataset] = tuple(listed)
    return found


def _mapping(values: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{where} must map dataset names (or `default`) to values, got {_short(values)}")
    return values


def _short(values: Any) -> str:
    text = repr(values)
    return text if len(text) <= 60 else f"{text[:57]}..."
