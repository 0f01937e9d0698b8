"""The benchmark on a GPU: that it runs to its end, and does not claim what it has not measured."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from training.config import resolve
from training.priors import PRIORS


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "gpu_training.py"
    spec = importlib.util.spec_from_file_location("gpu_training", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look their types up
    spec.loader.exec_module(module)
    return module


def test_one_line_without_a_gpu(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert benchmark.main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "--accelerator cpu --frames 20000 --max-epochs 1" in said.err


def test_all_five_on_a_cpu(benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--accelerator", "cpu", "--frames", "2000", "--max-epochs", "1", "--out", str(tmp_path)]
    assert benchmark.main(given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "2,000 train frames (made up)" in lines[1]
    assert [line.split()[0] for line in lines[3:8]] == list(PRIORS)
    seconds = [float(line.split()[2]) for line in lines[3:8]]
    assert float(lines[8].split()[1]) == pytest.approx(sum(seconds), abs=0.3)
    assert lines[9].startswith("under ten minutes: not measured (no GPU; 2,000 train frames, not 1,200,000; fewer")
    assert len(list((tmp_path / "runs").iterdir())) == len(PRIORS)


def test_made_up_frames_are_smooth_and_correlated(benchmark: ModuleType, tmp_path: Path) -> None:
    store = benchmark.made_up_store(tmp_path, 5000)
    assert (len(store.split("train")), store.synthetic) == (5000, True)
    rows, poses = store.split_rows("train"), torch.from_numpy(store.split("train").copy())
    follows = (rows["frame"].diff() == 1) & (rows["dataset"].cast(str) == rows["dataset"].cast(str).shift(1))
    steps = poses.diff(dim=0)[torch.from_numpy(follows.fill_null(False).to_numpy()[1:].copy())]
    assert len(steps) > 2000
    assert steps.std() < 0.4 * poses.std(0).mean()
    correlation = torch.corrcoef(poses.T).abs()
    assert (correlation.sum() - 90) / (90 * 89) > 0.1


@pytest.mark.parametrize("recipe", ["published", "fast"])
def test_epochs_are_the_published_ones(benchmark: ModuleType, recipe: str) -> None:
    options = benchmark.parser().parse_args(["--recipe", recipe])
    epochs = {prior: benchmark.overrides_of(prior, options).get("max_epochs") for prior in PRIORS}
    expected = {"gaussian": None, "joint_flow": 50, "global_flow": 30, "hand_vae": 100, "hand_vae_so3": 100}
    assert epochs == expected
    for prior in PRIORS:
        config = resolve(prior, None if epochs[prior] is None else recipe, benchmark.overrides_of(prior, options))
        assert config.patience is None
