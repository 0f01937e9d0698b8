"""The audit of whole folders: planted faults are found, closed forms hold, a second audit reads nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data_tools import audit, scan
from data_tools.auditing import audit_pass, turning_points
from data_tools.auditing.audit_tables import AngleHistograms, DatasetDistances
from data_tools.dataset_audit import Audit, is_audit
from data_tools.pose_layout import mirror_hands

MovingHands = Callable[[int, int], np.ndarray]
Consolidated = Callable[..., Path]


def amass(path: Path, hands: np.ndarray, fps: float = 30.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, poses=np.hstack([np.zeros((len(hands), 66)), hands]), mocap_framerate=fps)


def measured(folder: Path, **options: object) -> Audit:
    return audit(scan(folder, cache=False, **options), cache=False)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def demo_audit(demo_data: Path) -> Audit:
    return audit(scan(demo_data))


def test_live_hands_are_those_of_the_scan(demo_audit: Audit) -> None:
    live = demo_audit.joints.group_by("dataset", "side").agg(pl.col("frames").first())
    for dataset, side, frames in live.iter_rows():
        row = demo_audit.datasets.row(by_predicate=pl.col("dataset") == dataset, named=True)
        assert frames == row[f"live_{side}"]
    counts = demo_audit.histograms.counts.sum(axis=3)
    assert (counts == counts[:, :, :1]).all()
    assert counts[:, 0, 0].tolist() == demo_audit.datasets["live_left"].to_list()


def test_planted_faults_of_the_corpus(demo_audit: Audit) -> None:
    row = {name: demo_audit.datasets.row(by_predicate=pl.col("dataset") == name, named=True) for name in
           ("arctic", "olympic", "livevlog", "GRAB", "CNRS")}  # fmt: skip
    assert 0.01 < row["arctic"]["beyond_pi_share"] < 0.2
    assert row["GRAB"]["beyond_pi_share"] == 0
    assert row["olympic"]["noise"] > 2 * row["GRAB"]["noise"]
    assert row["olympic"]["jitter_share"] > 0
    assert row["livevlog"]["nan_share"] > 0
    assert row["CNRS"]["energy"] is None
    assert row["GRAB"]["out_of_range"] == 0  # made inside the anatomical ranges
    assert not demo_audit.conventions["agrees"].fill_null(True).not_().any()
    assert demo_audit.duplicates.is_empty()


def test_examples_can_be_drawn(demo_audit: Audit) -> None:
    examples = demo_audit.examples
    hands = examples["hands"].to_numpy()
    assert np.isfinite(hands).all()
    assert np.linalg.norm(hands.reshape(-1, 3), axis=1).max() <= np.pi + 1e-5
    live = demo_audit.datasets.filter(pl.col("usable_frames") > 3)["dataset"].to_list()
    assert examples.filter(pl.col("kind") == "typical")["dataset"].unique().sort().to_list() == live
    assert {"jitter", "turned beyond pi", "the mean hand"} <= set(examples["reason"])


def test_energy_and_noise_in_closed_form(tmp_path: Path) -> None:
    time = np.arange(400) / 60
    steady = np.zeros((400, 90))
    steady[:, 0::3] = 0.5 * time[:, None]  # every joint turns at 0.5 rad/s about one axis
    steady[:, 45::3] -= 0.3
    amass(tmp_path / "data" / "steady" / "a_poses.npz", steady[:300], fps=60.0)
    noise = 0.01 * np.random.default_rng(0).standard_normal((2000, 90))
    amass(tmp_path / "data" / "white" / "a_poses.npz", noise, fps=60.0)
    found = {row["dataset"]: row for row in measured(tmp_path / "data").datasets.to_dicts()}
    assert found["steady"]["energy"] == pytest.approx(0.5, rel=1e-3)
    assert found["steady"]["energy_unit"] == "rad/s"
    assert found["steady"]["noise"] == pytest.approx(0, abs=1e-4)
    assert found["white"]["noise"] == pytest.approx(1, abs=0.03)
    assert found["white"]["energy"] == pytest.approx(60 * 0.01 * np.sqrt(2 * 3), rel=0.02)


def test_without_a_frame_rate_energy_is_by_frame(
    tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated
) -> None:
    consolidated(tmp_path / "data" / "a.npz", moving_hands(200, 0))
    amass(tmp_path / "data" / "b" / "a_poses.npz", moving_hands(200, 0), fps=30.0)
    by_frame, by_second = measured(tmp_path / "data").datasets.sort("dataset").to_dicts()
    assert (by_frame["energy_unit"], by_second["energy_unit"]) == ("rad/frame", "rad/s")
    assert 30 * by_frame["energy"] == pytest.approx(by_second["energy"], rel=1e-5)


@pytest.fixture
def copies(tmp_path: Path, moving_hands: MovingHands) -> Path:
    """Twelve recordings, and copies of eight of them in another dataset."""
    rng = np.random.default_rng(3)
    hands = [moving_hands(600, seed).astype(np.float64) for seed in range(12)]
    for index, recording in enumerate(hands):
        amass(tmp_path / "data" / "CMU" / f"{index}_poses.npz", recording, fps=120.0)
    plants = {
        "0_exact": hands[0],
        "1_mirrored": mirror_hands(hands[1]),
        "2_quarter": hands[2][::4],
        "3_trimmed": hands[3][150:450],
        "4_noise": hands[4] + rng.normal(0, 0.01, hands[4].shape),
        "5_float16": hands[5].astype(np.float16),
        "6_mean": hands[6] + np.tile([0.1, -0.05, 0.3], 30),
        "7_all": mirror_hands(hands[7][100:500] + rng.normal(0, 0.005, (400, 90)))[::2],
    }
    for name, recording in plants.items():
        amass(tmp_path / "data" / "Bedlam" / f"{name}_poses.npz", recording)
    return tmp_path / "data"


def test_copies_are_found_and_nothing_else(copies: Path) -> None:
    found = measured(copies)
    pairs = found.duplicates.select("sequence_a", "sequence_b", "kind").rows()
    assert {a.split("_")[0] for a, _, _ in pairs} == set("01234567")
    assert all(a[0] == b.split("_")[0] for a, b, _ in pairs)
    kinds = {a[2:].removesuffix("_poses"): kind for a, _, kind in pairs}
    assert (kinds["exact"], kinds["mirrored"], kinds["all"], kinds["noise"]) == (
        "exact", "mirrored", "mirrored", "near")  # fmt: skip
    rates = {a[0]: rate for a, rate in found.duplicates.select("sequence_a", "rate").iter_rows()}
    assert rates["2"] == pytest.approx(4, rel=0.02)
    verdict = dict(found.datasets.select("dataset", "verdict").iter_rows())
    assert "8 sequences stand in CMU too" in verdict["Bedlam"]
    novelty = dict(found.datasets.select("dataset", "novelty").iter_rows())
    assert novelty["Bedlam"] < novelty["CMU"]


def test_short_copies_are_found_in_a_corpus_of_any_size(
    tmp_path: Path, moving_hands: MovingHands, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    for seed in range(12):
        hands = moving_hands(300, seed)[::5]  # two seconds of quick motion
        amass(tmp_path / "data" / "CMU" / f"{seed}_poses.npz", hands)
        if seed < 6:
            amass(tmp_path / "data" / "Bedlam" / f"{seed}_poses.npz", hands + rng.normal(0, 0.01, hands.shape))
    small = measured(tmp_path / "data").duplicates.select("sequence_a", "sequence_b").rows()
    monkeypatch.setattr(turning_points, "MOST_POINTS", 1)
    large = measured(tmp_path / "data").duplicates.select("sequence_a", "sequence_b").rows()
    assert large == small
    assert len(large) >= 5
    assert all(a == b for a, b in large)


def test_a_second_audit_reads_nothing(copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, cache = scan(copies, cache=False), tmp_path / "cache.sqlite"
    calls: list[tuple[int, int, str]] = []
    first = audit(catalog, cache=cache, progress=lambda *call: calls.append(call))
    assert calls[-1][:2] == (20, 20)

    def refuse(*_: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr(audit_pass, "audit_file", refuse)
    again = audit(catalog, cache=cache)
    assert again.fingerprint == first.fingerprint
    for name, table in again.tables().items():
        assert table.equals(first.tables()[name]), name


def test_the_fingerprint_does_not_depend_on_the_order_of_reading(tmp_path: Path, moving_hands: MovingHands) -> None:
    for name in ("one_long_name", "another_long_name", "the_last_long_name"):
        amass(tmp_path / "data" / "CMU" / f"{name}_poses.npz", moving_hands(60, 0))
    catalog = scan(tmp_path / "data", cache=False)
    files = [pl.DataFrame([row], catalog.sequences.schema, orient="row") for row in catalog.sequences.rows()]
    shuffled = replace(catalog, source=pl.concat(files[::-1]).sort("dataset", "path", "start"))
    assert shuffled.sequences.equals(catalog.sequences)
    assert audit(shuffled, cache=False).fingerprint == audit(catalog, cache=False).fingerprint


def test_an_interrupted_audit_keeps_what_it_did(copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, cache = scan(copies, cache=False), tmp_path / "cache.sqlite"

    def stop(done: int, *_: object) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit(catalog, cache=cache, progress=stop)
    read, whole = [], audit_pass.audit_file
    monkeypatch.setattr(audit_pass, "audit_file", lambda file, stop: (read.append(file.path), whole(file, stop))[1])
    audit(catalog, cache=cache)
    assert len(read) <= 15


def test_files_that_changed_or_vanished_are_set_aside(copies: Path, moving_hands: MovingHands) -> None:
    catalog = scan(copies, cache=False)
    amass(copies / "CMU" / "0_poses.npz", moving_hands(50, 9))
    (copies / "CMU" / "1_poses.npz").unlink()
    found = audit(catalog, cache=False)
    reasons = {entry.path: entry.reason for entry in found.rejected}
    assert "600 frames it had when it was scanned" in reasons["CMU/0_poses.npz"]
    assert "scan again" in reasons["CMU/1_poses.npz"]
    assert len(found.sequences) == 20
    assert found.sequences.filter(pl.col("path") == "CMU/1_poses.npz")["energy"].to_list() == [None]


def test_a_wrong_convention_is_contradicted(tmp_path: Path) -> None:
    from data_tools.open_hand import hands_mean

    mean = hands_mean().astype(np.float64)
    sway = 0.05 * np.sin(np.arange(200)[:, None] / 5 + np.arange(90))
    amass(tmp_path / "data" / "inside" / "live_poses.npz", 1.1 * mean + sway)
    amass(tmp_path / "data" / "inside" / "dead_poses.npz", np.tile(mean, (200, 1)))
    amass(tmp_path / "data" / "relative" / "live_poses.npz", -0.3 * mean + sway)
    wrong = measured(tmp_path / "data", hands_mean=mean, hand_mean={"inside": "rel"})
    rows = {row["dataset"]: row for row in wrong.conventions.to_dicts()}
    assert rows["inside"]["agrees"] is False
    assert "adding the mean would add it twice" in rows["inside"]["evidence"]
    assert (rows["relative"]["indicated"], rows["relative"]["agrees"]) == ("rel", False)
    verdicts = dict(wrong.datasets.select("dataset", "verdict").iter_rows())
    assert "said to be incl, but its hands look rel" in verdicts["relative"]
    right = measured(tmp_path / "data", hands_mean=mean, hand_mean={"relative": "rel"})
    assert right.conventions["agrees"].to_list() == [True, True]


def test_relative_hands_without_a_mean_are_not_measured_as_poses(tmp_path: Path, moving_hands: MovingHands) -> None:
    amass(tmp_path / "data" / "a" / "a_poses.npz", moving_hands(200, 0))
    amass(tmp_path / "data" / "b" / "a_poses.npz", moving_hands(200, 1))
    found = measured(tmp_path / "data", hand_mean={"b": "rel"})
    row = found.datasets.row(by_predicate=pl.col("dataset") == "b", named=True)
    assert row["energy"] > 0
    assert row["out_of_limit"] is None
    assert row["coverage_gain"] is None
    assert not found.histograms.counts[1].any()


def test_written_tables_and_summary(demo_audit: Audit, tmp_path: Path) -> None:
    demo_audit.write(tmp_path / "audit")
    summary = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert summary["fingerprint"] == demo_audit.fingerprint
    assert len(summary["datasets"]) == 53
    for name, table in demo_audit.tables().items():
        assert pl.read_parquet(tmp_path / "audit" / f"{name}.parquet").equals(table)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(FileExistsError, match=r"holds no audit\.json"):
        demo_audit.write(tmp_path / "other")


def test_a_written_audit_comes_back_equal(demo_audit: Audit, tmp_path: Path) -> None:
    assert not is_audit(tmp_path / "audit")
    demo_audit.write(tmp_path / "audit")
    assert is_audit(tmp_path / "audit")
    found = Audit.read(tmp_path / "audit")
    for field in fields(Audit):  # every one: what is forgotten in writing is missed here
        assert_equal(getattr(found, field.name), getattr(demo_audit, field.name))
    assert demo_audit.hands_mean is not None


def test_distances_of_a_dataset_with_one_live_hand_come_back(
    tmp_path: Path, moving_hands: MovingHands, consolidated: Consolidated
) -> None:
    for name, hand in (("both", 0), ("left", 45), ("none", 90)):
        hands = moving_hands(100, hand)
        hands[:, 90 - hand :] = 0
        consolidated(tmp_path / "data" / f"{name}.npz", hands)
    written = measured(tmp_path / "data")
    known = np.isfinite(written.distances.per_joint[np.arange(3), np.arange(3)]).sum(axis=1)
    assert known.tolist() == [30, 15, 0]
    written.write(tmp_path / "audit")
    assert_equal(Audit.read(tmp_path / "audit").distances, written.distances)


def assert_equal(found: object, expected: object) -> None:
    assert type(found) is type(expected)
    if isinstance(expected, pl.DataFrame):
        assert_frame_equal(found, expected, check_exact=True)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, AngleHistograms | DatasetDistances):
        for field in fields(expected):
            assert_equal(getattr(found, field.name), getattr(expected, field.name))
    else:
        assert found == expected


def test_an_audit_of_an_earlier_version_comes_back_without_its_mean(demo_audit: Audit, tmp_path: Path) -> None:
    demo_audit.write(tmp_path / "audit")
    about = json.loads((tmp_path / "audit" / "audit.json").read_text())
    earlier = {name: value for name, value in about.items() if name not in ("hands_mean", "explained")}
    (tmp_path / "audit" / "audit.json").write_text(json.dumps(earlier))
    found = Audit.read(tmp_path / "audit")
    assert found.hands_mean is None
    assert len(found.distances.explained) == 0
    assert_equal(found.duplicates, demo_audit.duplicates)


def test_a_folder_without_an_audit_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make one with `handprior audit DATA"):
        Audit.read(tmp_path)


@pytest.mark.parametrize("name", ["joints.parquet", "audit.json"])
def test_a_damaged_audit_is_named(demo_audit: Audit, tmp_path: Path, name: str) -> None:
    demo_audit.write(tmp_path / "audit")
    (tmp_path / "audit" / name).write_bytes(b"half")
    with pytest.raises(ValueError, match="audit: a damaged audit"):
        Audit.read(tmp_path / "audit")
