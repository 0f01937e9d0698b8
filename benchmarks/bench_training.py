"""Training against the plain way of doing it, in one run: ``python benchmarks/bench_training.py``.

The baselines are the published recipes written plainly. Gaussian: its mean and spread by gradient steps, 20 epochs,
frames fetched one by one by a DataLoader and stacked; a part of an epoch is timed and the rest is multiplied. Hand VAE:
the same network, batch 8192, the same loader, torch's own dropout. Both sides of a comparison are timed in turn and
the best round of each counts, so that other work on the machine disturbs both alike.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from training.pose_batches import FrameBatches
from training.prior import PoseStatistics, StepInfo
from training.priors.gaussian import Gaussian, GaussianSettings
from training.priors.hand_vae import HandVAE

GAUSSIAN_EPOCHS = 20
BATCH = 8192
ROUNDS = 4


class PerFrame(Dataset[Tensor]):
    """Hands out one standardised frame at a time, as plain loaders do."""

    def __init__(self, poses: np.ndarray, mean: np.ndarray, std: np.ndarray) -> None:
        self.poses, self.mean, self.std = poses, mean, std

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy((self.poses[index] - self.mean) / self.std)


class PlainVAE(nn.Module):
    """The published Hand VAE with nothing done for speed."""

    def __init__(self, dims: int, hidden: int = 256, z_dim: int = 24, dropout: float = 0.1) -> None:
        super().__init__()

        def layers(inputs: int, outputs: int) -> nn.Sequential:
            block: list[nn.Module] = []
            for size in (inputs, hidden, hidden):
                block += [nn.Linear(size, hidden), nn.SiLU(), nn.Dropout(dropout)]
            return nn.Sequential(*block, nn.Linear(hidden, outputs))

        self.encoder, self.decoder = layers(dims, 2 * z_dim), layers(z_dim, dims)
        self.log_sigma = nn.Parameter(torch.zeros(dims))

    def loss(self, x: Tensor) -> Tensor:
        mu, log_var = self.encoder(x).chunk(2, dim=-1)
        decoded = self.decoder(mu + torch.exp(0.5 * log_var) * torch.randn_like(mu))
        likelihood = torch.distributions.Normal(decoded, self.log_sigma.exp()).log_prob(x).sum(-1)
        kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1)
        return (kl - likelihood).mean()


def statistics(poses: np.ndarray) -> PoseStatistics:
    dim = poses.shape[1]
    some = poses[:100_000]
    mean, std = some.mean(0), some.std(0)
    return PoseStatistics("hands" if dim == 90 else "full", mean, std, np.ones(dim, bool), mean)


def seconds_of(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def bench_gaussian(folder: Path, frames: int) -> None:
    """Closed form over a memory map of 165 columns, against gradient steps."""
    path = folder / "poses.npy"
    poses = np.lib.format.open_memmap(path, "w+", np.float32, (frames, 165))
    rng = np.random.default_rng(0)
    mix = rng.normal(0, 0.1, (165, 165)).astype(np.float32)
    for start in range(0, frames, 100_000):
        part = poses[start : start + 100_000]
        part[:] = rng.standard_normal(part.shape, np.float32) @ mix
    poses = np.load(path, mmap_mode="r")
    about = statistics(np.array(poses[:100_000]))
    store: Any = SimpleNamespace(split=lambda name: poses)
    plain = plain_gaussian_rate(poses, about)
    gradient = GAUSSIAN_EPOCHS * frames / plain
    print(f"Gaussian, {frames:,} x 165")
    print(
        f"  gradient steps, per-frame loader: {plain:,.0f} frames/s, so {gradient:,.0f} s for {GAUSSIAN_EPOCHS} epochs"
    )
    for covariance in ("diagonal", "full"):
        prior = Gaussian(about, GaussianSettings(covariance=covariance))  # type: ignore[arg-type]
        seconds = min(seconds_of(lambda prior=prior: prior.fit(store)) for _ in range(3))
        print(f"  closed form, {covariance:8} covariance: {seconds:6.2f} s in all = {gradient / seconds:,.0f} times")


def plain_gaussian_rate(poses: np.ndarray, about: PoseStatistics, batches: int = 4) -> float:
    """Frames per second of gradient steps on mean and log spread."""
    mean, log_std = (nn.Parameter(torch.zeros(poses.shape[1])) for _ in range(2))
    optimizer = torch.optim.Adam([mean, log_std], 1e-3)
    loader = DataLoader(PerFrame(poses, about.mean, about.std), BATCH, shuffle=True)
    began = time.perf_counter()
    for x in islice(loader, batches):
        loss = -torch.distributions.Normal(mean, log_std.exp()).log_prob(x).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return batches * BATCH / (time.perf_counter() - began)


def bench_vae(frames: int) -> None:
    """Samples per second of the published Hand VAE, each side with its own loader."""
    poses = np.random.default_rng(0).standard_normal((frames, 90), np.float32)
    about = statistics(poses)
    ours, plain = our_steps(poses, about), plain_steps(poses, about)
    rates = {"plain": 0.0, "ours": 0.0}
    next(ours), next(plain)
    for _ in range(ROUNDS):
        for name, steps in (("plain", plain), ("ours", ours)):
            rates[name] = max(rates[name], BATCH / min(seconds_of(lambda steps=steps: next(steps)) for _ in range(3)))
    print(f"Hand VAE, published size, batch {BATCH}")
    ratio = rates["ours"] / rates["plain"]
    print(f"  per-frame loader, torch's dropout:    {rates['plain']:10,.0f} frames/s")
    print(f"  whole batches by index, fast dropout: {rates['ours']:10,.0f} frames/s = {ratio:.1f} times")


def our_steps(poses: np.ndarray, about: PoseStatistics) -> Iterator[None]:
    prior = HandVAE(about)
    optimizer = torch.optim.AdamW(prior.parameters(), 1e-3, fused=True)
    batches = FrameBatches(prior.prepare(torch.from_numpy(poses)), BATCH, seed=0)
    while True:
        for x in batches:
            loss, _ = prior.training_step(x, StepInfo(0, 10.0, 100))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def plain_steps(poses: np.ndarray, about: PoseStatistics) -> Iterator[None]:
    vae = PlainVAE(poses.shape[1])
    optimizer = torch.optim.AdamW(vae.parameters(), 1e-3)
    loader = DataLoader(PerFrame(poses, about.mean, about.std), BATCH, shuffle=True, drop_last=True)
    while True:
        for x in loader:
            loss = vae.loss(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=1_200_000, help="frames for the Gaussian (default 1.2 million)")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        bench_gaussian(Path(folder), options.frames)
    bench_vae(8 * BATCH)


if __name__ == "__main__":
    main()
