"""What a pose is compared with: a fair sample of the store, and energies of poses held out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from handprior_viz.explorer.backdrop import Backdrop, held_out_energies
from handprior_viz.joint_angles import JOINT_ANGLES
from training import load_prior


def test_every_dataset_is_there_in_the_order_of_tiers_and_sizes(store) -> None:
    backdrop = Backdrop.of(store)
    tiers = [("high", "medium", "low").index(tier) for _, tier in backdrop.datasets]
    assert tiers == sorted(tiers)
    assert {name for name, _ in backdrop.datasets} == set(store.rows["dataset"].cast(str).unique())


def test_poses_belong_to_the_dataset_they_are_filed_under(store) -> None:
    backdrop = Backdrop.of(store, per_dataset=5)
    for k, (name, _) in enumerate(backdrop.datasets):
        own = store.poses[(store.rows["dataset"].cast(str) == name).to_numpy()]
        for pose in backdrop.poses[backdrop.dataset_of == k]:
            assert (own == pose).all(axis=1).any()


def test_no_dataset_gives_more_than_it_may_and_small_ones_give_all(store) -> None:
    backdrop = Backdrop.of(store, per_dataset=5)
    sizes = dict(store.rows.group_by("dataset").len().iter_rows())
    for k, (name, _) in enumerate(backdrop.datasets):
        assert (backdrop.dataset_of == k).sum() == min(5, sizes[name])


def test_poses_know_their_rows_and_their_split(store) -> None:
    for split in (None, "test"):
        backdrop = Backdrop.of(store, 7, split)
        np.testing.assert_array_equal(backdrop.poses, store.poses[backdrop.rows])
        names = store.rows["dataset"].cast(str).to_numpy()[backdrop.rows]
        assert names.tolist() == [backdrop.datasets[k][0] for k in backdrop.dataset_of]
        if split is not None:
            assert set(store.rows["split"].cast(str).to_numpy()[backdrop.rows]) == {split}


def test_a_usual_angle_is_usual_in_more_datasets_than_an_absurd_one(store) -> None:
    backdrop = Backdrop.of(store)
    angle = JOINT_ANGLES[9]
    spread = backdrop.angles(angle)
    median = float(np.median(angle.measure(backdrop.poses)))
    assert spread.usual_in(median) > len(spread.strips) // 2
    assert spread.usual_in(170.0) == 0
    assert spread.span[0] < median < spread.span[1]


@pytest.mark.parametrize("run", ["gaussian_run", "vae_run"])
def test_energies_are_those_of_held_out_poses(store, run, request) -> None:
    prior = load_prior(request.getfixturevalue(run))
    held_out = held_out_energies(prior, store, at_most=10**6)
    assert len(held_out) == len(store.split("test"))
    with torch.no_grad():
        frames = torch.from_numpy(store.split("test")[:3].copy())
        # A Gaussian decodes what it encodes; a VAE's poses have lost their noise.
        expected = prior.energy(frames if run == "gaussian_run" else prior.decode(prior.encode(frames)))
    np.testing.assert_allclose(held_out[:3], expected.numpy(), rtol=1e-3)
