"""The road on real recordings, which cannot be shipped: point HANDPRIOR_REAL_DATA at a folder that holds them.

Public samples are looked for there, under the names below. All are non-commercial research data; get them from the
repositories named.

    amass_moving_hands.npz   github.com/nghorbani/amass, support_data/github_data/amass_sample.npz
    amass_dead_hands.npz     github.com/nghorbani/human_body_prior, support_data/dowloads/amass_sample.npz
    arctic/s*/*.mano.npy     github.com/zdchan/artigrasp, rsc/mano_double
    SignAvatarsWord/*.pkl    github.com/Chida-Singh69/SMPLX, word-level-dataset-cpu-fixed
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from data_tools import scan
from data_tools.readers import reader_for
from handprior_viz.cli import main

REAL_DATA = os.environ.get("HANDPRIOR_REAL_DATA")

pytestmark = pytest.mark.skipif(not REAL_DATA, reason="HANDPRIOR_REAL_DATA is not set: no real recordings to try")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as AMASS is, made of the two samples."""
    folder = tmp_path_factory.mktemp("real")
    for dataset, name in (("Moving", "amass_moving_hands.npz"), ("Dead", "amass_dead_hands.npz")):
        sample = Path(str(REAL_DATA)) / name
        if not sample.exists():
            pytest.skip(f"{sample} is not there; see the top of this file")
        (folder / dataset / "person").mkdir(parents=True)
        shutil.copy(sample, folder / dataset / "person" / "take_poses.npz")
    return folder


def run_json(capsys: pytest.CaptureFixture[str], *argv: str) -> dict:
    assert main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_moving_hands_are_used_and_dead_ones_reported(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {row["name"]: row for row in run_json(capsys, "scan", str(recordings))["datasets"]}
    assert found["Moving"]["usable_frames"] > 0.9 * found["Moving"]["frames"]
    assert found["Dead"]["usable_frames"] == 0
    assert any("dead" in flag for flag in found["Dead"]["flags"])


def test_values_reach_the_store_unchanged(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_tools import PoseStore

    monkeypatch.chdir(tmp_path)
    run_json(capsys, "balance", str(recordings), "--out", "splits", "--total", "300")
    run_json(capsys, "pack", "splits", "--data", str(recordings), "--out", "store")
    store = PoseStore("store")
    with np.load(recordings / "Moving/person/take_poses.npz") as sample:
        raw = sample["poses"][:, 66:156]
    frames = store.rows["frame"].to_numpy()
    assert set(store.rows["dataset"]) == {"Moving"}
    assert np.linalg.norm(raw.reshape(-1, 3), axis=1).max() < np.pi
    np.testing.assert_allclose(store.poses, raw[frames], atol=1e-6)


def test_a_prior_of_real_hands_is_drawn(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_json(capsys, "balance", str(recordings), "--out", "splits", "--total", "300")
    run_json(capsys, "pack", "splits", "--data", str(recordings), "--out", "store")
    run = run_json(capsys, "train", "gaussian", "--store", "store")["run"]
    assert run_json(capsys, "sample", run, "-n", "4", "--out", "poses.npz")["poses"] == 4
    run_json(capsys, "render", "poses.npz", "--out", "samples.png")
    run_json(capsys, "render", str(recordings / "Moving/person/take_poses.npz"), "--out", "recording.png")
    assert all((tmp_path / name).stat().st_size > 5_000 for name in ("samples.png", "recording.png"))


def folder_of(name: str, pattern: str) -> list[Path]:
    files = sorted((Path(str(REAL_DATA)) / name).glob(pattern))
    if not files:
        pytest.skip(f"{Path(str(REAL_DATA)) / name} holds no {pattern}; see the top of this file")
    return files


def test_arctic_is_read_as_its_document_says() -> None:
    """Relative to the mean, 30 frames/s, and in most files angles beyond pi, as published figures have it."""
    files = [file for file in folder_of("arctic", "s*/*.mano.npy") if "recon" not in file.parent.name]
    turned, people = 0, set()
    for file in files:
        reader = reader_for(file)
        sequence = reader.read(file, root=file.parents[2])
        assert (reader.format, sequence.hand_mean, sequence.fps) == ("arctic-mano", "rel", 30)
        assert np.isfinite(sequence.poses).all()
        turned += bool((np.linalg.norm(sequence.poses[:, 75:].reshape(-1, 3), axis=1) > np.pi).any())
        people.add(sequence.subject)
    assert turned / len(files) == pytest.approx(257 / 301, abs=0.1)
    assert len(people) > 1


def test_sign_language_clips_say_what_was_not_seen() -> None:
    """Masks and gaps: 78 % of left hands were seen, and 155 of 1000 clips lack frames."""
    files = folder_of("SignAvatarsWord", "*.pkl")
    frames = seen = gaps = 0
    for file in files:
        reader = reader_for(file)
        sequence = reader.read(file)
        assert (reader.format, sequence.hand_mean) == ("signavatars", "rel")
        assert sequence.left_valid is not None
        assert sequence.clock is not None
        frames += len(sequence)
        seen += int(sequence.left_valid.sum())
        gaps += bool((np.diff(sequence.clock) != 1).any())
    assert seen / frames == pytest.approx(0.78, abs=0.05)
    assert gaps / len(files) == pytest.approx(0.155, abs=0.05)


def test_the_mean_hand_is_learnt_from_real_dead_hands(recordings: Path, tmp_path: Path) -> None:
    """Dead hands of AMASS hold the mean of MANO (0.5723 rad per joint), without which ARCTIC is not to be mixed."""
    arctic = folder_of("arctic", "s*/*.mano.npy")[:5]
    data = Path(shutil.copytree(recordings, tmp_path / "data"))
    for file in arctic:
        (data / "arctic" / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, data / "arctic" / file.parent.name)
    catalog = scan(data, cache=False)
    assert catalog.hands_mean is not None
    angles = np.linalg.norm(np.reshape(catalog.hands_mean, (30, 3)), axis=1)
    assert angles.mean() == pytest.approx(0.5723, abs=1e-4)
    assert "Dead" in str(catalog.hands_mean_source)
