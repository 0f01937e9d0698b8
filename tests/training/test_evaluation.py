"""The table of scores, against likelihoods computed by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from data_tools.store import PoseStore
from training import evaluate, load_prior
from training.evaluation import held_out_frames
from training.prior import PoseStatistics
from training.priors import PRIORS
from training.run_folder import RunFolder


def test_nll_is_the_mean_over_the_split(demo_run: Path, demo_store: Path) -> None:
    (row,) = evaluate(demo_run, demo_store).to_dicts()
    poses = torch.from_numpy(np.array(PoseStore(demo_store).split("test")))
    expected = -load_prior(demo_run).log_prob(poses).mean().item()
    assert row["nll"] == pytest.approx(expected, rel=1e-4)
    assert row["bpd"] == pytest.approx(expected / (int(PoseStore(demo_store).active.sum()) * math.log(2)), rel=1e-4)
    assert (row["run"], row["prior"], row["is_bound"]) == (demo_run.name, "gaussian", False)
    assert row["frames"] == len(poses)


def test_takes_several_runs_and_another_split(demo_run: Path, demo_store: Path) -> None:
    table = evaluate([demo_run, RunFolder(demo_run)], PoseStore(demo_store), split="val", at_most=20)
    assert table["frames"].to_list() == [20, 20]
    assert table["nll"].n_unique() == 1


def test_refuses_a_store_of_other_columns(demo_store: Path) -> None:
    store = PoseStore(demo_store)
    statistics = PoseStatistics.of(store)
    fewer = PoseStatistics("hands", statistics.mean, statistics.std, np.arange(90) < 60, statistics.mean)
    with pytest.raises(ValueError, match="30 columns move in only one of the two"):
        held_out_frames(PRIORS["gaussian"](fewer), store, "val")
    wide = np.ones(165, np.float32)
    full = PRIORS["gaussian"](PoseStatistics("full", 0 * wide, wide, wide > 0, wide))
    with pytest.raises(ValueError, match=r"trained on full poses of 165 columns.*holds hands poses of 90"):
        held_out_frames(full, store, "val")
