"""The catalog: what a data folder holds, one row per sequence, with the frames whose hands can be trusted."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from data_tools.scanning.data_folder import Rejected
from data_tools.scanning.learnt_mean import unknown_mean
from data_tools.scanning.scan_cache import KeptResults

Progress = Callable[[int, int, str], None]
"""Called with what is done, what there is to do, and what was just done."""

_METADATA_KEY = "handprior_catalog"


@dataclass(frozen=True, eq=False)
class Catalog:
    """What a scan found.

    Attributes:
        source: The table of sequences, or what makes it: a scan of an unchanged folder decodes it on first use.
        sequences: One row per sequence, ordered by dataset, path and start: dataset, sequence, path (below the
            root), format, start and stop (frames of the file), frames, fps, subject, hand_mean, has_body,
            usable_frames, live_left, live_right, usable_spans (flat list of starts and stops, frames of the file,
            in which both hands can be used), flags, content_hash, and a count of frames per fault.
        rejected: Files that were set aside, and why.
        root: The data folder, or the URL that was given.
        synthetic: Whether the data are made up.
        hands_mean: The mean hands that the scan worked with (90), if any.
        fingerprint: Hash of what was found; independent of where the folder lies and of the order of reading.
        hand_components: Hash of the principal components that hands were decoded with; None where none were.
        hands_mean_source: Where the mean hands come from: ``handprior.yaml``, ``model file``, ``learnt from 12
            uncaptured hands in CMU, KIT``; None where they are not known.
        kept: Where results are kept between scans of the same, unchanged data; None where nothing is kept.
    """

    source: pl.DataFrame | Callable[[], pl.DataFrame]
    rejected: tuple[Rejected, ...]
    root: str
    synthetic: bool = False
    hands_mean: tuple[float, ...] | None = None
    fingerprint: str = ""
    hand_components: str | None = None
    hands_mean_source: str | None = None
    kept: KeptResults | None = None
    _remembered: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", fingerprint(self.sequences, self.synthetic, self.hands_mean))

    @cached_property
    def sequences(self) -> pl.DataFrame:
        return self.source() if callable(self.source) else self.source

    def datasets(self) -> pl.DataFrame:
        """Return one row per dataset: sequences, frames, usable_frames, live_left, live_right, flags."""
        return (
            self.sequences.group_by("dataset", maintain_order=True)
            .agg(
                sequences=pl.len().cast(pl.Int64),
                frames=pl.col("frames").sum(),
                usable_frames=pl.col("usable_frames").sum(),
                live_left=pl.col("live_left").sum(),
                live_right=pl.col("live_right").sum(),
                flags=pl.col("flags").explode().drop_nulls().unique().sort(),
            )
            .sort("dataset")
        )

    def mean_hand_problem(self) -> str | None:
        """Say why these data cannot be mixed as they are: hands relative to a mean hand that nobody knows.

        Returns:
            One line with what to do, or None where all hands can be brought to one convention.
        """
        return None if self.hands_mean is not None else unknown_mean(self.sequences)

    def remember(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was computed from this catalog before under ``key``, or compute it now."""
        if key not in self._remembered:
            self._remembered[key] = make()
        return self._remembered[key]

    def write(self, path: Path | str) -> None:
        """Write the catalog as one Parquet file."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        about = {
            "root": self.root,
            "synthetic": self.synthetic,
            "hands_mean": self.hands_mean,
            "fingerprint": self.fingerprint,
            "hand_components": self.hand_components,
            "hands_mean_source": self.hands_mean_source,
            "rejected": [[entry.path, entry.reason] for entry in self.rejected],
        }
        try:
            self.sequences.write_parquet(beside, metadata={_METADATA_KEY: json.dumps(about)})
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path | str) -> Catalog:
        """Read a catalog that :meth:`write` wrote.

        Raises:
            FileNotFoundError: No such file.
            ValueError: Not a catalog.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such catalog; make one with `handprior scan DATA --out {path}`")
        try:
            about = json.loads(pl.read_parquet_metadata(path)[_METADATA_KEY])
            sequences = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, KeyError, OSError, ValueError) as error:
            raise ValueError(f"{path}: not a catalog; make one with `handprior scan DATA --out {path}`") from error
        hands_mean = about["hands_mean"]
        return cls(
            sequences,
            rejected=tuple(Rejected(*entry) for entry in about["rejected"]),
            root=about["root"],
            synthetic=about["synthetic"],
            hands_mean=None if hands_mean is None else tuple(hands_mean),
            fingerprint=about["fingerprint"],
            hand_components=about.get("hand_components"),
            hands_mean_source=about.get("hands_mean_source"),
        )


def fingerprint(sequences: pl.DataFrame, synthetic: bool, hands_mean: tuple[float, ...] | None) -> str:
    """Hash of a table of sequences, of whether they are made up, and of the mean hands that they were judged with."""
    digest = hashlib.blake2b(repr((synthetic, hands_mean)).encode(), digest_size=16)
    for name in ("dataset", "sequence", "path", "content_hash", "hand_mean", "subject"):
        digest.update(sequences[name].fill_null("\1").str.join("\0").item().encode())
    for name in ("start", "stop", "usable_frames"):
        digest.update(sequences[name].to_numpy().astype("<i8").tobytes())
    digest.update(sequences["usable_spans"].explode().drop_nulls().to_numpy().astype("<i8").tobytes())
    return digest.hexdigest()
