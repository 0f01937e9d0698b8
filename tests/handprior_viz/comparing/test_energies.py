"""Energies of held-out poses by dataset, all runs on one axis."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest
import torch

from data_tools.store import PoseStore
from handprior_viz.comparing.energy import EnergySection, energy_span, energy_table
from handprior_viz.comparing.runs import LoadedPriors
from handprior_viz.explorer.backdrop import Backdrop
from tests.handprior_viz.comparing.made_runs import folder as folder
from tests.handprior_viz.comparing.made_runs import runs as runs
from training import load_prior


def three_datasets() -> Backdrop:
    rng = np.random.default_rng(0)
    return Backdrop(
        (("GRAB", "high"), ("A<b>", "medium"), ("CMU", "low")),
        rng.normal(size=(90, 90)).astype(np.float32),
        np.repeat(np.arange(3), 30),
        np.arange(90),
    )


def test_energies_are_of_the_poses_as_they_are(runs, store: PoseStore) -> None:
    section = EnergySection(store, LoadedPriors(store), tell=pytest.fail)
    section.use(runs)
    assert section.settle(60.0)
    assert section._backdrop is not None
    poses = torch.from_numpy(section._backdrop.poses)
    for run in runs:
        expected = -load_prior(run.run).log_prob(poses).numpy()
        np.testing.assert_allclose(section._known[run.name][1], expected, rtol=1e-4, atol=1e-2)
    section.close()


def test_all_runs_share_one_axis_and_say_their_medians(runs) -> None:
    backdrop = three_datasets()
    known = {runs[0].name: np.arange(90.0) - 120, runs[1].name: np.arange(90.0) - 60}
    low, high = energy_span([*known.values()])
    assert low < -118
    assert high > 28
    table = energy_table(backdrop, runs, known, "test")
    rows = re.findall(r'data-key="([^"]*)"(.*?)</div>', table, re.S)
    assert [unescape(name) for name, _ in rows] == ["all datasets", "GRAB", "A<b>", "CMU"]
    numbers = [
        float(text.replace("\N{MINUS SIGN}", "-")) for text in re.findall(r"<small>(?:<b>)?([^<]*)<", rows[1][1])
    ]
    assert numbers == pytest.approx([np.median(known[run.name][:30]) for run in runs], abs=0.51)
    assert rows[1][1].count("<small><b>") == 1  # the lower median leads
    ticks = re.findall(r'<span>((?:<i style="left:[\d.]+%">[^<]*</i>)+)</span>', table)
    assert len(ticks) == 2
    assert ticks[0] == ticks[1]
    assert "≤ marks bounds" in table
    assert "A<b>" not in table
    many = energy_table(backdrop, [*runs, *runs, *runs], known, "test")
    assert "hp-energy-many" in many  # their names need several lines where the page is narrow
    assert "hp-energy-many" not in table


def test_a_run_that_is_still_scored_and_one_without_numbers_say_so(runs) -> None:
    backdrop = three_datasets()
    energies = np.where(backdrop.dataset_of == 1, np.nan, np.arange(90.0))
    table = energy_table(backdrop, runs, {runs[0].name: energies}, "test")
    assert table.count("no finite number") == 1
    assert table.count(">…<") == 4
    assert "Scoring held-out poses" in energy_table(backdrop, runs, {}, "test")
    nothing = energy_table(backdrop, runs, {runs[0].name: np.full(90, np.nan)}, "test")
    assert nothing.count("no finite number") == 4
