"""The published recipes that the priors' figures are measured against, written plainly.

Networks, optimisers, schedules and numbers are those of keniel123/smplx-pose-priors (its code and ``configs/``);
nothing is copied. What only its bugs cost is left out, in the baselines' favour: joints are given their true parents,
the eyes and other constant columns are not modelled (they would give unbounded likelihoods), joints that have no parent
in the pose are given nothing, rotation vectors are left as they are (it wraps each component by itself), and Lightning,
logging and checkpoints cost nothing. As there, poses are standardised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from training.joint_tree import moving_joints, parents_of
from training.prior import PoseStatistics


class PerFrame(Dataset[Tensor]):
    """Hands out one standardised frame at a time, as plain loaders do."""

    def __init__(self, poses: np.ndarray, mean: np.ndarray, std: np.ndarray) -> None:
        self.poses, self.mean, self.std = poses, mean, std

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy((self.poses[index] - self.mean) / self.std)


class Coupling(nn.Module):
    """Every other column stays, the rest is stretched and shifted by a network of those and of what is given."""

    def __init__(self, dims: int, given: int, hidden: int, *, even: bool) -> None:
        super().__init__()
        self.kept, self.moved = (slice(0, None, 2), slice(1, None, 2))[:: 1 if even else -1]
        kept, moved = len(range(dims)[self.kept]), len(range(dims)[self.moved])
        layers = [nn.Linear(kept + given, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(hidden, 2 * moved))

    def forward(self, x: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.net(torch.cat([x[:, self.kept], given], dim=-1)).chunk(2, dim=-1)
        log_scale = torch.tanh(log_scale)
        y = x.clone()
        y[:, self.moved] = x[:, self.moved] * torch.exp(log_scale) + shift
        return y, log_scale.sum(-1)


def standard_normal(z: Tensor) -> Tensor:
    return -0.5 * (z**2 + math.log(2 * math.pi)).sum(-1)


class OneJointFlow(nn.Module):
    """Four couplings over the three columns of a joint, given those of its parent."""

    def __init__(self, layers: int = 4, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Coupling(3, 3, hidden, even=k % 2 == 0) for k in range(layers))

    def forward(self, x: Tensor, parent: Tensor) -> Tensor:
        log_det = x.new_zeros(len(x))
        for layer in self.layers:
            x, change = layer(x, parent)
            log_det = log_det + change
        return standard_normal(x) + log_det


class JointFlow(nn.Module):
    """One network per joint, in a Python loop."""

    def __init__(self, about: PoseStatistics) -> None:
        super().__init__()
        joints = moving_joints(about.active).tolist()
        if int(about.active.sum()) != 3 * len(joints):
            raise ValueError("the joint flow's baseline wants joints that move about all three axes or none")
        place = {joint: number for number, joint in enumerate(joints)}
        parents = parents_of(len(about.active))
        self.parents = [place.get(parents[joint], -1) for joint in joints]
        self.flows = nn.ModuleList(OneJointFlow() for _ in joints)

    def with_parents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Joints and their parents, (frames, joints, 3) both; zeros where there is no parent."""
        x = x.unflatten(-1, (-1, 3))
        none = x.new_zeros(len(x), 1, 3)
        return x, torch.cat([x, none], dim=1)[:, self.parents]

    def loss(self, x: Tensor) -> Tensor:
        x, parents = self.with_parents(x)
        log_prob = x.new_zeros(len(x))
        for joint, flow in enumerate(self.flows):
            log_prob = log_prob + flow(x[:, joint], parents[:, joint])
        return -log_prob.mean()


class JointFlowAtOnce(nn.Module):
    """The same networks with the same weights, computed together: the same losses and gradients, sooner."""

    def __init__(self, flow: JointFlow) -> None:
        super().__init__()
        self.with_parents = flow.with_parents
        stacked, _ = torch.func.stack_module_state(list(flow.flows))
        self.names = list(stacked)
        self.stacked = nn.ParameterList(nn.Parameter(value.detach()) for value in stacked.values())
        self.one = [flow.flows[0]]  # in a list: its own weights are not among this module's

    def loss(self, x: Tensor) -> Tensor:
        def log_prob(weights: dict[str, Tensor], x: Tensor, parent: Tensor) -> Tensor:
            return torch.func.functional_call(self.one[0], weights, (x, parent))

        weights = dict(zip(self.names, self.stacked, strict=True))
        return -torch.func.vmap(log_prob, in_dims=(0, 1, 1))(weights, *self.with_parents(x)).sum(0).mean()


class ActNorm(nn.Module):
    """Shift and stretch of each column; the first batch sets them."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.shift, self.log_scale = (nn.Parameter(torch.zeros(dims)) for _ in range(2))
        self.is_set = False

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.is_set:
            self.shift.data = -x.detach().mean(0)
            self.log_scale.data = -x.detach().std(0).clamp_min(1e-6).log()
            self.is_set = True
        return (x + self.shift) * torch.exp(self.log_scale), self.log_scale.sum().expand(len(x))


class GlobalFlow(nn.Module):
    """Six blocks over the whole pose: ActNorm, coupling, ActNorm, a fixed permutation."""

    def __init__(self, about: PoseStatistics, layers: int = 6, hidden: int = 512) -> None:
        super().__init__()
        dims = int(about.active.sum())
        self.blocks = nn.ModuleList(
            nn.ModuleList([ActNorm(dims), Coupling(dims, 0, hidden, even=k % 2 == 0), ActNorm(dims)])
            for k in range(layers)
        )
        self.orders = [torch.randperm(dims) for _ in range(layers)]

    def loss(self, x: Tensor) -> Tensor:
        log_det, nothing = x.new_zeros(len(x)), x.new_zeros(len(x), 0)
        for (before, coupling, after), order in zip(self.blocks, self.orders, strict=True):
            x, first = before(x)
            x, second = coupling(x, nothing)
            x, third = after(x)
            x, log_det = x.index_select(1, order), log_det + first + second + third
        return -(standard_normal(x) + log_det).mean()


def hidden_layers(inputs: int, hidden: int, dropout: float, count: int = 3) -> list[nn.Module]:
    sizes = [inputs] + [hidden] * count
    return [layer for size in sizes[:-1] for layer in (nn.Linear(size, hidden), nn.GELU(), nn.Dropout(dropout))]


class HandVAE(nn.Module):
    """Three hidden layers each way; the decoder gives a mean and a log-variance for each column.

    The weight of the KL is 1 here, as it is after its warm-up.
    """

    def __init__(self, about: PoseStatistics, z_dim: int = 24, hidden: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        dims = int(about.active.sum())
        self.encoder = nn.Sequential(*hidden_layers(dims, hidden, dropout), nn.LayerNorm(hidden))
        self.decoder = nn.Sequential(*hidden_layers(z_dim, hidden, dropout), nn.LayerNorm(hidden))
        self.to_latent, self.to_pose = nn.Linear(hidden, 2 * z_dim), nn.Linear(hidden, 2 * dims)

    def loss(self, x: Tensor) -> Tensor:
        mu, log_var = self.to_latent(self.encoder(x)).chunk(2, dim=-1)
        log_var = log_var.clamp(-10, 10)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        mean, spread = self.to_pose(self.decoder(z)).chunk(2, dim=-1)
        spread = spread.clamp(-8, 4)
        misfit = 0.5 * (math.log(2 * math.pi) + spread + (x - mean) ** 2 / torch.exp(spread)).sum(-1)
        return (misfit + kl_to_standard_normal(mu, log_var)).mean()


def kl_to_standard_normal(mu: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * (torch.exp(log_var) + mu**2 - 1 - log_var).sum(-1)


class HandVAESO3(nn.Module):
    """Decodes to two columns of each rotation matrix, and is scored by the angle to the true rotation."""

    def __init__(self, about: PoseStatistics, z_dim: int = 24, hidden: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        dims = int(about.active.sum())
        self.register_buffer("mean", torch.from_numpy(about.mean))
        self.register_buffer("std", torch.from_numpy(about.std))
        self.encoder = nn.Sequential(nn.LayerNorm(dims), *hidden_layers(dims, hidden, dropout))
        self.decoder = nn.Sequential(*hidden_layers(z_dim, hidden, dropout), nn.Linear(hidden, 2 * dims))
        self.to_latent = nn.Linear(hidden, 2 * z_dim)
        self.log_sigma = nn.Parameter(torch.tensor(-1.5))

    def loss(self, x: Tensor) -> Tensor:
        mu, log_var = self.to_latent(self.encoder(x)).chunk(2, dim=-1)
        log_var = log_var.clamp(-8, 8)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        decoded = matrix_of_six(self.decoder(z).unflatten(-1, (-1, 6)))
        true = matrix_of_vector((x * self.std + self.mean).unflatten(-1, (-1, 3)))
        turn = decoded.transpose(-1, -2) @ true
        cosine = (turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
        angle = torch.arccos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        spread = math.log(2 * math.pi) / 2 + self.log_sigma
        misfit = (0.5 * angle**2 / torch.exp(2 * self.log_sigma) + spread).sum(-1)
        return (misfit + kl_to_standard_normal(mu, log_var)).mean()


def matrix_of_six(six: Tensor) -> Tensor:
    """Gram and Schmidt (arXiv 1812.07035): (..., 6) to (..., 3, 3)."""
    first = functional.normalize(six[..., :3], dim=-1)
    second = six[..., 3:]
    second = functional.normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.cross(first, second, dim=-1)], dim=-2)


def matrix_of_vector(vector: Tensor) -> Tensor:
    """Rodrigues: rotation vectors in radians (..., 3) to (..., 3, 3)."""
    angle = vector.norm(dim=-1, keepdim=True).clamp_min(1e-8)
    x, y, z = (vector / angle).unbind(-1)
    none = torch.zeros_like(x)
    cross = torch.stack([none, -z, y, z, none, -x, -y, x, none], dim=-1).unflatten(-1, (3, 3))
    angle = angle.unsqueeze(-1)
    return torch.eye(3) + torch.sin(angle) * cross + (1 - torch.cos(angle)) * (cross @ cross)


@dataclass(frozen=True)
class Recipe:
    """How a prior was published.

    Attributes:
        network: Makes it for a pose layout; has ``loss(x)``, nats per frame over standardised columns.
        optimizer: Made of its parameters.
        batch: Frames per step.
        epochs: At most; the learning rate falls to zero over them as a cosine, at the end of each.
        patience: Epochs without a held-out loss lower by ``least_gain`` nats after which it ends.
        clip: Largest norm of the gradient of all its networks together.
    """

    network: Callable[[PoseStatistics], nn.Module]
    optimizer: Callable[..., torch.optim.Optimizer]
    batch: int
    epochs: int
    patience: int
    least_gain: float = 1e-4
    clip: float = 1.0


def adam(parameters: Iterator[nn.Parameter], **options: bool) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, 1e-3, **options)


def adam_with_decay(parameters: Iterator[nn.Parameter], **options: bool) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, 1e-3, weight_decay=1e-5, **options)


def adamw(parameters: Iterator[nn.Parameter], **options: bool) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, 3e-4, weight_decay=1e-4, **options)


RECIPES = {
    "joint_flow": Recipe(JointFlow, adam_with_decay, batch=16, epochs=50, patience=15),
    "global_flow": Recipe(GlobalFlow, adam, batch=32, epochs=30, patience=10),
    "hand_vae": Recipe(HandVAE, adamw, batch=8192, epochs=100, patience=20),
    "hand_vae_so3": Recipe(HandVAESO3, adamw, batch=8192, epochs=100, patience=20),
}


def step(network: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, clip: float) -> None:
    """One gradient step."""
    loss = network.loss(x)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimizer.step()


def published_steps(recipe: Recipe, poses: np.ndarray, about: PoseStatistics) -> Iterator[int]:
    """Train as published, endlessly; yields the frames of each step."""
    columns = np.flatnonzero(about.active)
    network = recipe.network(about)
    optimizer = recipe.optimizer(network.parameters())
    frames = PerFrame(np.ascontiguousarray(poses[:, columns]), about.mean[columns], about.std[columns])
    while True:
        for x in DataLoader(frames, recipe.batch, shuffle=True):
            step(network, optimizer, x, recipe.clip)
            yield len(x)
