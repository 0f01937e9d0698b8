"""The audit: what can be trusted in each dataset, in numbers, in words and in hands to look at.

>>> from data_tools import audit, scan
>>> found = audit(scan("data"))  # doctest: +SKIP
>>> found.datasets.select("dataset", "usable", "energy", "out_of_limit", "coverage_gain")  # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from data_tools.auditing.audit_pass import VERSION, AuditPass
from data_tools.auditing.audit_tables import AngleHistograms, DatasetDistances
from data_tools.auditing.comparison import compare
from data_tools.auditing.convention_evidence import convention_table
from data_tools.auditing.dataset_measures import dataset_measures, joint_table
from data_tools.auditing.dataset_table import dataset_table, with_findings
from data_tools.auditing.definitions import DEFINITIONS
from data_tools.auditing.duplicates import find_duplicates
from data_tools.auditing.gathering import Gathered
from data_tools.auditing.hand_examples import example_table
from data_tools.auditing.point_file import PointFile
from data_tools.auditing.sequence_sums import SUMS, measures
from data_tools.catalog import Catalog, Progress
from data_tools.remote import root_folder
from data_tools.scanning.data_folder import Rejected
from data_tools.scanning.dead_hands import SIDES
from data_tools.scanning.scan_cache import ScanCache, default_cache
from data_tools.whole_folder import holds, whole_folder

__all__ = ["ABOUT_FILE", "Audit", "audit", "is_audit"]

ABOUT_FILE = "audit.json"
_HASHED_ROWS = 4_096
_TABLES = ("datasets", "sequences", "joints", "histograms", "distances", "joint_distances", "duplicates",
           "conventions", "examples")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Audit:
    """What the audit found. Angles are radians; hands are in the model's convention (mean included, principal).

    Shares and measures are null where there is nothing to measure: no live frame, or hands relative to a mean hand that
    is not known.

    Attributes:
        datasets: One row per dataset: :func:`.dataset_table`, :func:`.dataset_measures` and :func:`.with_findings`.
        sequences: One row per sequence: the catalog's columns and the sequence's measures.
        joints: One row per dataset, side and joint (:data:`.JOINT_COLUMNS`).
        histograms: How often each joint takes which angle, by dataset.
        distances: How far datasets lie apart.
        duplicates: One row per pair of sequences that show the same recording (:data:`.DUPLICATE_COLUMNS`).
        conventions: One row per dataset: which mean-hand convention is stated, and which the data indicate
            (:data:`.CONVENTION_COLUMNS`).
        examples: Typical and suspicious hands, to be drawn (:data:`.EXAMPLE_COLUMNS`).
        rejected: Files that could not be scanned, or not be read again, and why.
        root: The data folder.
        synthetic: Whether the data are made up.
        hands_mean: The mean hands that were used (90), if known.
        hands_mean_source: Where they came from, in words.
        definitions: What each measured number means, by column name.
        fingerprint: Hash of the catalog and of everything that was found.
    """

    datasets: pl.DataFrame
    sequences: pl.DataFrame
    joints: pl.DataFrame
    histograms: AngleHistograms
    distances: DatasetDistances
    duplicates: pl.DataFrame
    conventions: pl.DataFrame
    examples: pl.DataFrame
    rejected: tuple[Rejected, ...] = ()
    root: str = ""
    synthetic: bool = False
    hands_mean: tuple[float, ...] | None = None
    hands_mean_source: str | None = None
    definitions: dict[str, str] = field(default_factory=lambda: dict(DEFINITIONS))
    fingerprint: str = ""

    def tables(self) -> dict[str, pl.DataFrame]:
        """Everything that was found as tables, by the name of the file each goes to."""
        return {
            "datasets": self.datasets,
            "sequences": self.sequences,
            "joints": self.joints,
            "histograms": self.histograms.table(),
            "distances": self.distances.table(),
            "joint_distances": self.distances.joint_table(),
            "duplicates": self.duplicates,
            "conventions": self.conventions,
            "examples": self.examples,
        }

    def summary(self) -> dict[str, Any]:
        """The short form, for JSON: datasets, conventions, duplicates, rejected files and what the numbers mean."""
        return {
            "root": self.root,
            "synthetic": self.synthetic,
            "fingerprint": self.fingerprint,
            "hands_mean": self.hands_mean,
            "hands_mean_source": self.hands_mean_source,
            "explained": self.distances.explained.tolist(),
            "datasets": self.datasets.to_dicts(),
            "conventions": self.conventions.to_dicts(),
            "duplicates": self.duplicates.to_dicts(),
            "rejected": [{"path": entry.path, "reason": entry.reason} for entry in self.rejected],
            "definitions": self.definitions,
        }

    def write(self, folder: Path | str) -> None:
        """Write every table as Parquet and the summary as ``audit.json`` into a folder of their own.

        Raises:
            FileExistsError: ``folder`` holds something else than an audit.
        """
        with whole_folder(Path(folder), ABOUT_FILE) as beside:
            for name, table in self.tables().items():
                table.write_parquet(beside / f"{name}.parquet")
            text = json.dumps(self.summary(), indent=1, ensure_ascii=False, allow_nan=False)
            (beside / ABOUT_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path | str) -> Audit:
        """Read the audit that :meth:`write` wrote.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is damaged.
        """
        folder = Path(folder)
        if not is_audit(folder):
            raise FileNotFoundError(
                f"{folder}: no {ABOUT_FILE} in it; make one with `handprior audit DATA --out audit.html`"
            )
        try:
            return cls._of_folder(folder)
        except (pl.exceptions.PolarsError, KeyError, TypeError, IndexError, OSError, ValueError) as error:
            text = " ".join(str(error).split())[:120]
            raise ValueError(f"{folder}: a damaged audit ({text}); make it again with `handprior audit`") from error

    @classmethod
    def _of_folder(cls, folder: Path) -> Audit:
        about: dict[str, Any] = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
        tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in _TABLES}
        pairs = tables.pop("distances"), tables.pop("joint_distances")
        histograms = AngleHistograms.of_table(tables.pop("histograms"), tuple(tables["datasets"]["dataset"]))
        mean = about.get("hands_mean")  # which earlier versions did not write, nor what each component explains
        return cls(
            **tables,
            histograms=histograms,
            distances=DatasetDistances.of_tables(*pairs, histograms, np.array(about.get("explained", []))),
            rejected=tuple(Rejected(entry["path"], entry["reason"]) for entry in about["rejected"]),
            root=about["root"],
            synthetic=about["synthetic"],
            hands_mean=None if mean is None else tuple(mean),
            hands_mean_source=about["hands_mean_source"],
            definitions=about["definitions"],
            fingerprint=about["fingerprint"],
        )


def is_audit(folder: Path | str) -> bool:
    """Tell whether an audit was written here."""
    return holds(folder, ABOUT_FILE)


def audit(
    catalog: Catalog,
    *,
    data: Path | str | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    cache: Path | str | Literal[False] | None = None,
) -> Audit:
    """Read every file of a catalog once more, measure the hands in it, and compare the datasets.

    Memory does not grow with the number of frames. What was measured in unchanged files is not measured again.

    Args:
        catalog: From :func:`data_tools.scan`.
        data: The data folder, if it has moved since it was scanned.
        progress: Called after each file.
        seed: Where the search for pose cells begins.
        cache: File that keeps results between audits; the scan's default place if None, nowhere if False.

    Raises:
        ValueError: No file could be read.
    """
    folder = root_folder(catalog.root if data is None else data, progress)
    sequences = catalog.sequences.sort("dataset", "path", "start")
    with PointFile() as points:
        gathered = Gathered(sequences, points)
        with ScanCache(None if cache is False else Path(cache or default_cache())) as kept:
            reading = AuditPass(catalog, sequences, folder, kept, progress)
            for table, result in reading.run():
                gathered.add(table, result)
        if len(reading.rejected) == sequences.select("dataset", "path").n_unique():
            first = reading.rejected[0]
            raise ValueError(f"{folder}: none of the catalog's files can be read; {first.path}: {first.reason}")
        return _audit(catalog, gathered, (*catalog.rejected, *reading.rejected), seed)


def _audit(catalog: Catalog, gathered: Gathered, rejected: tuple[Rejected, ...], seed: int) -> Audit:
    sums = gathered.sums()
    mean = None if catalog.hands_mean is None else np.array(catalog.hands_mean)
    statistics = {name: part.statistics for name, part in gathered.datasets.items()}
    copies = sums.with_columns(is_live=pl.col("live_left") + pl.col("live_right") > 0)
    # Neither needs the others; more threads for each matrix product would be in each other's way.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor() as pool:
        comparing = pool.submit(compare, gathered, np.random.default_rng(seed))
        drawn = pool.submit(example_table, gathered)
        duplicates = find_duplicates(copies, gathered.points)
        compared, examples = comparing.result(), drawn.result()
    evidence = {name: part.evidence for name, part in gathered.datasets.items()}
    conventions = convention_table(catalog.sequences, evidence, mean)
    datasets = dataset_table(catalog.sequences).join(dataset_measures(sums), on="dataset", how="left")
    internal = [f"{name}_{side}" for name in SUMS for side in SIDES]
    found = Audit(
        datasets=with_findings(datasets, compared.table, duplicates, conventions).sort("dataset"),
        sequences=measures(sums).drop("row", "hash", "mirror_hash", *internal),
        joints=joint_table(statistics),
        histograms=compared.histograms,
        distances=compared.distances,
        duplicates=duplicates,
        conventions=conventions,
        examples=examples,
        rejected=tuple(sorted(rejected, key=lambda entry: entry.path)),
        root=catalog.root,
        synthetic=catalog.synthetic,
        hands_mean=catalog.hands_mean,
        hands_mean_source=catalog.hands_mean_source,
    )
    object.__setattr__(found, "fingerprint", _fingerprint(found, catalog.fingerprint, seed))
    return found


def _fingerprint(found: Audit, catalog: str, seed: int) -> str:
    digest = hashlib.blake2b(repr((VERSION, catalog, seed, found.rejected)).encode(), digest_size=16)
    for table in found.tables().values():
        for part in table.iter_slices(_HASHED_ROWS):
            content = io.BytesIO()
            # The newer layout of texts holds them in whatever order the scan's threads came to them.
            part.write_ipc(content, compat_level=pl.CompatLevel.oldest())
            digest.update(content.getbuffer())
    return digest.hexdigest()
