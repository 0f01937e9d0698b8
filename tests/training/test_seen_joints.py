"""What a fit is given: which points count, how far each is trusted, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_tools.hand_model import HAND_POINTS, HandModel
from tests.training.known_priors import correlated, drawn
from training.fitting import fit
from training.metrics import hand_points
from training.seen_joints import FINGERTIPS


def test_missing_points_are_those_that_are_not_seen(model: HandModel) -> None:
    prior = correlated(45)[0]
    joints = hand_points(drawn(prior, 5), model)
    mask = np.random.default_rng(0).random((5, 21)) < 0.5
    with_nan = joints.clone()
    with_nan[..., 1][torch.from_numpy(~mask)] = torch.nan  # one coordinate is enough
    first, second = (fit(with_nan, prior, model=model), fit(joints, prior, model=model, seen=mask))
    torch.testing.assert_close(first.pose, second.pose, rtol=0, atol=0)
    np.testing.assert_array_equal(first.seen, mask)
    tips = fit(joints, prior, model=model, seen="fingertips")
    named = fit(joints, prior, model=model, seen=list(FINGERTIPS))
    torch.testing.assert_close(tips.pose, named.pose, rtol=0, atol=0)
    assert tips.seen.sum(1).tolist() == [6] * 5


def test_noise_of_each_point_is_its_own(model: HandModel) -> None:
    """A point that is hardly trusted is hardly heard."""
    prior = correlated(45)[0]
    joints = hand_points(drawn(prior, 3), model)
    bad = joints.clone()
    bad[:, HAND_POINTS.index("index_tip")] += 0.03
    noise = np.full(21, 0.5)
    noise[HAND_POINTS.index("index_tip")] = 1e4
    wary = fit(bad, prior, model=model, noise_mm=noise, wrist="fixed")
    unseen = fit(bad, prior, model=model, noise_mm=0.5, wrist="fixed", seen=noise < 1)
    torch.testing.assert_close(wary.pose, unseen.pose, rtol=0, atol=2e-3)
    same = fit(joints, prior, model=model, noise_mm=np.full((3, 21), 0.5))
    torch.testing.assert_close(same.pose, fit(joints, prior, model=model, noise_mm=0.5).pose, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"joints": np.zeros((2, 20, 3))},
            r"joints must be \(frames, 21, 3\) of one hand or \(frames, 42, 3\) of both",
        ),
        ({"joints": np.zeros((21, 3))}, "joints must be"),
        ({"joints": np.zeros((0, 21, 3))}, "no frames"),
        ({"joints": np.full((1, 21, 3), np.inf)}, "missing points by NaN"),
        ({"joints": 100 * np.arange(63.0).reshape(1, 21, 3)}, "expected metres"),
        ({"seen": ["index_top"]}, "unknown point 'index_top'"),
        ({"seen": "tips"}, "unknown point 'tips'"),
        ({"seen": np.ones(20, bool)}, "a mask of seen points"),
        ({"noise_mm": 0.0}, "above 0"),
        ({"noise_mm": np.ones(5)}, "noise_mm must be one number"),
        ({"wrist": "loose"}, 'wrist must be "free" or "fixed"'),
        ({"hand": "both"}, 'hand must be "right" or "left"'),
        ({"restarts": 1}, "drawn from a prior"),
        ({"iterations": 0}, "iterations of at least 1"),
        ({"start": np.zeros(90)}, "start must be finite poses of 45 columns"),
        ({"betas": np.zeros(1000)}, "betas must be one set"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_one_line(model: HandModel, change: dict, message: str) -> None:
    options = {"joints": np.zeros((2, 21, 3)), "model": model} | change
    with pytest.raises(ValueError, match=message) as told:
        fit(**options)
    assert "\n" not in str(told.value)


def test_progress_is_told(model: HandModel) -> None:
    told: list[tuple[int, int, str]] = []
    fit(np.zeros((3, 21, 3)), model=model, iterations=1, progress=lambda *news: told.append(news))
    assert told[-1] == (3, 3, "frames")
