"""The road on real recordings, which cannot be shipped: point HANDPRIOR_REAL_DATA at a folder that holds them.

Two public samples are looked for there, under the names below. Both are non-commercial research data; get them from
the repositories named.

    amass_moving_hands.npz   github.com/nghorbani/amass, support_data/github_data/amass_sample.npz
    amass_dead_hands.npz     github.com/nghorbani/human_body_prior, support_data/dowloads/amass_sample.npz
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

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
