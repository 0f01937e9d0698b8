"""Where a pose's energy lies among held-out poses of each dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from handprior_viz.explorer import held_out
from handprior_viz.explorer.backdrop import Backdrop
from handprior_viz.explorer.held_out import HeldOut
from tests.handprior_viz.explorer.made_up_store import Piece, wandering, write_store
from training import load_prior


def of_energies(tmp_path: Path, **energies: list[float]) -> HeldOut:
    pieces = [
        Piece(name, "high", name, "test", wandering(np.random.default_rng(0), len(own)))
        for name, own in energies.items()
    ]
    sample = Backdrop.of(write_store(tmp_path / "store", pieces))
    values = [energies[name][(sample.dataset_of[:k] == of).sum()] for k, of in enumerate(sample.dataset_of)
              for name in [sample.datasets[of][0]]]  # fmt: skip
    return HeldOut(sample, np.array(values))


def test_shares_are_counted(tmp_path: Path) -> None:
    held_out = of_energies(tmp_path, A=[1.0, 2.0, 3.0, 4.0], B=[0.0, 10.0, np.nan])
    assert held_out.more_usual_than(2.5) == {"A": 0.5, "B": 0.5}
    assert held_out.more_usual_than(2.0) == {"A": 0.5, "B": 0.5}
    assert held_out.more_usual_than(-1.0) == {"A": 1, "B": 1}


@pytest.mark.parametrize(
    ("energy", "words"),
    [
        (3.5, "least unusual for B (more usual than 50 % of its poses)"),
        (1.5, "least unusual for A (more usual than 75 % of its poses)"),
        (-1.0, "least unusual for B (more usual than nearly all of its poses)"),
        (11.0, "less usual than every held-out pose of all 2 datasets"),
    ],
)
def test_where_a_pose_is_least_unusual(tmp_path: Path, energy: float, words: str) -> None:
    assert of_energies(tmp_path, A=[1.0, 2.0, 3.0, 4.0], B=[0.0, 10.0]).least_unusual(energy) == words


def test_one_dataset_is_not_compared_with_others(tmp_path: Path) -> None:
    assert of_energies(tmp_path, A=[1.0, 2.0]).least_unusual(1.5) == ""


def test_the_plot_reaches_over_all_but_the_wildest(tmp_path: Path) -> None:
    held_out = of_energies(tmp_path, A=[*np.linspace(0, 100, 400), 1e6])
    low, high = held_out.span
    assert -10 < low < 0
    assert 99 < high < 120
    assert len(of_energies(tmp_path / "same", A=[5.0, 5.0]).strips) == 1


def test_energies_are_those_of_the_held_out_split(store, gaussian_run) -> None:
    prior = load_prior(gaussian_run)
    held_out = HeldOut.of(prior, store, per_dataset=10**6)
    assert len(held_out.energies) == len(store.split("test"))
    with torch.no_grad():
        expected = prior.energy(torch.from_numpy(np.array(store.split("test"))))
    np.testing.assert_allclose(np.sort(held_out.energies), np.sort(expected.numpy()), rtol=1e-3)
    names = store.split_rows("test")["dataset"].cast(str)
    assert {name for name, _ in held_out.datasets} == set(names)
    for one in held_out.strips:
        own = expected.numpy()[(names == one.dataset).to_numpy()]
        np.testing.assert_allclose(one.spread[1], np.median(own), rtol=1e-3)


def test_many_datasets_share_the_poses_and_each_has_enough(store, gaussian_run, monkeypatch) -> None:
    monkeypatch.setattr(held_out, "POSES_IN_ALL", 3 * len(store.datasets))
    monkeypatch.setattr(held_out, "FEWEST", 2)
    scored = HeldOut.of(load_prior(gaussian_run), store)
    counts = store.split_rows("test").group_by("dataset").len()
    assert len(scored.energies) == counts["len"].clip(upper_bound=3).sum()
    monkeypatch.setattr(held_out, "FEWEST", 5)
    scored = HeldOut.of(load_prior(gaussian_run), store)
    assert len(scored.energies) == counts["len"].clip(upper_bound=5).sum()


def test_poses_are_scored_as_they_are_on_request(store, vae_run) -> None:
    prior = load_prior(vae_run)
    scored = HeldOut.of(prior, store, per_dataset=2, exact=True)
    with torch.no_grad():
        expected = prior.energy(torch.from_numpy(scored.sample.poses))
    np.testing.assert_allclose(scored.energies, expected.numpy(), rtol=1e-3)


def test_scoring_stops_when_told(store, gaussian_run) -> None:
    turns = iter([True, False])
    held_out = HeldOut.of(load_prior(gaussian_run), store, go_on=lambda: next(turns))
    assert np.isfinite(held_out.energies).sum() == 128
