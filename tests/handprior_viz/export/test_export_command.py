"""``handprior export``: from poses and from runs, one clear line for what cannot be, JSON as the last line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from handprior_viz.cli import main
from handprior_viz.pose_files import read_poses
from training import load_prior
from training.run_folder import RunFolder


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(["export", *argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys: pytest.CaptureFixture[str], *argv: str) -> dict:
    code, out, err = run(capsys, *argv, "--json")
    assert code == 0, err
    return json.loads(out.splitlines()[-1])


def test_a_run_becomes_a_page_and_a_walk(
    vae_run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    told = run_json(capsys, str(vae_run.path), "--out", str(page))
    assert told == {"out": str(page), "format": "html", "poses": 1, "bytes": page.stat().st_size}
    assert vae_run.name in page.read_text()
    assert "synthetic data" in page.read_text()
    assert "plausibility" in page.read_text()  # the run's store is where it was
    walk = tmp_path / "walk.npz"
    assert run_json(capsys, str(vae_run.path), "--out", str(walk), "--frames", "7", "--seed", "5")["poses"] == 7
    read = read_poses(walk)
    assert read.synthetic
    ends = torch.randn(2, 12, generator=torch.Generator().manual_seed(5))
    np.testing.assert_allclose(read.hands[[0, -1]], load_prior(vae_run).decode(ends).numpy(), atol=1e-5)
    again = tmp_path / "again.npz"
    run_json(capsys, str(vae_run.path), "--out", str(again), "--frames", "7", "--seed", "5")
    assert again.read_bytes() == walk.read_bytes()


def test_poses_become_what_the_ending_says(demo_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = next(demo_data.glob("*.npz"))
    text = tmp_path / "some.json"
    assert run_json(capsys, str(recording), "--out", str(text), "--frames", "5")["poses"] == 5
    assert run_json(capsys, str(text), "--out", str(tmp_path / "mesh.glb"))["format"] == "glb"
    assert run_json(capsys, str(text), "--out", str(tmp_path / "mesh.obj"))["poses"] == 1
    back = tmp_path / "back.npz"
    run_json(capsys, str(text), "--out", str(back))
    np.testing.assert_array_equal(read_poses(back).hands, read_poses(text).hands)


def test_what_cannot_be_is_one_line(
    vae_run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handprior_viz.export.decoders.AT_MOST", 0)
    for argv, words in (
        (["nowhere.npz", "--out", "a.png"], "no such file"),
        ([str(vae_run.path), "--out", "a.stl"], "must be one of .npz"),
        ([str(vae_run.path), "--out", "a.npz", "--frames", "0"], "expected at least one frame"),
        ([str(vae_run.path), "--out", "a.html"], "too large for a page"),
        ([str(tmp_path), "--out", "a.html"], str(tmp_path)),
    ):
        code, out, err = run(capsys, *argv)
        assert (code, out) == (1, "")
        assert err.startswith("handprior export: ")
        assert words in err
        assert len(err.splitlines()) == 1
