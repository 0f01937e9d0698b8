"""The command as its users run it: the road in one go, one clear line for bad input, JSON as the last line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from data_tools.pose_layout import mirror_hand
from data_tools.store import PoseStore
from handprior_viz.cli import build_parser, main
from training import load_prior
from training.metrics import frechet_distance
from training.run_folder import RunFolder


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(list(argv))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys: pytest.CaptureFixture[str], *argv: str) -> dict:
    code, out, err = run(capsys, *argv, "--json")
    assert code == 0, err
    return json.loads(out.splitlines()[-1])


@pytest.fixture
def data(demo_data: Path, tmp_path: Path) -> Path:
    """A copy of the small corpus that a test may damage."""
    return Path(shutil.copytree(demo_data, tmp_path / "data"))


def test_of_thousands_of_damaged_files_some_are_named_and_the_others_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handprior_viz.commands.terminal.MOST_NAMED", 2)
    np.savez(tmp_path / "whole.npz", poses=np.zeros((30, 165)), mocap_frame_rate=30.0)
    for number in range(5):
        (tmp_path / f"broken{number}.npz").write_text("not an archive")
    code, out, err = run(capsys, "scan", str(tmp_path), "--json")
    lines = [line.split(":")[1].strip() for line in err.splitlines() if line.startswith("set aside")]
    assert code == 0
    assert lines == ["broken0.npz", "broken1.npz", "3 more files; `handprior scan DATA --json` lists them all"]
    assert len(json.loads(out.splitlines()[-1])["rejected"]) == 5


def test_the_whole_road(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scanned = run_json(capsys, "scan", "data", "--out", "catalog.parquet")
    assert {"name", "tier", "sequences", "frames", "usable_frames", "flags"} <= set(scanned["datasets"][0])
    assert len(scanned["datasets"]) == 53
    assert scanned["rejected"] == []

    selected = run_json(capsys, "balance", "catalog.parquet", "--out", "splits", "--total", "400", "--seed", "3")
    assert selected["total"] == 400
    assert selected["tiers"] == {"high": 240, "medium": 100, "low": 60}
    assert selected["splits"] == {"train": 320, "val": 40, "test": 40}

    packed = run_json(capsys, "pack", "splits", "--data", "data", "--out", "store")
    assert (packed["rows"], packed["dim"]) == (400, 90)
    assert 0 < packed["active_dims"] <= 90
    assert packed["bytes"] == 400 * 90 * 4

    trained = run_json(capsys, "train", "gaussian", "--store", "store", "--set", "seed=1")
    assert np.isfinite(trained["metrics"]["val/nll"])
    assert Path(trained["run"]).parent == tmp_path / "runs"

    scores = run_json(capsys, "evaluate", trained["run"], "--store", "store", "--out", "table.html")
    assert np.isfinite(scores["runs"][0]["nll"])
    assert {"run", "prior", "bpd", "fid", "nearest"} <= set(scores["runs"][0])
    assert [row["title"] for row in scores["real"]] == ["real: training poses", "real: held-out poses"]
    assert all(Path(f"table.{kind}").stat().st_size > 1000 for kind in ("html", "csv", "tex"))
    assert run_json(capsys, "runs")["runs"][0]["state"] == "finished"
    assert run_json(capsys, "stop", trained["run"])["asked"] is False

    assert run_json(capsys, "sample", trained["run"], "-n", "3", "--out", "poses.npz")["poses"] == 3
    with np.load("poses.npz") as poses:
        assert poses["left_hand_pose"].shape == poses["right_hand_pose"].shape == (3, 45)
    drawn = run_json(capsys, "render", "poses.npz", "--out", "pictures/poses.png")
    assert Path("pictures/poses.png").stat().st_size > 5_000
    assert drawn["backend"]


def test_one_hand_is_packed_trained_sampled_and_drawn(
    demo_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(capsys, "balance", str(demo_data), "--out", "splits", "--total", "300")
    packed = run_json(capsys, "pack", "splits", "--data", str(demo_data), "--out", "store", "--pose", "hand")
    assert (packed["rows"], packed["dim"], packed["bytes"]) == (600, 45, 600 * 45 * 4)
    trained = run_json(capsys, "train", "gaussian", "--store", "store")
    run(capsys, "sample", trained["run"], "-n", "3", "--out", "poses.npz")
    with np.load("poses.npz") as poses:
        np.testing.assert_array_equal(poses["left_hand_pose"], mirror_hand(poses["right_hand_pose"]))
    run(capsys, "render", "poses.npz", "--out", "poses.png")
    assert Path("poses.png").stat().st_size > 5_000


def test_a_training_goes_on_where_it_ended(
    demo_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ("max_epochs=1", "model.hidden=16")
    first = run_json(capsys, "train", "hand_vae", "--store", str(demo_store), "--set", *given)
    second = run_json(capsys, "resume", first["run"], "--set", "max_epochs=2")
    assert (first["epochs"], second["epochs"], second["run"]) == (1, 2, first["run"])
    assert main(["resume", "nowhere"]) == 1
    assert "nowhere" in one_line(capsys.readouterr().err)


def test_evaluate_draws_as_many_poses_as_asked(
    demo_run: Path, demo_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("evaluate", str(demo_run), "--store", str(demo_store), "--frames", "100", "--samples", "150")
    few = run_json(capsys, *asked, "--out", str(tmp_path / "table.html"))
    assert "150 drawn poses" in (tmp_path / "table.html").read_text()
    drawn = load_prior(demo_run).sample(150, generator=torch.Generator().manual_seed(0))
    held_out = PoseStore(demo_store).split("test")
    held_out = held_out[np.linspace(0, len(held_out) - 1, 150).round().astype(int)]
    expected = frechet_distance(drawn, torch.from_numpy(held_out))
    assert few["runs"][0]["fid"] == pytest.approx(expected, rel=1e-4)
    assert main([*asked[:-1], "0"]) == 1
    assert "--samples 0: expected at least one pose" in capsys.readouterr().err


def test_same_seed_same_samples(demo_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        run(capsys, "sample", str(demo_run), "-n", "2", "--seed", seed, "--out", str(tmp_path / f"{name}.npz"))
    a, b, c = (np.load(tmp_path / f"{name}.npz")["left_hand_pose"] for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_dry_run_writes_nothing(
    demo_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_json(capsys, "balance", str(demo_data), "--total", "500", "--dry-run")["out"] is None
    assert not list(tmp_path.iterdir())


def one_line(err: str) -> str:
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    return lines[0]


def test_an_audit_is_a_page_and_its_tables(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in data.glob("*.npz"):
        if path.stem not in ("GRAB", "CMU", "speech"):
            path.unlink()
    (data / "broken.npz").write_bytes(b"PK")
    run(capsys, "scan", "data", "--out", "catalog.parquet")
    Path("mine.yaml").write_text("tiers: {high: [CMU]}\nunknown_tier: medium\n")
    mine = run_json(capsys, "audit", "catalog.parquet", "--out", "mine.html", "--mix", "mine.yaml")
    assert {row["name"]: row["tier"] for row in mine["datasets"]} == {
        "CMU": "high",
        "GRAB": "medium",
        "speech": "medium",
    }
    audited = run_json(capsys, "audit", "catalog.parquet", "--out", "reports/audit.html")
    assert [row["name"] for row in audited["datasets"]] == ["GRAB", "speech", "CMU"]
    assert {"tier", "frames", "usable_frames", "verdict", "out_of_limit"} <= set(audited["datasets"][0])
    assert {"pairs", "frames", "kinds"} <= set(audited["duplicates"])
    assert [row["dataset"] for row in audited["conventions"]] == ["GRAB", "speech", "CMU"]
    assert audited["rejected"][0]["path"] == "broken.npz"
    assert (audited["out"], audited["folder"]) == ("reports/audit.html", "reports/audit")
    page = Path("reports/audit.html").read_text()
    assert "synthetic data" in page
    assert "open hand model" in page
    assert "data:image/png;base64," in page
    written = {path.name for path in Path("reports/audit").iterdir()}
    assert {"audit.json", "datasets.parquet", "sequences.parquet", "histograms.parquet"} <= written
    assert all(name in page for name in written)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["{data}", "--out", "audit.pdf"], "ends in .html"),
        (["{data}", "--out", "taken.html"], "taken"),
        (["nowhere.parquet"], "no such catalog"),
        (["{data}", "--mix", "nowhere"], "no mix of this name"),
        (["catalog.parquet", "--hand-mean", "GRAB=rel"], "handprior scan"),
        (["{data}", "--hand-mean", "GRAB=maybe"], "NAME=incl or NAME=rel"),
    ],
)
def test_an_audit_that_cannot_be_written_is_one_line_before_the_work(
    argv: list[str],
    words: str,
    demo_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("mine")
    code, _, err = run(capsys, "audit", *(arg.format(data=demo_data) for arg in argv))
    assert code == 1
    assert words in one_line(err)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_an_empty_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "scan", str(tmp_path))
    assert code == 1
    assert str(tmp_path) in one_line(err)


def test_a_missing_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "scan", str(tmp_path / "nowhere"))
    assert code == 1
    assert "nowhere" in one_line(err)


def test_a_folder_without_motion_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("no motion here")
    code, _, err = run(capsys, "scan", str(tmp_path))
    assert code == 1
    assert str(tmp_path) in one_line(err)


def test_damaged_files_are_set_aside_and_the_rest_goes_on(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (data / "GRAB.npz").read_bytes()
    (data / "GRAB.npz").write_bytes(whole[: len(whole) // 2])
    np.savez(data / "pictures.npz", image=np.zeros((4, 4)))
    np.savez(data / "wrong_shape.npz", lhand_pose=np.zeros((5, 44)), rhand_pose=np.zeros((5, 45)))
    np.savez(data / "objects.npz", lhand_pose=np.array([{}], dtype=object), rhand_pose=np.zeros((1, 45)))
    scanned = run_json(capsys, "scan", str(data))
    reasons = {Path(entry["path"]).name: entry["reason"] for entry in scanned["rejected"]}
    assert set(reasons) == {"GRAB.npz", "pictures.npz", "wrong_shape.npz", "objects.npz"}
    assert all(reason and "\n" not in reason for reason in reasons.values())
    assert len(scanned["datasets"]) == 52


def test_an_unknown_dataset_goes_to_low_and_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "MyOwnCapture.npz").write_bytes((data / "GRAB.npz").read_bytes())
    planned = run_json(capsys, "balance", str(data), "--total", "500", "--dry-run")
    assert any("MyOwnCapture" in warning and "low" in warning for warning in planned["warnings"])


def test_a_total_beyond_the_data_is_a_stated_shortfall(
    demo_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = run_json(capsys, "balance", str(demo_data), "--total", "10000000", "--out", str(tmp_path / "s"))
    assert planned["total"] < 10_000_000
    assert planned["shortfalls"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["pack", "nowhere", "--data", ".", "--out", "store"], "nowhere"),
        (["train", "gaussian", "--store", "nowhere"], "nowhere"),
        (["sample", "nowhere", "--out", "p.npz"], "nowhere"),
        (["render", "nowhere.npz", "--out", "p.png"], "nowhere.npz"),
        (["render", "poses.npz", "--out", "p.xyz"], "p.xyz: not a picture's name"),
        (["export", "nowhere", "--out", "p.glb"], "nowhere: no such file or run"),
        (["export", ".", "--out", "p.mp4", "--fps", "0"], "--fps 0: expected a number above 0"),
        (["scan", ".", "--hand-mean", "GRAB=maybe"], "GRAB=maybe"),
        (["balance", "."], "--out"),
    ],
)
def test_bad_arguments_are_one_line(
    argv: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *argv)
    assert code == 1
    assert words in one_line(err)


def test_unknown_settings_name_the_nearest_right_one(
    demo_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "hand_vae", "--store", str(demo_store), "--out", str(tmp_path), "--set", "model.zdim=3"]
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert "z_dim" in one_line(err)


def test_rel_hands_without_a_known_mean_are_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMPLX_MODEL_PATH", raising=False)
    live = tmp_path / "live"
    live.mkdir()
    for name in ("GRAB", "speech"):
        shutil.copy(data / f"{name}.npz", live)
    (live / "handprior.yaml").write_text("hand_mean: {default: incl, GRAB: rel}\n")
    code, _, err = run(capsys, "balance", str(live), "--total", "500", "--out", str(tmp_path / "splits"))
    assert code == 1
    assert "GRAB" in one_line(err)
    assert "mean" in one_line(err)
    assert not (tmp_path / "splits").exists()


def test_the_mean_hand_is_learnt_from_uncaptured_hands(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMPLX_MODEL_PATH", raising=False)
    (data / "handprior.yaml").write_text("hand_mean: {default: incl, GRAB: rel}\n")
    splits, store = str(tmp_path / "splits"), str(tmp_path / "store")
    assert run(capsys, "balance", str(data), "--total", "500", "--out", splits)[0] == 0
    assert run(capsys, "pack", splits, "--data", str(data), "--out", store)[0] == 0


def test_doctor_looks_at_everything(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "doctor")
    assert {"torch", "cuda", "opengl", "hand_model", "problems"} <= set(found)
    assert isinstance(found["problems"], list)


def test_doctor_reports_a_wrong_model_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMPLX_MODEL_PATH", str(tmp_path / "models"))
    assert any(str(tmp_path / "models") in problem for problem in run_json(capsys, "doctor")["problems"])


def test_every_command_explains_itself() -> None:
    commands = next(a for a in build_parser()._actions if a.dest == "command").choices
    assert {
        "demo",
        "lab",
        "doctor",
        "scan",
        "balance",
        "pack",
        "train",
        "resume",
        "runs",
        "stop",
        "sample",
        "render",
    } <= set(commands)
    for parser in commands.values():
        assert parser.description
        assert all(action.help for action in parser._actions)


def test_help_needs_no_heavy_import() -> None:
    code = "import sys; from handprior_viz.cli import build_parser; build_parser(); print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_a_likelihood_that_is_a_bound_says_so(
    demo_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--store", str(demo_store), "--out", str(tmp_path))
    small = ("--set", "max_epochs=1", "model.hidden=16")
    assert "held-out at most " in run(capsys, "train", "hand_vae", *where, *small)[1]
    assert "held-out -" in run(capsys, "train", "gaussian", *where)[1]


def test_a_stopped_training_says_how_to_go_on(
    demo_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = RunFolder.create

    def made_and_stopped(folder: str | Path, prior: str) -> RunFolder:
        run = made(folder, prior)
        run.request_stop()
        return run

    monkeypatch.setattr(RunFolder, "create", made_and_stopped)
    code, out, _ = run(capsys, "train", "hand_vae", "--store", str(demo_store), "--out", str(tmp_path))
    assert code == 0
    path = next(line.removeprefix("run: ") for line in out.splitlines() if line.startswith("run: "))
    assert out.splitlines()[-1] == f"go on: handprior resume {path}"


def test_what_is_advised_for_a_missing_run_is_a_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run folder") as told:
        RunFolder.open(tmp_path / "nowhere")
    advised = str(told.value).split("`")[1].split()
    assert advised[0] == "handprior"
    assert build_parser().parse_args(advised[1:]).out == "FOLDER"
