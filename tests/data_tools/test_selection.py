"""A selection on disk: what existing loaders read, what we read back, the same bytes every time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_tools import balance, plan
from data_tools.catalog import Catalog
from data_tools.mix import Mix
from data_tools.selection import Selection

MakeCatalog = Callable[..., Catalog]
MIX = replace(Mix.default(), total=1000, shortfall="redistribute")


@pytest.fixture
def catalog(make_catalog: MakeCatalog) -> Catalog:
    return make_catalog(
        {"GRAB": [100] * 30, "speech": [90] * 40, "CMU": [200] * 20, "KIT": [50] * 30, "mine": [70] * 9}, dead=("CMU",)
    )


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_samples_are_in_the_shape_that_loaders_read(catalog: Catalog, tmp_path: Path) -> None:
    """As HandPriorDataset of keniel123/smplx-pose-priors reads them: {dataset: [frame, ...]} per split."""
    selection = balance(catalog, MIX, tmp_path / "splits")
    total = 0
    for split in ("train", "val", "test"):
        samples = json.loads((tmp_path / "splits" / f"{split}_samples.json").read_text())
        frames = selection.frames.filter(split=split)
        assert {name: sorted(chosen) for name, chosen in samples.items()} == {
            name: frames.filter(dataset=name)["frame"].sort().to_list() for name in frames["dataset"].unique()
        }
        total += sum(map(len, samples.values()))
    assert total == 1000


def test_metadata_is_in_the_shape_that_loaders_read(catalog: Catalog, tmp_path: Path) -> None:
    balance(catalog, MIX, tmp_path / "splits")
    metadata = json.loads((tmp_path / "splits" / "dataset_metadata.json").read_text())
    info = metadata["dataset_creation_info"]
    assert info["total_samples"] == 1000
    assert info["splits"] == {"train": 800, "val": 100, "test": 100}
    assert info["priority_targets"] == {"high": 600, "medium": 250, "low": 150}
    assert metadata["sampling_info"]["high"] == {
        "rate": 0.2,
        "datasets": {"GRAB": 3000},
        "total_available": 3000,
        "target_samples": 600,
    }
    assert metadata["datasets"]["CMU"]["given"] == 0
    assert metadata["datasets"]["CMU"]["why"].startswith("short: dead hands")
    assert metadata["datasets"]["GRAB"]["split_rule"].startswith("whole sequences")
    assert metadata["datasets"]["GRAB"]["sequence_rule"].startswith("a new sequence starts where")
    assert metadata["datasets"]["mine"]["tier"] == "low"


def test_the_same_bytes_every_time(catalog: Catalog, tmp_path: Path) -> None:
    balance(catalog, MIX, tmp_path / "a")
    balance(catalog, MIX, tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    balance(catalog, replace(MIX, seed=43), tmp_path / "b")
    assert hashes(tmp_path / "a")["selection.parquet"] != hashes(tmp_path / "b")["selection.parquet"]


def test_another_seed_moves_no_sequence(catalog: Catalog) -> None:
    splits = [
        dict(balance(catalog, replace(MIX, seed=seed)).frames.select("sequence", "split").unique().iter_rows())
        for seed in (1, 2)
    ]
    assert all(splits[1].get(sequence, split) == split for sequence, split in splits[0].items())


def test_read_back(catalog: Catalog, tmp_path: Path) -> None:
    written = balance(catalog, MIX, tmp_path / "splits")
    again = Selection.read(tmp_path / "splits")
    assert again.frames.equals(written.frames)
    assert again.about == json.loads(json.dumps(written.about))
    assert again.hash == written.hash
    assert again.about["catalog_fingerprint"] == catalog.fingerprint
    assert Mix.read(tmp_path / "splits" / "mix.yaml") == MIX
    assert Catalog.read(tmp_path / "splits" / "catalog.parquet").fingerprint == catalog.fingerprint
    assert json.loads((tmp_path / "splits" / "plan.json").read_text()) == plan(catalog, MIX).to_dict()


def test_the_hash_is_of_data_mix_and_seed(catalog: Catalog, make_catalog: MakeCatalog) -> None:
    first = balance(catalog, MIX).hash
    assert balance(catalog, MIX).hash == first
    assert balance(catalog, replace(MIX, seed=43)).hash != first
    assert balance(make_catalog({"GRAB": [101] * 30}), MIX).hash != first


def test_a_dry_run_writes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    assert len(balance(catalog, MIX, tmp_path / "splits", dry_run=True)) == 1000
    assert list(tmp_path.iterdir()) == []


def test_what_lies_there_is_replaced_only_if_it_is_a_selection(catalog: Catalog, tmp_path: Path) -> None:
    out = tmp_path / "splits"
    out.mkdir()
    balance(catalog, MIX, out)
    (out / "old.txt").write_text("")
    balance(catalog, MIX, out)
    assert not (out / "old.txt").exists()
    theirs = tmp_path / "thesis"
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"exists and holds no selection\.parquet"):
        balance(catalog, MIX, theirs)
    assert (theirs / "thesis.tex").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["splits", "thesis"]


def test_a_full_disk_leaves_nothing_behind(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    balance(catalog, MIX, tmp_path / "splits")
    before = hashes(tmp_path / "splits")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match=r"splits: not written, nothing was changed \(No space left on device\)"):
        balance(catalog, replace(MIX, seed=1), tmp_path / "splits")
    assert hashes(tmp_path / "splits") == before
    assert [path.name for path in tmp_path.iterdir()] == ["splits"]


def test_files_of_a_folder_dataset_go_by_their_path(catalog: Catalog, tmp_path: Path) -> None:
    paths = pl.when(dataset="GRAB").then(pl.format("GRAB/{}.npz", "sequence")).otherwise("path")
    folders = Catalog(catalog.sequences.with_columns(path=paths), (), "data")
    balance(folders, MIX, tmp_path / "splits")
    samples = json.loads((tmp_path / "splits" / "val_samples.json").read_text())
    assert "speech" in samples
    assert "GRAB" not in samples
    assert any(name.startswith("GRAB/GRAB#") for name in samples)


@pytest.mark.parametrize("path", ["../outside.npz", "/etc/passwd", "a/../../b.npz"])
def test_a_path_outside_the_data_folder_is_refused(catalog: Catalog, tmp_path: Path, path: str) -> None:
    selection = balance(catalog, MIX, tmp_path / "splits")
    file = tmp_path / "splits" / "selection.parquet"
    selection.frames.with_columns(path=pl.lit(path)).write_parquet(file, metadata=pl.read_parquet_metadata(file))
    with pytest.raises(ValueError, match="lies outside the data folder"):
        Selection.read(tmp_path / "splits")


def test_reading_what_is_no_selection(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make a selection with `handprior balance"):
        Selection.read(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros(3))
    (tmp_path / "x.npy").rename(tmp_path / "selection.parquet")
    with pytest.raises(ValueError, match="not a selection"):
        Selection.read(tmp_path)


def test_a_mix_that_takes_nothing_is_refused(make_catalog: MakeCatalog) -> None:
    mix = replace(MIX, shares={"high": 0, "medium": 1, "low": 0})
    with pytest.raises(ValueError, match="the mix takes no frames: medium: asked 1,000, got 0: no dataset of"):
        balance(make_catalog({"GRAB": [100] * 30}), mix)


def test_hands_with_and_without_an_unknown_mean_are_not_written_together(catalog: Catalog, tmp_path: Path) -> None:
    mean = pl.when(dataset="GRAB").then(pl.lit("rel")).otherwise(pl.lit("incl"))
    mixed = Catalog(catalog.sequences.with_columns(hand_mean=mean), (), "data")
    with pytest.raises(ValueError, match="GRAB: hands are stored relative to a mean hand that is not known; "):
        balance(mixed, MIX, tmp_path / "splits")
    assert list(tmp_path.iterdir()) == []
    known = Catalog(mixed.sequences, (), "data", hands_mean=(0.0,) * 90)
    assert len(balance(known, MIX, tmp_path / "splits")) == 1000


def test_flags_that_exclude_are_heeded_by_the_draw(catalog: Catalog) -> None:
    flags = pl.Series(
        [["jitter"] if row % 2 else [] for row in range(len(catalog.sequences))], dtype=pl.List(pl.String)
    )
    flagged = Catalog(catalog.sequences.with_columns(flags=flags), (), "data")
    drawn = balance(flagged, replace(MIX, exclude_flags=("jitter",))).frames
    clean = flagged.sequences.filter(pl.col("flags").list.len() == 0)["sequence"]
    assert drawn["sequence"].cast(pl.String).is_in(clean.implode()).all()
    assert len(drawn) == 1000
