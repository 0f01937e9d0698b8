"""What is measured at each look beside the likelihood, against closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from data_tools.store import PoseStore
from training.looks import look
from training.priors.gaussian import Gaussian


def test_a_gaussian_goes_through_its_latents_unchanged_and_spreads_as_its_data(demo_store: Path) -> None:
    store = PoseStore(demo_store)
    prior = Gaussian.for_store(store)
    prior.fit(store)
    prepared = prior.prepare(torch.from_numpy(store.split("train").copy()))
    found = look(prior.eval(), prepared, torch.Generator().manual_seed(0))
    assert found["val/round_trip_degrees"] == pytest.approx(0, abs=0.05)
    # n samples' standard deviation is off by about s / sqrt(2 n), half normal: mean sqrt(2 / pi) of that.
    expected = float(prior.std[prior.columns].mean()) * math.sqrt(1 / (math.pi * len(prepared))) * 180 / math.pi
    assert 0 < found["val/spread_error_degrees"] < 2 * expected


def test_a_spread_that_is_too_narrow_is_measured(demo_store: Path) -> None:
    """Poses twice as far from the mean as the prior draws them: the error is half their spread."""
    store = PoseStore(demo_store)
    prior = Gaussian.for_store(store)
    prior.fit(store)
    frames = prior.prepare(prior.sample(4000, generator=torch.Generator().manual_seed(1)))
    found = look(prior.eval(), 2 * frames, torch.Generator().manual_seed(2))
    expected = float(prior.std[prior.columns].mean()) * 180 / math.pi
    assert found["val/spread_error_degrees"] == pytest.approx(expected, rel=0.1)
