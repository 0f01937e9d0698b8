"""Samples from the same seed and walks between the same poses, prior by prior."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation, Slerp

from data_tools.store import PoseStore
from handprior_viz.comparing.samples import IN_A_ROW, sample_rows
from handprior_viz.comparing.walk import STEPS, axis_walk, pose_walk, two_poses
from tests.handprior_viz.comparing.made_runs import folder as folder
from tests.handprior_viz.comparing.made_runs import priors as priors
from tests.handprior_viz.comparing.made_runs import runs as runs
from training.latent_axes import name_axes


def test_rows_of_samples_are_drawn_from_one_seed_below_a_real_row(priors, store: PoseStore) -> None:
    rows = sample_rows(priors, store, seed=5)
    assert rows.poses.shape == (3 * IN_A_ROW, 90)
    held_out = {pose.tobytes() for pose in np.array(store.split("test"))}
    assert all(pose.tobytes() in held_out for pose in rows.poses[:IN_A_ROW])
    for k, (run, prior) in enumerate(priors, start=1):
        drawn = prior.sample(IN_A_ROW, generator=torch.Generator().manual_seed(5)).numpy()
        np.testing.assert_array_equal(rows.poses[k * IN_A_ROW : (k + 1) * IN_A_ROW], drawn)
        assert " ".join(rows.titles[k * IN_A_ROW :][:2]) == run.title
        assert set(rows.colours[k * IN_A_ROW : (k + 1) * IN_A_ROW]) == {run.look.colour}
    assert "".join(rows.titles[:IN_A_ROW]) == "real"


def test_the_walk_along_an_axis_moves_that_axis_of_each_prior_alone(priors) -> None:
    axes = [name_axes(prior) for _, prior in priors]
    walk = axis_walk(priors, axes, rank=1)
    assert walk.poses.shape == (STEPS, 2, 90)
    for k, (_, prior) in enumerate(priors):
        for step, sd in ((0, -2.0), (STEPS // 2, 0.0), (STEPS - 1, 2.0)):
            latent = torch.zeros(prior.latent_dim)
            latent[axes[k][1].index] = sd
            np.testing.assert_allclose(walk.poses[step, k], prior.decode(latent).numpy(), atol=1e-5)
        assert walk.axes[k] == axes[k][1].label


def test_a_gaussians_walk_is_a_straight_line(priors) -> None:
    axes = [name_axes(prior) for _, prior in priors[:1]]
    poses = axis_walk(priors[:1], axes, rank=0).poses[:, 0]
    steps = np.diff(poses, axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(0), steps.shape), atol=1e-4)
    assert np.abs(steps).max() > 1e-3


def test_all_walk_between_the_same_two_held_out_poses(priors, store: PoseStore) -> None:
    a, b = two_poses(store, seed=3)
    held_out = {pose.tobytes() for pose in np.array(store.split("test"))}
    assert a.tobytes() in held_out
    assert b.tobytes() in held_out
    walk = pose_walk(priors, a, b)
    assert walk.poses.shape == (STEPS, 3, 90)
    middle = [Slerp([0, 1], Rotation.from_rotvec([a[k : k + 3], b[k : k + 3]]))(0.5) for k in range(0, 90, 3)]
    found = Rotation.from_rotvec(walk.poses[STEPS // 2, 0].reshape(-1, 3))
    assert max(float((one.inv() * two).magnitude()) for one, two in zip(middle, found, strict=True)) < 1e-3
    for place in (0, 1):  # turning joints, and a Gaussian, whose latents are exact
        np.testing.assert_allclose(walk.poses[0, place], a, atol=1e-3)
        np.testing.assert_allclose(walk.poses[-1, place], b, atol=1e-3)
    vae = priors[1][1]
    known = vae.decode(vae.encode(torch.from_numpy(a))).numpy()  # a VAE knows a pose up to what it takes for noise
    np.testing.assert_allclose(walk.poses[0, 2], known, atol=1e-4)
