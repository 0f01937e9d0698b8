"""The page without Python gives Python's hands and energies, for every prior (run by Node.js, not a browser)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_tools.hand_model import HandModel
from data_tools.pose_layout import hands_of
from data_tools.store import PoseStore
from handprior_viz.export import save
from handprior_viz.export.decoders import decoder_steps
from tests.handprior_viz.export.page_in_node import shown
from training import load_prior
from training.prior import PoseStatistics, Prior
from training.priors import PRIORS
from training.priors.gaussian import Gaussian, GaussianSettings
from training.priors.global_flow import GlobalFlow, GlobalFlowSettings
from training.priors.hand_vae import HandVAE, HandVAESettings
from training.priors.hand_vae_so3 import HandVAESO3, HandVAESO3Settings
from training.priors.joint_flow import JointFlow, JointFlowSettings
from training.run_folder import RunFolder


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture(autouse=True)
def unnamed_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the axes do is another test's, and takes longer than the rest of a page."""
    monkeypatch.setattr("handprior_viz.export.live_page.name_axes", lambda _: [])


def statistics(pose: str, dim: int, still: slice, seed: int = 0) -> PoseStatistics:
    """Of a made-up store: some columns never move."""
    rng = np.random.default_rng(seed)
    active = np.ones(dim, bool)
    active[still] = False
    mean, std = (0.3 * rng.normal(size=dim)).astype(np.float32), rng.uniform(0.1, 0.9, dim).astype(np.float32)
    return PoseStatistics(pose, mean, std, active, np.where(active, 0, mean).astype(np.float32))


SMALL: dict[str, Any] = {"z_dim": 5, "hidden": 24, "n_layers": 2, "importance_samples": 8}
ALONE: dict[str, Any] = {"start": "standard", "gaussian_share": 0.0}

FITTED: dict[str, tuple[type[Prior], Any]] = {
    "diagonal gaussian": (Gaussian, GaussianSettings(covariance="diagonal")),
    "mixture": (Gaussian, GaussianSettings(components=3, max_rounds=1)),
    "diagonal mixture": (Gaussian, GaussianSettings(components=3, max_rounds=1, covariance="diagonal")),
    "global flow": (GlobalFlow, GlobalFlowSettings(K=3, hidden=16, marginal_bins=4, dropout=0.1)),
    "global flow, splines, told of datasets": (
        GlobalFlow,
        GlobalFlowSettings(K=2, hidden=16, coupling="spline", bins=5, act_norm=True, condition="dataset", **ALONE),
    ),
    "joint flow": (JointFlow, JointFlowSettings(K=4, hidden=9, embed=6, bins=4)),
    "joint flow, affine, from parents": (
        JointFlow,
        JointFlowSettings(K=3, hidden=9, embed=6, coupling="affine", condition="parent"),
    ),
}
MADE_UP: dict[str, tuple[type[Prior], PoseStatistics, Any]] = {
    "vae, gelu, normalised, decoded noise, one hand": (
        HandVAE,
        statistics("hand", 45, slice(3, 6)),
        HandVAESettings(**SMALL, activation="gelu", layer_norm="last", noise="decoded"),
    ),
    "vae, whole poses": (HandVAE, statistics("full", 165, slice(69, 75)), HandVAESettings(**SMALL)),
    "rotations, one column still": (
        HandVAESO3,
        statistics("hands", 90, slice(10, 11)),
        HandVAESO3Settings(**SMALL, layer_norm="first"),
    ),
    "joint flow, one column still": (
        JointFlow,
        statistics("hand", 45, slice(10, 11)),
        JointFlowSettings(K=2, hidden=9, embed=6, bins=4, **ALONE),
    ),
    "global flow, whole poses": (
        GlobalFlow,
        statistics("full", 165, slice(69, 75)),
        GlobalFlowSettings(K=1, hidden=8, **ALONE),
    ),
}
TRAINED = ["trained gaussian", "trained vae"]


def prior_called(kind: str, store: PoseStore, trained: dict[str, RunFolder]) -> Prior:
    """A trained prior; or one with random weights, so that every layer and every number of it counts."""
    if kind in TRAINED:
        return load_prior(trained[kind])
    torch.manual_seed(3)
    if kind in FITTED:
        family, settings = FITTED[kind]
        prior = family.for_store(store, settings)
        prior.fit(store) if prior.closed_form else prior.begin(store)
    else:
        family, about, settings = MADE_UP[kind]
        prior = family(about, settings)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(2 if prior.is_bound else 1).add_(0.1 * torch.randn_like(parameter))
    return prior.eval().requires_grad_(False)


@pytest.mark.parametrize("kind", [*TRAINED, *FITTED, *MADE_UP])
def test_the_pages_hands_and_energies_are_pythons(
    kind: str, store: PoseStore, gaussian_run: RunFolder, vae_run: RunFolder, model: HandModel, tmp_path: Path
) -> None:
    prior = prior_called(kind, store, dict(zip(TRAINED, (gaussian_run, vae_run), strict=True)))
    path = save(
        tmp_path / "page.html",
        np.zeros(90),
        prior=prior,
        model=model,
        latent=np.zeros(prior.latent_dim),
        held_out=np.arange(3.0),
    )
    latents = torch.randn(6, prior.latent_dim, generator=torch.Generator().manual_seed(1))
    latents[0] *= 3
    poses = prior.decode(latents)
    found = shown(path, latents.numpy())
    vertices = model.hands(hands_of(poses.numpy())).vertices
    assert np.linalg.norm(found.vertices - vertices, axis=-1).max() < 1e-4
    wanted = prior.double().energy(poses.double()).numpy()
    known = np.isfinite(found.energies)
    np.testing.assert_allclose(found.energies[known], wanted[known], rtol=1e-4, atol=0.02)
    assert known[1:].sum() >= 3


def test_all_priors_of_the_project_are_tried() -> None:
    assert {family for family, *_ in (*FITTED.values(), *MADE_UP.values())} == set(PRIORS.values())


def test_turned_back_poses_are_not_judged_by_a_flow(model: HandModel, tmp_path: Path) -> None:
    """Beyond half a circle the pose is another one than the flow decoded: its latent says nothing of its energy."""
    flow = GlobalFlow(statistics("hands", 90, slice(0, 0)), GlobalFlowSettings(K=1, hidden=8, **ALONE))
    path = save(tmp_path / "page.html", np.zeros(90), prior=flow, model=model, held_out=np.zeros(3))
    latents = np.stack([np.zeros(90), 40 * np.eye(90)[4]])
    found = shown(path, latents)
    assert np.isfinite(found.energies).tolist() == [True, False]
    decoded = flow.requires_grad_(False).decode(torch.from_numpy(latents).float()).numpy()
    np.testing.assert_allclose(found.hands, decoded, atol=1e-4)
    assert np.linalg.norm(decoded.reshape(2, 30, 3), axis=-1).max() < np.pi + 1e-3


def test_there_is_a_gauge_only_where_poses_are_given_to_compare_with(
    gaussian_run: RunFolder, model: HandModel, tmp_path: Path
) -> None:
    prior = load_prior(gaussian_run)
    for held_out, gauges in ((np.arange(3.0), 1), (np.zeros(0), 0), (None, 0)):
        path = save(tmp_path / "page.html", np.zeros(90), prior=prior, model=model, held_out=held_out)
        assert path.read_text().count('<div class="hp-gauge"') == gauges


def test_a_prior_too_large_for_a_page_is_refused_with_advice(
    gaussian_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = load_prior(gaussian_run)
    monkeypatch.setattr("handprior_viz.export.decoders.AT_MOST", prior.size - 1)
    with pytest.raises(ValueError, match=r"Gaussian of 0.0 million numbers is too large .* walk as \.mp4 or \.glb"):
        save(tmp_path / "page.html", np.zeros(90), prior=prior)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert decoder_steps(prior)
