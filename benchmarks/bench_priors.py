"""Training the priors against the published recipes, in one run: ``python benchmarks/bench_priors.py``.

Samples a second of training, on the same packed poses (the embedded corpus, hands and whole body; or ``--store``):

- ``published``: the recipe of published_recipes.py: its batch size, a DataLoader that fetches frames one by one, one
  network per joint. Without Lightning, logs and checkpoints, in its favour.
- ``its network``: our preset ``published`` (the published sizes; all joints computed together), 1024 frames a step for
  the flows. What whole batches and computing joints together give.
- ``ours``: our preset ``fast``, which is what ``handprior train`` takes: also another network and batch size.

Ours is ``training.train`` as a user calls it, with Lightning, metrics and checkpoints; looks at the val split are left
out. Each is a process of its own with two threads (a preset that asks for one thread gets one), in turn with the
others; the best second of all rounds counts. On a machine that does other work two threads wait for each other, and
the ratios say nothing: take ``--threads 1`` there. The Gaussian (1.2 million frames of 165 columns) is timed against
its mean and spread by gradient steps for 20 epochs, per-frame loader; a part of an epoch is timed and the rest is
multiplied.

``--to-likelihood``: the time until the held-out likelihood that the published recipe reaches, for both flows. Both
sides are scored on the whole val split, in nats per frame over radians, after each epoch; ours also before its first
step, where it is the Gaussian that it starts as. The lowest of the published recipe's scores is the target, not the
last, in its favour. It ends early as published. Its epochs are run with all joints computed together (the same losses
and gradients, batch by batch) and counted at the pace of its own loop, measured in the same run. Ours is a process
``python -m training.run`` with the preset ``fast``, from its start, imports included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from published_recipes import RECIPES, JointFlow, JointFlowAtOnce, PerFrame, Recipe, published_steps, step
from torch import Tensor, nn
from torch.utils.data import DataLoader

from data_tools import balance, demo_corpus, pack, scan
from data_tools.mix import Mix
from data_tools.store import PoseStore
from training.config import resolve
from training.prior import PoseStatistics
from training.priors import PRIORS
from training.priors.gaussian import Gaussian, GaussianSettings
from training.run import train
from training.run_folder import RunFolder

SIDES: dict[str, str | None] = {"published": None, "its network": "published", "ours": "fast"}
"""What is timed, and our preset for it."""

FLOWS = ("joint_flow", "global_flow")
LARGER_BATCH = 1024
GAUSSIAN_EPOCHS, GAUSSIAN_BATCH = 20, 8192
FOREVER = 1_000_000


def demo_store(folder: Path, pose: str, *, corpus: int, frames: int) -> Path:
    """Frames drawn from the embedded corpus, packed: smooth motion of correlated joints."""
    if not (folder / "data").exists():
        demo_corpus.write(folder / "data", frames=corpus, seed=0)
        balance(scan(folder / "data"), replace(Mix.default(), total=frames), folder / "splits")
    return pack(folder / "splits", folder / "data", folder / pose, pose=pose).path


def published_rate(recipe: Recipe, store: PoseStore, seconds: float) -> float:
    """Samples per second of the best second."""
    steps = published_steps(recipe, store.split("train"), PoseStatistics.of(store))
    next(steps)
    best, ends = 0.0, time.perf_counter() + seconds
    while (began := time.perf_counter()) < ends:
        frames = 0
        while time.perf_counter() - began < 1:
            frames += next(steps)
        best = max(best, frames / (time.perf_counter() - began))
    return best


def our_rate(prior: str, preset: str, store: PoseStore, seconds: float) -> float:
    """The same of a run that is stopped after a while; its first second and its last look at val do not count."""
    endless = {"max_epochs": FOREVER, "val_every_epochs": FOREVER, "val_frames": 64, "log_seconds": 1.0}
    larger = {"batch_size": LARGER_BATCH} if preset == "published" and prior in FLOWS else {}
    began: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))

        def watch(status: dict[str, Any]) -> None:
            began.append(time.perf_counter())
            if began[-1] - began[0] > seconds + 1:
                run.request_stop()

        train(prior, store, preset=preset, overrides=endless | larger, run_dir=folder, progress=watch)
        rates = [line["samples_per_second"] for line in run.metrics()]
    return float(max(rates[1:-1]))


def stage(prior: str, side: str, store: PoseStore, seconds: float) -> float:
    """What one process finds out."""
    if side == "start":
        return start_score(prior, store)
    preset = SIDES[side]
    return published_rate(RECIPES[prior], store, seconds) if preset is None else our_rate(prior, preset, store, seconds)


def in_own_process(prior: str, side: str, store: Path, options: argparse.Namespace) -> float:
    """:func:`stage` in a process of its own."""
    numbers = {"store": store, "seconds": options.seconds, "threads": options.threads}
    command = [sys.executable, __file__, "--stage", prior, side]
    command += [text for name, value in numbers.items() for text in (f"--{name}", str(value))]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def bench_rates(stores: dict[str, Path], options: argparse.Namespace) -> None:
    print(f"Samples a second of training, {options.threads} threads")
    for prior in (prior for prior in RECIPES if prior in options.priors):
        for layout, store in stores.items():
            if prior in FLOWS or layout == "hands":
                best = dict.fromkeys(SIDES, 0.0)
                for _ in range(options.rounds):
                    for side in SIDES:
                        best[side] = max(best[side], in_own_process(prior, side, store, options))
                print(f"  {prior}, {layout}")
                for side, rate in best.items():
                    ratio = "" if side == "published" else f" = {rate / best['published']:.1f} times"
                    print(f"    {side:12} {rate:10,.0f}{ratio}", flush=True)


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
    some = np.array(poses[:100_000])
    about = PoseStatistics("full", some.mean(0), some.std(0), np.ones(165, bool), some.mean(0))
    store: Any = SimpleNamespace(split=lambda name: poses)
    plain = plain_gaussian_rate(poses, about)
    gradient = GAUSSIAN_EPOCHS * frames / plain
    print(f"Gaussian, {frames:,} x 165")
    print(f"  gradient steps, per-frame loader: {plain:,.0f} samples/s, so {gradient:,.0f} s in all")
    for covariance in ("diagonal", "full"):
        prior = Gaussian(about, GaussianSettings(covariance=covariance))
        seconds = min(seconds_of(lambda prior=prior: prior.fit(store)) for _ in range(3))
        print(f"  closed form, {covariance:8} covariance: {seconds:6.2f} s in all = {gradient / seconds:,.0f} times")


def plain_gaussian_rate(poses: np.ndarray, about: PoseStatistics, batches: int = 4) -> float:
    """Samples per second of gradient steps on mean and log spread."""
    mean, log_std = (nn.Parameter(torch.zeros(poses.shape[1])) for _ in range(2))
    optimizer = torch.optim.Adam([mean, log_std], 1e-3)
    loader = DataLoader(PerFrame(poses, about.mean, about.std), GAUSSIAN_BATCH, shuffle=True)
    began = time.perf_counter()
    for x in islice(loader, batches):
        loss = -torch.distributions.Normal(mean, log_std.exp()).log_prob(x).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return batches * GAUSSIAN_BATCH / (time.perf_counter() - began)


def seconds_of(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def published_scores(recipe: Recipe, store: PoseStore, epochs: int) -> Iterator[float]:
    """Held-out nats per frame over radians after each epoch of the published recipe, until it ends."""
    about = PoseStatistics.of(store)
    columns = np.flatnonzero(about.active)
    mean, std = about.mean[columns], about.std[columns]
    frames, held_out = (torch.from_numpy((store.split(name)[:, columns] - mean) / std) for name in ("train", "val"))
    torch.manual_seed(0)
    torch.set_flush_denormal(True)  # the moments of units that have died would slow each step down
    network = recipe.network(about)
    network = JointFlowAtOnce(network) if isinstance(network, JointFlow) else network
    optimizer = recipe.optimizer(network.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    best, since_best = np.inf, 0
    for _ in range(epochs):
        for index in torch.randperm(len(frames)).split(recipe.batch):
            step(network, optimizer, frames[index], recipe.clip)
        schedule.step()
        score = held_out_loss(network, held_out) + float(np.log(std.astype(np.float64)).sum())
        yield score
        best, since_best = (score, 0) if score < best - recipe.least_gain else (best, since_best + 1)
        if since_best >= recipe.patience:
            return


@torch.no_grad()
def held_out_loss(network: nn.Module, frames: Tensor) -> float:
    losses = [float(network.loss(part)) * len(part) for part in frames.split(1024)]
    return sum(losses) / len(frames)


def our_scores(prior: str, store: PoseStore, target: float, threads: int) -> Iterator[tuple[float, float]]:
    """Seconds since the process was started, and held-out nats per frame, at each look until the target is reached."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "training.run", "--prior", prior, "--store", str(store.path)]
        command += ["--config", "fast", "--run-dir", folder]
        command += ["--set", f"val_frames={len(store.split('val'))}", f"threads={threads}"]
        run, given, began = RunFolder(Path(folder)), 0, time.time()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        ended = False
        while not ended:
            time.sleep(0.1)
            ended = process.poll() is not None  # asked before the last look is read
            looks = [line for line in run.metrics() if "val/nll" in line]
            for line in looks[given:]:
                yield line["time"] - began, line["val/nll"]
            given = len(looks)
            if looks and min(line["val/nll"] for line in looks) <= target:
                run.request_stop()
                process.wait()
                return


def start_score(prior: str, store: PoseStore) -> float:
    """Held-out nats per frame of a new run before its first step."""
    new = PRIORS[prior].for_store(store, resolve(prior, "fast").model).eval()
    new.begin(store)
    with torch.no_grad():
        return -float(new.log_prob(torch.from_numpy(np.array(store.split("val")))).mean())


def bench_to_likelihood(path: Path, options: argparse.Namespace) -> None:
    store = PoseStore(path)
    frames = len(store.split("train"))
    print(f"Time to the published recipe's held-out likelihood: {frames:,} train frames of {store.dim} columns")
    for prior in (prior for prior in FLOWS if prior in options.priors):
        recipe = RECIPES[prior]
        pace = max(in_own_process(prior, "published", path, options) for _ in range(options.rounds))
        print(f"  {prior}: the published recipe trains on {pace:,.0f} samples/s", flush=True)
        began = time.perf_counter()
        scores = list(published_scores(recipe, store, min(options.epochs or recipe.epochs, recipe.epochs)))
        print(f"    its {len(scores)} epochs of at most {recipe.epochs} took {time.perf_counter() - began:,.0f} s here")
        best, last = scores.index(min(scores)) + 1, len(scores)
        theirs = {epoch: epoch * frames / pace for epoch in (best, last)}
        for which, epoch in {"best": best, "last": last}.items():
            print(f"    its {which}  {scores[epoch - 1]:9.2f} nats, {theirs[epoch]:8,.0f} s at its pace: epoch {epoch}")
        reached = None
        for name, seconds, score in our_way(prior, path, store, min(scores), options):
            print(f"    {name} {score:9.2f} nats, {seconds:8,.1f} s", flush=True)
            reached = seconds if score <= min(scores) and reached is None else reached
        if reached is None:
            print("    ours does not reach its best")
        else:
            print(f"    its best is reached {theirs[best] / reached:,.1f} times as soon as it is there itself,")
            print(
                f"    {theirs[last] / reached:,.1f} times as soon as it ends, before which its best is not known",
                flush=True,
            )


def our_way(
    prior: str, path: Path, store: PoseStore, target: float, options: argparse.Namespace
) -> Iterator[tuple[str, float, float]]:
    """Name, seconds and held-out nats of what a run of ours is, from its start to the target."""
    began = time.perf_counter()
    score = in_own_process(prior, "start", path, options)
    yield "our start", time.perf_counter() - began, score
    if score > target:
        for seconds, score in our_scores(prior, store, target, options.threads):
            yield "ours     ", seconds, score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--to-likelihood", action="store_true", help="the time to its held-out likelihood")
    parser.add_argument("--store", type=Path, help="a packed store in place of the embedded corpus")
    parser.add_argument("--priors", nargs="+", choices=PRIORS, default=list(PRIORS), help="only some (default all)")
    parser.add_argument("--threads", type=int, default=2, help="of each process (default 2)")
    parser.add_argument("--rounds", type=int, default=2, help="times that each is timed (default 2)")
    parser.add_argument("--seconds", type=float, default=4, help="how long each is timed (default 4)")
    parser.add_argument("--epochs", type=int, help="cut the published recipe's epochs, to try it out")
    parser.add_argument("--frames", type=int, default=1_200_000, help="frames for the Gaussian (default 1.2 million)")
    parser.add_argument("--stage", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.stage:
        print(stage(*options.stage, PoseStore(options.store), options.seconds))
        return
    print(f"torch {torch.__version__}, {options.threads} threads")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.to_likelihood:
            bench_to_likelihood(options.store or demo_store(folder, "hands", corpus=400_000, frames=10_000), options)
            return
        if options.store:
            bench_rates({PoseStore(options.store).pose: options.store}, options)
            return
        if RECIPES.keys() & options.priors:
            layouts = ("hands", "full")
            bench_rates({pose: demo_store(folder, pose, corpus=60_000, frames=20_000) for pose in layouts}, options)
        if "gaussian" in options.priors:
            bench_gaussian(folder, options.frames)


if __name__ == "__main__":
    main()
