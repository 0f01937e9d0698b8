"""Poses from 3D joints with and without a prior: ``python benchmarks/bench_fitting.py [--store S --runs RUN ...]``.

Held-out frames are posed, some of their points are hidden or disturbed, and poses are fitted to what is left.
Baselines: no prior, and a penalty on the squared distance from the mean pose (the customary "small L2") whose weight
is chosen for each task by its error on val. All fits share optimiser, start, steps and points.

Tasks are those of DPoser-X (ICCV 2025; its ``run/tester/hand/inverse_kinematics.py``): the wrist is given; noise is
normal with so many mm on each coordinate of all points; 8 of a hand's 21 points, drawn for each frame; wrist and five
finger tips. One more has the wrist's turn and place to be found too. Errors are over all 21 points of each hand, six
of which a pose cannot move where the wrist is given. Without ``--store`` the synthetic corpus is made and a Gaussian
is fitted to it. Frames a second are of processor time, what is learnt of a prior before its first frame included.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_tools.hand_model import HAND_POINTS, HandModel
from data_tools.store import PoseStore
from training import load_prior
from training.fitting import fit
from training.fitting_errors import FitErrors, fit_errors
from training.metrics import hand_points
from training.prior import PoseStatistics, Prior
from training.priors.gaussian import Gaussian
from training.seen_joints import FINGERTIPS

L2_RADIANS = (0.1, 0.2, 0.3, 0.5, 0.8, 1.5)
"""Widths of the penalty that are tried: |pose - mean|^2 / (2 width^2)."""


@dataclass(frozen=True)
class Task:
    """What is left of the points: noise in mm, which are seen, and whether the wrist is given."""

    name: str
    noise_mm: float = 0.0
    seen: str = "full"
    wrist: str = "fixed"


TASKS = (
    Task("full"),
    Task("2 mm noise", noise_mm=2),
    Task("5 mm noise", noise_mm=5),
    Task("10 mm noise", noise_mm=10),
    Task("8 of 21", seen="sparse"),
    Task("finger tips", seen="tips"),
    Task("tips, wrist free", seen="tips", wrist="free"),
)


@dataclass(frozen=True)
class Frames:
    """True poses and their points."""

    poses: Tensor
    points: Tensor

    @classmethod
    def of(cls, store: PoseStore, split: str, count: int, model: HandModel) -> Frames:
        every = store.split(split)
        rows = np.unique(np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int))
        poses = torch.from_numpy(np.array(every[rows]))
        return cls(poses, hand_points(poses, model))


def mask_of(task: Task, frames: Frames) -> Tensor:
    """Which points are seen: (frames, points)."""
    count, points = frames.points.shape[:2]
    hands = points // len(HAND_POINTS)
    if task.seen == "sparse":
        order = torch.rand(count, hands, len(HAND_POINTS), generator=torch.Generator().manual_seed(2)).argsort(-1)
        return (order < 8).flatten(1)
    tips = torch.tensor([task.seen == "full" or name in FINGERTIPS for name in HAND_POINTS])
    return tips.repeat(hands).expand(count, points)


def solve(
    task: Task, frames: Frames, prior: Prior | None, model: HandModel, start: np.ndarray, exact_mm: float
) -> tuple[FitErrors, float, float]:
    """Errors, seconds of processor time, and share of frames that converged."""
    noise = task.noise_mm / 1000 * torch.randn(frames.points.shape, generator=torch.Generator().manual_seed(1))
    began = time.process_time()
    fitted = fit(
        frames.points + noise,
        prior,
        model=model,
        seen=mask_of(task, frames),
        noise_mm=task.noise_mm or exact_mm,
        wrist="free" if task.wrist == "free" else "fixed",
        start=start,
    )
    seconds = time.process_time() - began
    errors = fit_errors(fitted, frames.poses, joints=frames.points, model=model)
    return errors, seconds, float(fitted.converged.double().mean())


def penalty(store: PoseStore, width: float) -> Gaussian:
    """A normal density of the same width in all columns: its energy is the squared distance from the mean pose."""
    statistics = PoseStatistics.of(store)
    return Gaussian(replace(statistics, std=np.full(store.poses.shape[1], width, np.float32)))


def best_penalty(task: Task, val: Frames, store: PoseStore, model: HandModel, exact_mm: float) -> float:
    def error(width: float) -> float:
        return solve(task, val, penalty(store, width), model, store.mean, exact_mm)[0].all_mm.mean

    return min(L2_RADIANS, key=error)


def demo_store(folder: Path) -> tuple[Path, Path]:
    """The synthetic corpus, packed, and a Gaussian of it."""
    from data_tools import balance, demo_corpus, pack, scan
    from data_tools.mixing.mix_settings import Mix
    from training import train

    data = demo_corpus.write(folder / "data", frames=60_000, seed=0).path
    balance(scan(data), replace(Mix.default(), total=12_000), folder / "splits")
    store = pack(folder / "splits", data, folder / "store").path
    return store, train("gaussian", store, out=folder / "runs").path


def report(store: PoseStore, runs: Sequence[Path], frames: int, exact_mm: float) -> None:
    model = HandModel()
    test, val = Frames.of(store, "test", frames, model), Frames.of(store, "val", min(frames, 100), model)
    print(f"{len(test.poses)} test frames of {store.pose}, {model.caption}; exact points are taken as {exact_mm} mm")
    rows: list[tuple[str, Prior | None, bool]] = [("no prior", None, False), ("L2 pose penalty", None, True)]
    rows += [(load_prior(run).title, load_prior(run), False) for run in runs]
    for task in TASKS:
        width = best_penalty(task, val, store, model, exact_mm)
        print(f"\n{task.name} (L2 width chosen on val: {width} rad)")
        header = ("all mm", "median", "hidden", "skin mm", "degrees", "converged", "frames/s")
        print(" " * 16 + "".join(f"{title:>10}" for title in header))
        for name, prior, is_l2 in rows:
            chosen = penalty(store, width) if is_l2 else prior
            errors, seconds, done = solve(task, test, chosen, model, store.mean, exact_mm)
            hidden = "" if errors.hidden_mm is None else f"{errors.hidden_mm.mean:.2f}"
            cells = (
                f"{errors.all_mm.mean:.2f}",
                f"{errors.all_mm.median:.2f}",
                hidden,
                f"{errors.vertices_mm.mean:.2f}",
                f"{errors.degrees.mean:.1f}",
                f"{done:.0%}",
                f"{len(test.poses) / seconds:.0f}",
            )
            print(f"{name:16}" + "".join(f"{cell:>10}" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="packed store with val and test (default: one made on the spot)")
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="trained priors of that store")
    parser.add_argument("--frames", type=int, default=200, help="test frames, spread evenly (default: 200)")
    parser.add_argument(
        "--exact-mm", type=float, default=0.5, help="noise taken for points without any, mm (default: 0.5)"
    )
    args = parser.parse_args()
    if args.store:
        report(PoseStore(args.store), args.runs, args.frames, args.exact_mm)
        return
    with tempfile.TemporaryDirectory() as folder:
        store, run = demo_store(Path(folder))
        report(PoseStore(store), [run, *args.runs], args.frames, args.exact_mm)


if __name__ == "__main__":
    main()
