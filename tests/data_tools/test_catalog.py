"""Scanning a folder: what is there, what was set aside and why, and a second scan that reads nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_tools import audit, scan
from data_tools.catalog import Catalog
from data_tools.readers.npz_reader import NpzReader
from data_tools.scanning.scan_cache import ScanCache

MovingHands = Callable[[int, int], np.ndarray]
Consolidated = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated) -> Path:
    """Two consolidated files and an AMASS tree with two people."""
    data = tmp_path / "data"
    consolidated(data / "GRAB.npz", moving_hands(300, 0))
    consolidated(data / "dead.npz", np.tile(moving_hands(1, 1), (300, 1)))
    for index, person in enumerate(("3", "7")):
        path = data / "KIT" / person / "walk_poses.npz"
        path.parent.mkdir(parents=True)
        poses = np.hstack([np.zeros((150, 66)), moving_hands(150, 10 + index)])
        np.savez(path, poses=poses, mocap_framerate=60.0, gender=b"male", betas=np.zeros(0))
        np.savez(path.with_name("shape.npz"), betas=np.zeros(16))
        np.savez(path.with_name("walk_stagei.npz"), betas=np.zeros(16))
    return data


def test_one_row_per_sequence(folder: Path) -> None:
    catalog = scan(folder)
    rows = catalog.sequences.select("dataset", "sequence", "path", "format", "subject", "fps", "usable_frames").rows()
    assert rows == [
        ("GRAB", "GRAB#000000", "GRAB.npz", "consolidated", None, None, 300),
        ("KIT", "3/walk_poses", "KIT/3/walk_poses.npz", "amass-smplh", "3", 60.0, 150),
        ("KIT", "7/walk_poses", "KIT/7/walk_poses.npz", "amass-smplh", "7", 60.0, 150),
        ("dead", "dead#000000", "dead.npz", "consolidated", None, None, 0),
    ]
    assert catalog.rejected == ()
    assert catalog.sequences["flags"].to_list() == [
        ["mean hand unknown", "frame rate unknown"],
        [],
        [],
        ["dead hands", "mean hand unknown", "frame rate unknown", "constant left hand", "constant right hand"],
    ]


def test_datasets_and_audit(folder: Path) -> None:
    catalog = scan(folder)
    assert catalog.datasets().select("dataset", "sequences", "frames", "usable_frames").rows() == [
        ("GRAB", 1, 300, 300),
        ("KIT", 2, 300, 300),
        ("dead", 1, 300, 0),
    ]
    assert audit(catalog).datasets["verdict"].to_list() == [
        "both hands alive in every frame; nobody says whether the mean hand is inside: taken as incl",
        "both hands alive in every frame",
        "dead hands: nobody captured them (frozen); nobody says whether the mean hand is inside: taken as incl",
    ]


def test_a_single_file(folder: Path) -> None:
    assert scan(folder / "GRAB.npz").sequences["dataset"].to_list() == ["GRAB"]
    assert scan(folder / "KIT" / "3" / "walk_poses.npz").sequences["dataset"].to_list() == ["3"]


def test_notes_and_arguments(folder: Path) -> None:
    (folder / "handprior.yaml").write_text(
        "synthetic: true\nhand_mean: {default: incl, KIT: rel}\nfps: {default: 30}\n"
    )
    catalog = scan(folder, hand_mean={"GRAB": "rel"}, hands_mean=np.ones(90))
    conventions = dict(catalog.sequences.select("dataset", "hand_mean").iter_rows())
    assert conventions == {"GRAB": "rel", "KIT": "rel", "dead": "incl"}
    assert catalog.sequences["fps"].to_list() == [30, 60, 60, 30]
    assert catalog.synthetic
    assert catalog.hands_mean == (1.0,) * 90


def test_hands_equal_to_the_mean_are_dead(
    tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated
) -> None:
    hands, mean = moving_hands(100, 0), moving_hands(1, 5)[0]
    hands[40:45, :45] = mean[:45]
    consolidated(tmp_path / "data" / "a.npz", hands)
    assert scan(tmp_path / "data").sequences["usable_frames"].to_list() == [100]
    found = scan(tmp_path / "data", hands_mean=mean).sequences
    assert found["mean_left"].to_list() == [5]
    assert found["usable_frames"].to_list() == [95]


def test_written_and_read_back(folder: Path, tmp_path: Path) -> None:
    np.savez(folder / "bad.npz", lhand_pose=np.zeros((3, 48)))
    catalog = scan(folder, hands_mean=np.linspace(0, 1, 90))
    catalog.write(tmp_path / "deep" / "catalog.parquet")
    again = Catalog.read(tmp_path / "deep" / "catalog.parquet")
    assert again.sequences.equals(catalog.sequences)
    for field in ("rejected", "root", "synthetic", "hands_mean", "fingerprint"):
        assert getattr(again, field) == getattr(catalog, field)


def test_reading_what_is_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such catalog; make one with `handprior scan"):
        Catalog.read(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(ValueError, match="not a catalog"):
        Catalog.read(tmp_path / "text.parquet")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="not a catalog"):
        Catalog.read(tmp_path / "other.parquet")


def test_the_fingerprint_is_of_the_content(folder: Path, tmp_path: Path, moving_hands: MovingHands) -> None:
    first = scan(folder, cache=False).fingerprint
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    assert scan(moved, cache=False).fingerprint == first
    hands = moving_hands(300, 0)
    hands[7, 7] += 1e-5
    np.savez(moved / "GRAB.npz", lhand_pose=hands[:, :45], rhand_pose=hands[:, 45:])
    assert scan(moved, cache=False).fingerprint != first


BAD: dict[str, Callable[[Path], object]] = {
    "truncated.npz": lambda path: path.write_bytes((path.parent / "GRAB.npz").read_bytes()[:5000]),
    "text.npz": lambda path: path.write_text("not a zip"),
    "empty.npz": lambda path: path.write_bytes(b""),
    "no_hands.npz": lambda path: np.savez(path, images=np.zeros(3)),
    "wrong_shape.npz": lambda path: np.savez(path, lhand_pose=np.zeros((9, 48)), rhand_pose=np.zeros((9, 45))),
    "lengths.npz": lambda path: np.savez(path, lhand_pose=np.zeros((9, 45)), rhand_pose=np.zeros((8, 45))),
    "objects.npz": lambda path: np.savez(path, lhand_pose=np.array([{}], dtype=object), rhand_pose=np.zeros((1, 45))),
    "dangling.npz": lambda path: path.symlink_to("nowhere.npz"),
    "pipe.npz": os.mkfifo,
    "two\\nlines.npz": lambda path: path.with_name("two\nlines.npz").write_text(""),
}


def test_bad_files_are_named_and_the_rest_goes_on(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = scan(folder, cache=False)
    for name, make in BAD.items():
        make(folder / name)
    (folder / "loop").symlink_to(folder)
    with caplog.at_level(logging.WARNING):
        catalog = scan(folder, cache=False)
    assert catalog.sequences.equals(good.sequences)
    assert {entry.path for entry in catalog.rejected} == {*BAD, "loop"}
    assert all(entry.reason and "\n" not in entry.reason for entry in catalog.rejected)
    reasons = {entry.path: entry.reason for entry in catalog.rejected}
    assert reasons["loop"] == "links back to . above it"
    assert "lhand_pose has shape (9, 48), expected (frames, 45)" in reasons["wrong_shape.npz"]
    assert "damaged or incomplete" in reasons["truncated.npz"]
    assert "never unpickled" in reasons["objects.npz"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folders_and_files(folder: Path) -> None:
    (folder / "KIT" / "3").chmod(0)
    (folder / "dead.npz").chmod(0)
    try:
        rejected = {entry.path: entry.reason for entry in scan(folder, cache=False).rejected}
    finally:
        (folder / "KIT" / "3").chmod(0o755)
        (folder / "dead.npz").chmod(0o644)
    assert rejected == dict.fromkeys(("KIT/3", "dead.npz"), "cannot be opened (Permission denied)")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        scan(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"no .*\.npz .*with motion in this folder or below; expected NAME"):
        scan(tmp_path)
    (tmp_path / "readme.txt").write_text("hello")
    np.savez(tmp_path / "shape.npz", betas=np.zeros(3))
    with pytest.raises(FileNotFoundError, match=r"no .*\.npz .*files"):
        scan(tmp_path)


def test_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("no")
    with pytest.raises(ValueError, match=r"nothing to read but one damaged or unknown file; a\.npz: "):
        scan(tmp_path)


def test_the_format_can_be_named(folder: Path) -> None:
    catalog = scan(folder, format="amass-smplh")
    assert catalog.datasets()["dataset"].to_list() == ["KIT"]
    assert {entry.path for entry in catalog.rejected} == {"GRAB.npz", "dead.npz"}
    with pytest.raises(ValueError, match="unknown format 'x'"):
        scan(folder, format="x")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose frames are read."""
    names: list[str] = []
    chunks = NpzReader.chunks

    def counted(self: NpzReader, path: Path, **options: object) -> object:
        names.append(path.name)
        return chunks(self, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(NpzReader, "chunks", counted)
    return names


def test_a_second_scan_reads_only_what_changed(folder: Path, tmp_path: Path, reads: list[str]) -> None:
    cache = tmp_path / "scans.sqlite"
    first = scan(folder, cache=cache)
    assert len(reads) == 4
    assert scan(folder, cache=cache).sequences.equals(first.sequences)
    assert len(reads) == 4
    os.utime(folder / "GRAB.npz", ns=(1, 1))
    assert scan(folder, cache=cache).fingerprint == first.fingerprint
    assert reads[4:] == ["GRAB.npz"]
    scan(folder, cache=cache, hands_mean=np.zeros(90))
    assert len(reads) == 9


def test_an_interrupted_scan_keeps_what_it_has(folder: Path, tmp_path: Path, reads: list[str]) -> None:
    cache = tmp_path / "scans.sqlite"

    def interrupt(done: int, total: int, what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(folder, cache=cache, progress=interrupt)
    reads.clear()
    assert len(scan(folder, cache=cache).sequences) == 4
    assert len(reads) <= 2


def test_a_damaged_cache_is_replaced(folder: Path, tmp_path: Path, reads: list[str]) -> None:
    cache = tmp_path / "scans.sqlite"
    cache.write_bytes(b"this is no database" * 1000)
    assert len(scan(folder, cache=cache).sequences) == 4
    scan(folder, cache=cache)
    assert len(reads) == 4


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert len(scan(folder, cache=tmp_path / "file" / "scans.sqlite").sequences) == 4


def test_progress_counts_every_file(folder: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    scan(folder, cache=False, progress=lambda *report: seen.append(report))
    assert [done for done, _, _ in seen] == [1, 2, 3, 4]
    assert {total for _, total, _ in seen} == {4}
    assert {what for _, _, what in seen} == {"GRAB.npz", "dead.npz", "KIT/3/walk_poses.npz", "KIT/7/walk_poses.npz"}


def test_a_scan_cache_of_another_layout_is_emptied_and_used(tmp_path: Path) -> None:
    cache = tmp_path / "scans.sqlite"
    with contextlib.closing(sqlite3.connect(cache)) as old, old:
        old.execute("CREATE TABLE tables (key TEXT PRIMARY KEY, content BLOB)")
    table = pl.DataFrame({"frames": [3]})
    with ScanCache(cache) as kept:
        kept.keep("a file", "its stamp", table)
    with ScanCache(cache) as kept:
        assert kept.find("a file", "its stamp").equals(table)
        assert kept.find("a file", "another stamp") is None


def test_only_amass_own_names_are_skipped(
    tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated
) -> None:
    consolidated(tmp_path / "handshape.npz", moving_hands(100, 0))
    np.savez(tmp_path / "shape.npz", betas=np.zeros(16))
    catalog = scan(tmp_path, cache=False)
    assert catalog.sequences["dataset"].to_list() == ["handshape"]
    assert not catalog.rejected
