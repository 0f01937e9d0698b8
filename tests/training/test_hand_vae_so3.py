"""The Hand VAE on rotations against scipy's rotations and against quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.spatial.transform import Rotation
from scipy.stats import norm

from training.prior import PoseStatistics, StepInfo
from training.priors.hand_vae import HandVAE, HandVAESettings
from training.priors.hand_vae_so3 import HandVAESO3, HandVAESO3Settings

SMALL = HandVAESO3Settings(z_dim=2, hidden=8, n_layers=1, dropout=0.0, importance_samples=1)
JOINT = [3, 4, 5]


def statistics_of(active: list[int], mean: np.ndarray, pose: str = "hands") -> PoseStatistics:
    moves = np.zeros(mean.size, bool)
    moves[active] = True
    std = np.where(moves, np.random.default_rng(1).uniform(0.05, 0.4, mean.size), 2e-5).astype(np.float32)
    mean = mean.astype(np.float32)
    return PoseStatistics(pose, mean, std, moves, np.where(moves, 0, mean).astype(np.float32))


def knows_nothing(statistics: PoseStatistics, said: torch.Tensor | float = 0.0) -> HandVAESO3:
    """A VAE whose decoder says the same for every latent: its bound is the likelihood, exactly."""
    prior = HandVAESO3(statistics, SMALL).eval().requires_grad_(False)
    for network in (prior.encoder, prior.decoder):
        network[-1].weight.zero_()
        network[-1].bias.zero_()
    prior.decoder[-1].bias += said
    return prior


def one_joint(mean: list[float], sigma: float) -> HandVAESO3:
    pose = np.zeros(45)
    pose[JOINT] = mean
    prior = knows_nothing(statistics_of(JOINT, pose, "hand"))
    prior.log_sigma.fill_(math.log(sigma / prior.spread.item()))
    return prior


def ball(radial: int, polar: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points and weights of an integral over the ball of radius pi."""
    r, r_weight = np.polynomial.legendre.leggauss(radial)
    r, r_weight = math.pi * (r + 1) / 2, math.pi * r_weight / 2
    z, z_weight = np.polynomial.legendre.leggauss(polar)
    phi = 2 * math.pi * (np.arange(2 * polar) + 0.5) / (2 * polar)
    flat = np.sqrt(1 - z**2)[:, None]
    sphere = np.stack(np.broadcast_arrays(flat * np.cos(phi), flat * np.sin(phi), z[:, None]), -1)
    points = r[:, None, None, None] * sphere
    weights = (r**2 * r_weight)[:, None, None] * z_weight[:, None] * np.full(2 * polar, math.pi / polar)
    return torch.from_numpy(points.reshape(-1, 3)).float(), torch.from_numpy(weights.reshape(-1))


@pytest.mark.parametrize("mean", [[0.0, 0.0, 0.0], [0.4, -0.8, 0.3], [1.86, 0.0, 2.48]], ids=["at 0", "at 1", "at 3.1"])
@pytest.mark.parametrize(("sigma", "polar"), [(0.25, 60), (1.0, 36), (5.0, 36)])
def test_density_over_rotation_vectors_integrates_to_one(mean: list[float], sigma: float, polar: int) -> None:
    prior = one_joint(mean, sigma)
    points, weights = ball(36, polar)
    pose = prior.mean_pose().repeat(len(points), 1)
    pose[:, JOINT] = points
    assert (prior.log_prob(pose).double().exp() @ weights).item() == pytest.approx(1, abs=2e-3)


def geodesic_log_density(vectors: np.ndarray, centre: Rotation, sigma: float) -> np.ndarray:
    """In nats over rotation vectors, by scipy alone."""
    angle = (Rotation.from_rotvec(vectors).inv() * centre).magnitude()
    whole = quad(
        lambda t: 8 * math.pi * (1 - math.cos(t)) * math.exp(-(t**2) / (2 * sigma**2)), 0, min(math.pi, 40 * sigma)
    )[0]
    size = np.linalg.norm(vectors, axis=-1)
    return -(angle**2) / (2 * sigma**2) - math.log(whole) + np.log(2 * (1 - np.cos(size)) / size**2)


@pytest.mark.parametrize("pose", ["hands", "full", "hand"])
def test_log_prob_is_that_of_scipy(pose: str) -> None:
    """Whole joints by rotation, the two columns of a third that move by axis-angle, in any order of columns."""
    dim = {"hands": 90, "full": 165, "hand": 45}[pose]
    rng = np.random.default_rng(0)
    partial = [0, 2, dim - 5]
    active = [*partial, *range(6, 12), *range(dim - 3, dim)]
    statistics = statistics_of(active, rng.normal(0, 0.6, dim), pose)
    said = 0.5 * torch.randn(6 * 3 + len(partial), generator=torch.Generator().manual_seed(0))
    prior = knows_nothing(statistics, said)
    prior.log_sigma += 0.3 * torch.randn(6, generator=torch.Generator().manual_seed(1))
    poses = torch.from_numpy(rng.normal(0, 0.7, (50, dim))).float()
    spread = prior.log_sigma.double().exp().square().add(SMALL.sigma_floor**2).sqrt().numpy()

    expected = np.zeros(50)
    for k, first in enumerate((6, 9, dim - 3)):
        columns = slice(first, first + 3)
        size = math.sqrt(np.square(statistics.std[columns].astype(float)).mean())
        rest = Rotation.from_rotvec(statistics.mean[columns]).as_matrix()[:, :2]
        a, b = (rest + size * said.double().numpy()[: 6 * 3].reshape(2, 3, 3)[:, :, k].T).T
        x = a / np.linalg.norm(a)
        y = b - (x @ b) * x
        y /= np.linalg.norm(y)
        centre = Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], -1))
        expected += geodesic_log_density(poses[:, columns].double().numpy(), centre, size * spread[k])
    mean, std = (v[partial].astype(float) for v in (statistics.mean, statistics.std))
    centre, scale = mean + std * said[18:].double().numpy(), std * spread[3:]
    expected += norm.logpdf(poses[:, partial].double().numpy(), centre, scale).sum(-1)
    np.testing.assert_allclose(prior.log_prob(poses).numpy(), expected, rtol=2e-5, atol=2e-3)


def test_columns_that_are_no_joint_are_those_of_the_hand_vae(two_columns: PoseStatistics) -> None:
    settings = {"z_dim": 2, "hidden": 8, "n_layers": 1, "importance_samples": 8}
    plain = HandVAE(two_columns, HandVAESettings(**settings)).eval()
    prior = HandVAESO3(two_columns, HandVAESO3Settings(**settings)).eval()
    prior.load_state_dict(plain.state_dict())
    poses = plain.sample(20, generator=torch.Generator().manual_seed(0), observation_noise=True)
    torch.testing.assert_close(prior.log_prob(poses), plain.log_prob(poses))
    torch.testing.assert_close(prior.encode(poses), plain.encode(poses))
    torch.testing.assert_close(prior.decode(prior.encode(poses)), plain.decode(plain.encode(poses)))


def test_decodes_the_rotations_that_it_scores_best(statistics: PoseStatistics) -> None:
    """Also where a joint's mean turns by nearly pi, and with columns between joints that stand still."""
    mean = statistics.mean.copy()
    mean[30:33] = [0, 3.1, 0]
    active = [k for k in range(90) if k not in (4, 20, 21, 22)]
    prior = knows_nothing(statistics_of(active, mean), 0.3 * torch.randn(1, generator=torch.Generator().manual_seed(0)))
    centre = prior.decode(torch.zeros(2))
    assert torch.isfinite(centre).all()
    best = prior.log_prob(centre)
    nudged = centre + 0.02 * torch.randn(50, 90, generator=torch.Generator().manual_seed(0))
    # The volume of rotation vectors shrinks with their length: a nudge may win a little by it, the angle loses more.
    assert (prior.log_prob(nudged) < best).float().mean() > 0.95
    assert (prior.decode(torch.zeros(2)) == centre).all()


@pytest.mark.parametrize("sigma", [0.05, 0.6, 3.0])
def test_noise_turns_every_way_alike_by_angles_of_the_density(sigma: float) -> None:
    prior = one_joint([0.4, -0.8, 0.3], sigma)
    drawn = prior.sample(40_000, generator=torch.Generator().manual_seed(0), observation_noise=True)[:, JOINT]
    centre = Rotation.from_rotvec(prior.mean_pose()[JOINT].double().numpy())
    turns = (centre.inv() * Rotation.from_rotvec(drawn.double().numpy())).as_rotvec()

    def moment(power: int) -> float:
        def density(t: float) -> float:
            return (1 - math.cos(t)) * math.exp(-(t**2) / (2 * sigma**2))

        ends = (0, min(math.pi, 12 * sigma))
        return quad(lambda t: t**power * density(t), *ends)[0] / quad(density, *ends)[0]

    size = np.linalg.norm(turns, axis=-1)
    for power in (1, 2, 4):
        assert (size**power).mean() == pytest.approx(moment(power), rel=0.03)
    np.testing.assert_allclose(turns.T @ turns / len(turns), moment(2) / 3 * np.eye(3), atol=0.02 * moment(2))
    np.testing.assert_allclose(turns.mean(0), 0, atol=0.03 * math.sqrt(moment(2)))


def test_draws_are_scored_at_the_entropy_of_the_density() -> None:
    """Mean -log_prob of draws against quadrature: sampling and density belong to each other."""
    sigma = 0.4
    prior = one_joint([1.86, 0.0, 2.48], sigma)
    drawn = prior.sample(40_000, generator=torch.Generator().manual_seed(0), observation_noise=True)
    points, weights = ball(36, 48)
    pose = prior.mean_pose().repeat(len(points), 1)
    pose[:, JOINT] = points
    log_prob = prior.log_prob(pose).double()
    entropy = -(log_prob.exp() * log_prob) @ weights
    assert -prior.log_prob(drawn).mean().item() == pytest.approx(entropy.item(), abs=0.02)


@pytest.mark.parametrize("sigma", [1e-3, 0.3])
@pytest.mark.parametrize("mean", [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, math.pi]])
def test_energy_and_gradient_are_finite_at_zero_at_pi_and_at_the_mean(mean: list[float], sigma: float) -> None:
    prior = one_joint(mean, sigma)
    poses = torch.zeros(5, 45)
    poses[1, 3], poses[2, 5], poses[3, 4] = math.pi, -math.pi, 1e-20
    poses[4] = prior.mean_pose()
    poses.requires_grad_()
    energy = prior.energy(poses)
    energy.sum().backward()
    assert torch.isfinite(energy).all()
    assert poses.grad is not None
    assert torch.isfinite(poses.grad).all()


def test_a_half_turn_either_way_is_one_rotation() -> None:
    prior = one_joint([0.4, -0.8, 0.3], 0.7)
    axis = torch.nn.functional.normalize(torch.randn(100, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    there, back, beyond = (prior.mean_pose().repeat(100, 1) for _ in range(3))
    there[:, JOINT], back[:, JOINT], beyond[:, JOINT] = math.pi * axis, -math.pi * axis, (math.pi + 0.5) * axis
    torch.testing.assert_close(prior.log_prob(there), prior.log_prob(back), rtol=1e-4, atol=1e-4)
    shorter = back.clone()
    shorter[:, JOINT] = (0.5 - math.pi) * axis
    torch.testing.assert_close(prior.log_prob(beyond), prior.log_prob(shorter), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_learns_near_pi_and_at_coincidence(statistics: PoseStatistics, precision: torch.dtype) -> None:
    """Poses whose joints turn by up to pi, some exactly the decoded ones: losses fall and stay numbers, in bf16 too."""
    torch.manual_seed(0)
    mean = statistics.mean.copy()
    mean[:30] = np.tile([0, 3.1, 0], 10)
    prior = HandVAESO3(
        statistics_of(list(range(87)), mean), HandVAESO3Settings(z_dim=4, hidden=32, kl_warmup_epochs=0.0)
    )
    poses = prior.sample(48) + 0.2 * torch.randn(48, 4).repeat(1, 23)[:, :90]
    poses[0], poses[1], poses[2, :3] = prior.mean_pose(), 0, torch.tensor([0, math.pi, 0])
    x = prior.prepare(poses)
    optimizer = torch.optim.Adam(prior.parameters(), 1e-2)
    losses = []
    for step in range(30):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            loss, logged = prior.training_step(x, StepInfo(step, 1.0, 2))
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in prior.parameters())
        assert all(torch.isfinite(value) for value in logged.values())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 20


def test_starts_at_the_mean_pose(statistics: PoseStatistics) -> None:
    torch.manual_seed(0)
    prior = HandVAESO3(statistics).eval()
    drawn = prior.sample(100, generator=torch.Generator().manual_seed(0))
    apart = (drawn - prior.mean_pose()).abs() / torch.from_numpy(statistics.std).clamp_min(0.05)
    assert apart.mean() < 0.5
